package kql

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// literal reads a quoted string or an unquoted literal. It reports no expectations of its own.
func (p *parser) literal() (Term, bool) {
	if p.at < len(p.text) && p.text[p.at] == '"' {
		return p.quoted()
	}
	return p.unquoted()
}

func (p *parser) quoted() (Term, bool) {
	start := p.at
	v := value{text: p.text, start: start + 1}
	i := start + 1
	for i < len(p.text) {
		switch c := p.text[i]; {
		case c == '"':
			p.at = i + 1
			return &Literal{Text: v.end(i), Quoted: true, Place: Span{start, i + 1}}, true
		case c == '\\':
			if n := v.control(i); n > 0 {
				i += n
			} else if n := v.unicode(i); n > 0 {
				i += n
			} else if i+1 < len(p.text) && (p.text[i+1] == '\\' || p.text[i+1] == '"') {
				v.put(i, p.text[i+1:i+2])
				i += 2
				v.start = i
			} else {
				i++
			}
		default:
			i += v.plain(i)
		}
	}
	return nil, false
}

// unquoted reads until a special character or a keyword. A keyword counts inside a word too: "cannot
// x" ends after "can".
func (p *parser) unquoted() (Term, bool) {
	start := p.at
	v := value{text: p.text, start: start}
	i, wild := start, false
scan:
	for i < len(p.text) {
		switch c := p.text[i]; c {
		case '\\':
			n := v.control(i)
			if n == 0 && i+1 < len(p.text) && special(p.text[i+1]) {
				v.put(i, p.text[i+1:i+2])
				n = 2
			}
			if n == 0 {
				n = v.unicode(i)
			}
			if n == 0 {
				for _, w := range [...]string{"or", "and", "not"} {
					if p.word(i+1, w) {
						n = 1 + len(w)
						v.put(i, p.text[i+1:i+n])
						break
					}
				}
			}
			if n == 0 {
				break scan
			}
			i += n
			v.start = i
		case '*':
			v.put(i, WildcardMark)
			wild = true
			i++
			v.start = i
		case '(', ')', ':', '<', '>', '"', '{', '}':
			break scan
		case ' ', '\t', '\n', '\r', 0xC2:
			if n := p.space(i); n > 0 && (p.word(i+n, "or") && p.space(i+n+2) > 0 || p.word(i+n, "and") && p.space(i+n+3) > 0) {
				break scan
			}
			i += v.plain(i)
		case 'n', 'N':
			if p.word(i, "not") && p.space(i+3) > 0 {
				break scan
			}
			i++
		default:
			i += v.plain(i)
		}
	}
	if i == start {
		return nil, false
	}
	p.at = i
	text := strings.TrimFunc(v.end(i), trimmed)
	place := Span{start, max(p.last(), start)}
	switch {
	case text == "null":
		return &Literal{Kind: Null, Place: place}, true
	case text == "true":
		return &Literal{Kind: True, Place: place}, true
	case text == "false":
		return &Literal{Kind: False, Place: place}, true
	case wild:
		return &Wildcard{Value: text, Place: place}, true
	}
	return &Literal{Text: text, Place: place}, true
}

func special(c byte) bool { return strings.IndexByte(`\():<>"*{}`, c) >= 0 }

// trimmed reports whether JavaScript's trim takes r away.
func trimmed(r rune) bool {
	switch {
	case r >= 0x09 && r <= 0x0D, r == ' ', r == 0xA0, r == 0x1680, r >= 0x2000 && r <= 0x200A,
		r == 0x2028, r == 0x2029, r == 0x202F, r == 0x205F, r == 0x3000, r == 0xFEFF:
		return true
	}
	return false
}

// value collects a literal's text. While the source has no escapes the text is a part of it. Start is
// where the source not yet collected begins.
type value struct {
	text  string
	start int
	b     []byte
	high  rune // a high surrogate just written, which a low one completes
}

// end is the whole text, the source's up to i included.
func (v *value) end(i int) string {
	if v.b == nil {
		return v.text[v.start:i]
	}
	return string(append(v.b, v.text[v.start:i]...))
}

// put collects the source before i and then s.
func (v *value) put(i int, s string) {
	v.b = append(append(v.b, v.text[v.start:i]...), s...)
	v.high = 0
}

// plain passes the character at i and tells its length.
func (v *value) plain(i int) int {
	if v.text[i] < utf8.RuneSelf {
		return 1
	}
	r, n := utf8.DecodeRuneInString(v.text[i:])
	if r == utf8.RuneError && n == 1 {
		v.put(i, "\uFFFD")
		v.start = i + 1
	}
	return n
}

// control reads \t, \r or \n at i. It comes before every other escape, so that \not is a line feed
// and "ot".
func (v *value) control(i int) int {
	if i+1 == len(v.text) {
		return 0
	}
	switch v.text[i+1] {
	case 't':
		v.put(i, "\t")
	case 'r':
		v.put(i, "\r")
	case 'n':
		v.put(i, "\n")
	default:
		return 0
	}
	v.start = i + 2
	return 2
}

// unicode reads \u and four hexadecimal digits at i: one UTF-16 code unit.
func (v *value) unicode(i int) int {
	if len(v.text)-i < 6 || v.text[i+1] != 'u' {
		return 0
	}
	var r rune
	for _, c := range []byte(v.text[i+2 : i+6]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0
		}
		r = r<<4 | rune(c)
	}
	high := v.high
	adjacent := v.start == i
	v.put(i, "")
	switch {
	case high != 0 && adjacent && r >= 0xDC00 && r <= 0xDFFF:
		v.b = utf8.AppendRune(v.b[:len(v.b)-3], utf16.DecodeRune(high, r))
	case utf16.IsSurrogate(r):
		v.b = append(v.b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
		if r < 0xDC00 {
			v.high = r
		}
	default:
		v.b = utf8.AppendRune(v.b, r)
	}
	v.start = i + 6
	return 6
}

// surrogate reads a lone surrogate as a Literal holds it.
func surrogate(s string) (rune, bool) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2]&0xC0 == 0x80 {
		return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
	}
	return 0, false
}
