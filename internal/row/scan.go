package row

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a document may be nested.
const maxDepth = 512

// SyntaxError says where a document is not JSON.
type SyntaxError struct {
	Offset int // in bytes
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not JSON at byte %d: %s", e.Offset+1, e.Msg)
}

// scanner walks JSON text and checks all of it, also what is skipped.
type scanner struct {
	s     string
	i     int
	depth int
}

func (p *scanner) fail(msg string) error { return &SyntaxError{Offset: p.i, Msg: msg} }

func (p *scanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *scanner) unexpected(want string) error {
	if p.i >= len(p.s) {
		return p.fail("it ends where " + want + " should be")
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	return p.fail(fmt.Sprintf("%q where %s should be", r, want))
}

// str reads the string whose opening quote was just passed and moves past its closing quote.
func (p *scanner) str() (raw string, escaped bool, err error) {
	start := p.i
	s := p.s
	for i := p.i; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			p.i = i + 1
			return s[start:i], escaped, nil
		case c == '\\':
			escaped = true
			i++
			if i >= len(s) {
				break
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for k := 1; k <= 4; k++ {
					if i+k >= len(s) || !isHex(s[i+k]) {
						p.i = i
						return "", false, p.fail(`\u without four hexadecimal digits`)
					}
				}
				i += 4
			default:
				p.i = i
				return "", false, p.fail("an unknown escape in a string")
			}
		case c < 0x20:
			p.i = i
			return "", false, p.fail("a control character in a string")
		}
	}
	p.i = len(s)
	return "", false, p.fail("a string without its closing quote")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hex4(s string) rune {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape reads the escapes of a checked string; half a surrogate pair becomes U+FFFD.
func unescape(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					if both := utf16.DecodeRune(r, hex4(raw[i+3:])); both != utf8.RuneError {
						b.WriteRune(both)
						i += 6
						continue
					}
				}
				r = utf8.RuneError
			}
			b.WriteRune(r)
		default:
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

// number moves past a number and returns its literal.
func (p *scanner) number() (string, error) {
	s, start := p.s, p.i
	i := p.i
	if i < len(s) && s[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	zero := i < len(s) && s[i] == '0'
	from := i
	if !digits() || zero && i > from+1 {
		return "", p.fail("a number that is not written as JSON has it")
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return "", p.fail("a number without digits after its point")
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return "", p.fail("a number without digits in its exponent")
		}
	}
	p.i = i
	return s[start:i], nil
}

func (p *scanner) literal(word string) error {
	if !strings.HasPrefix(p.s[p.i:], word) {
		return p.unexpected("a value")
	}
	p.i += len(word)
	return nil
}

// skip moves past one value.
func (p *scanner) skip() error {
	if p.i >= len(p.s) {
		return p.unexpected("a value")
	}
	switch c := p.s[p.i]; c {
	case '"':
		p.i++
		_, _, err := p.str()
		return err
	case '{':
		return p.object(func(string, bool) error { return p.skip() })
	case '[':
		return p.array(p.skip)
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			_, err := p.number()
			return err
		}
	}
	return p.unexpected("a value")
}

// object walks the members of the object at i; each is called at the start of its value and must
// move past it.
func (p *scanner) object(each func(key string, escaped bool) error) error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(fmt.Sprintf("nested deeper than %d", maxDepth))
	}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		p.depth--
		return nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return p.unexpected("a quoted name")
		}
		p.i++
		key, escaped, err := p.str()
		if err != nil {
			return err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return p.unexpected("a colon")
		}
		p.i++
		p.space()
		if err := each(key, escaped); err != nil {
			return err
		}
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == '}' {
			p.i++
			p.depth--
			return nil
		}
		return p.unexpected("a comma or }")
	}
}

// array walks the elements of the array at i.
func (p *scanner) array(each func() error) error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(fmt.Sprintf("nested deeper than %d", maxDepth))
	}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		p.depth--
		return nil
	}
	for {
		p.space()
		if err := each(); err != nil {
			return err
		}
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == ']' {
			p.i++
			p.depth--
			return nil
		}
		return p.unexpected("a comma or ]")
	}
}
