package exec

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"tocsin/internal/row"
)

// textFunctions work on texts; of a list, on each value.
var textFunctions = map[string]plainFunction{
	"lower": func(a []row.Value) row.Value {
		return eachText(a[0], func(s string) row.Value { return row.NewString(strings.ToLower(s)) })
	},
	"upper": func(a []row.Value) row.Value {
		return eachText(a[0], func(s string) row.Value { return row.NewString(strings.ToUpper(s)) })
	},
	"trim":  trimmer(strings.Trim),
	"ltrim": trimmer(strings.TrimLeft),
	"rtrim": trimmer(strings.TrimRight),
	"len": func(a []row.Value) row.Value {
		return eachText(a[0], func(s string) row.Value { return row.NewInt(int64(utf8.RuneCountInString(s))) })
	},
	"substr":    substr,
	"concat":    func(a []row.Value) row.Value { return concat(a...) },
	"cidrmatch": cidrMatch,
	"urldecode": func(a []row.Value) row.Value {
		return eachText(a[0], func(s string) row.Value { return row.NewString(urlDecode(s)) })
	},
	"json_extract": func(a []row.Value) row.Value {
		if a[0].IsNull() || a[1].IsNull() {
			return row.Value{}
		}
		return jsonPath(a[0].Text(), a[1].Text())
	},
}

func trimmer(trim func(s, cutset string) string) plainFunction {
	return func(a []row.Value) row.Value {
		cutset := " \t\r\n"
		if len(a) > 1 {
			if a[1].IsNull() {
				return row.Value{}
			}
			cutset = a[1].Text()
		}
		return eachText(a[0], func(s string) row.Value { return row.NewString(trim(s, cutset)) })
	}
}

// substr counts characters from 1, or from the end with a negative start.
func substr(a []row.Value) row.Value {
	start, ok := a[1].Number()
	if !ok {
		return row.Value{}
	}
	length := row.NewInt(1 << 40)
	if len(a) > 2 {
		if length, ok = a[2].Number(); !ok {
			return row.Value{}
		}
	}
	return eachText(a[0], func(s string) row.Value {
		runes := []rune(s)
		from := int(max(min(start.Float(), 1e12), -1e12))
		switch {
		case from < 0:
			from = max(len(runes)+from, 0)
		case from > 0:
			from--
		}
		from = min(from, len(runes))
		n := int(max(min(length.Float(), 1e12), 0))
		return row.NewString(string(runes[from:min(from+n, len(runes))]))
	})
}

// cidrMatch tests whether any address lies in the network. What is no network or address matches not.
func cidrMatch(a []row.Value) row.Value {
	if a[0].IsNull() || a[1].IsNull() {
		return row.Value{}
	}
	network, err := netip.ParsePrefix(strings.TrimSpace(a[0].Text()))
	if err != nil {
		return row.Value{}
	}
	for i := range a[1].Len() {
		if ip, err := netip.ParseAddr(strings.TrimSpace(a[1].At(i).Text())); err == nil && network.Masked().Contains(ip.Unmap().WithZone("")) {
			return row.NewBool(true)
		}
	}
	return row.NewBool(false)
}

// urlDecode reads %xx; a percent sign that begins no such pair stays.
func urlDecode(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
