package kql

import (
	"unicode/utf8"
)

// JSON is the tree in the shape of Kibana's kuery nodes, on one line.
func JSON(n Node) []byte { return AppendJSON(nil, n) }

// AppendJSON appends what JSON makes.
func AppendJSON(b []byte, n Node) []byte {
	switch n := n.(type) {
	case *Is:
		b = appendTerm(appendFunction(b, "is"), n.Field)
		b = appendTerm(append(b, ','), n.Value)
	case *Range:
		b = appendTerm(appendFunction(b, "range"), n.Field)
		b = append(append(append(b, `,"`...), n.Op...), `",`...)
		b = appendTerm(b, n.Value)
	case *Nested:
		b = appendTerm(appendFunction(b, "nested"), n.Path)
		b = AppendJSON(append(b, ','), n.Query)
	case *And:
		b = appendNodes(appendFunction(b, "and"), n.Nodes)
	case *Or:
		b = appendNodes(appendFunction(b, "or"), n.Nodes)
	case *Not:
		b = AppendJSON(appendFunction(b, "not"), n.Node)
	}
	return append(b, "]}"...)
}

func appendFunction(b []byte, name string) []byte {
	return append(append(append(b, `{"type":"function","function":"`...), name...), `","arguments":[`...)
}

func appendNodes(b []byte, nodes []Node) []byte {
	for i, n := range nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSON(b, n)
	}
	return b
}

func appendTerm(b []byte, t Term) []byte {
	switch t := t.(type) {
	case *Wildcard:
		b = append(b, `{"type":"wildcard","value":`...)
		return append(AppendString(b, t.Value), '}')
	case *Literal:
		b = append(b, `{"type":"literal","value":`...)
		b = AppendValue(b, t)
		if t.Quoted {
			return append(b, `,"isQuoted":true}`...)
		}
		return append(b, `,"isQuoted":false}`...)
	}
	return b
}

// AppendValue appends a literal's value as JSON: a string, null, true or false.
func AppendValue(b []byte, t *Literal) []byte {
	if t.Kind == String {
		return AppendString(b, t.Text)
	}
	return append(b, t.Name()...)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as JavaScript's JSON.stringify writes it; a lone surrogate stays one.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < 0x20:
			b = appendUnit(b, rune(c))
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			if r, ok := surrogate(s[i:]); ok {
				b = appendUnit(b, r)
				i += 3
				continue
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}

// appendUnit appends a UTF-16 code unit as \u and four digits.
func appendUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
