package pipe

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Rex reads fields out of a text by the named groups of a regular expression, or rewrites the text
// as sed does.
type Rex struct {
	Place
	Field    Field // empty name: message
	Pattern  string
	MaxMatch int // how many matches to read; 0 is all, more than 1 makes lists
	Sed      *SedScript
}

// SedScript is s/Pattern/With/Flags or y/From/To/.
type SedScript struct {
	Text     string
	Pattern  string
	With     string
	Global   bool
	Nth      int // replace only the n-th match and, with Global, those after it; 0 is the first
	Letters  bool
	From, To []rune
}

// Name is rex.
func (r *Rex) Name() string { return "rex" }

func (r *Rex) String() string {
	s := "rex"
	if r.Field.Name != "" {
		s += " field=" + quoteName(r.Field.Name, false)
	}
	if r.Sed != nil {
		return s + " mode=sed " + quote(r.Sed.Text)
	}
	if r.MaxMatch != 1 {
		s += " max_match=" + strconv.Itoa(r.MaxMatch)
	}
	return s + " " + quote(r.Pattern)
}

func parseRex(p *parser) Pipe {
	r := &Rex{MaxMatch: 1}
	sed := false
	options := map[string]func(){
		"field":     func() { r.Field = p.plainName("a field") },
		"max_match": func() { r.MaxMatch = p.integer("max_match", 0) },
		"mode": func() {
			p.oneOf("mode", "sed")
			sed = true
		},
	}
	p.options("rex", options)
	p.space()
	start := p.pos
	r.Pattern = p.quotedString("the regular expression")
	at := Span{start, p.pos}
	p.options("rex", options)
	if sed {
		if r.MaxMatch != 1 {
			p.fail(at, "", "max_match has no meaning with mode=sed")
		}
		r.Sed, r.Pattern = p.sed(r.Pattern, at), ""
		return r
	}
	re := p.regexp(r.Pattern, at)
	for _, n := range re.SubexpNames() {
		if n != "" {
			return r
		}
	}
	p.fail(at, `"user=(?<user>\w+)"`, "the regular expression has no named group")
	return nil
}

// regexp checks a regular expression and says what other engines have and this one has not.
func (p *parser) regexp(pattern string, at Span) *regexp.Regexp {
	re, err := regexp.Compile(pattern)
	if err == nil {
		return re
	}
	var se *syntax.Error
	msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	errors.As(err, &se)
	try := ""
	for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.Contains(pattern, look) {
			msg, try = look+" is not supported: regular expressions are RE2, which always takes linear time", "match both parts, or exclude with a second pipe"
		}
	}
	if se != nil && se.Code == syntax.ErrInvalidEscape && len(se.Expr) > 1 && se.Expr[1] >= '1' && se.Expr[1] <= '9' {
		msg, try = "a reference back to a group ("+se.Expr+") is not supported: regular expressions are RE2", "name two groups and compare them with where"
	}
	p.fail(at, try, "bad regular expression: %s", msg)
	return nil
}

// sed reads a script for mode=sed.
func (p *parser) sed(script string, at Span) *SedScript {
	s := &SedScript{Text: script}
	if len(script) < 4 || script[0] != 's' && script[0] != 'y' || script[1] == '\\' || script[1] >= 0x80 {
		p.fail(at, `"s/old/new/g"`, "a sed script is s/regex/replacement/flags or y/abc/xyz/")
	}
	parts := splitSed(script[2:], script[1])
	if len(parts) != 3 {
		p.fail(at, `"s/old/new/g"`, "the sed script needs its separator %q three times", string(script[1]))
	}
	if script[0] == 'y' {
		s.Letters, s.From, s.To = true, []rune(parts[0]), []rune(parts[1])
		if len(s.From) != len(s.To) || parts[2] != "" {
			p.fail(at, `"y/abc/xyz/"`, "y needs equally many letters on both sides and no flags")
		}
		return s
	}
	s.Pattern, s.With = parts[0], parts[1]
	p.regexp(s.Pattern, at)
	for flags := parts[2]; flags != ""; {
		switch n := strings.TrimLeft(flags, "0123456789"); {
		case flags[0] == 'g':
			s.Global = true
			flags = flags[1:]
		case len(n) < len(flags):
			s.Nth, _ = strconv.Atoi(flags[:len(flags)-len(n)])
			if s.Nth == 0 {
				p.fail(at, "", "the number of the match to replace is out of range")
			}
			flags = n
		default:
			p.fail(at, "g", "unknown sed flag %q", flags[:1])
		}
	}
	return s
}

// splitSed cuts at the separator where it is not escaped; an escaped one stands for itself.
func splitSed(s string, sep byte) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == sep:
			i++
			b.WriteByte(sep)
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] == sep:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(parts, b.String())
}
