package row

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the value as JSON: times as RFC 3339 in UTC, null for no value, big integers
// with all their digits.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(b, v.num != 0)
	case Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float:
		if v.str != "" {
			return append(b, v.str...)
		}
		return appendFloat(b, v.Float())
	case String:
		return AppendQuoted(b, v.str)
	case Time:
		return append(appendTime(append(b, '"'), v.Nanos()), '"')
	case List:
		b = append(b, '[')
		for i, e := range *v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.AppendJSON(b)
		}
		return append(b, ']')
	case Object:
		return append(b, v.str...)
	}
	return append(b, "null"...)
}

// appendFloat writes the shortest text that reads back as f; whole numbers have no point.
func appendFloat(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0')
	}
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// MarshalJSON writes the value as AppendJSON does.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), "\ufffd"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// AppendRow appends a flat JSON object of the first len(names) slots, in order.
func AppendRow(b []byte, names []string, vals []Value) []byte {
	b = append(b, '{')
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendQuoted(b, n), ':')
		if i < len(vals) {
			b = vals[i].AppendJSON(b)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}
