package pipe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNesting is how deep brackets and parentheses may stand in each other.
const maxNesting = 100

// parser reads one text from left to right. Its methods report mistakes by panic(bail) after noting
// them, so that the grammar reads as a grammar; Parse and each pipe catch it.
type parser struct {
	text  string
	pos   int
	depth int
	errs  Errors
}

type bail struct{}

func (p *parser) fail(at Span, try, format string, args ...any) {
	p.errs = append(p.errs, &Error{Query: p.text, At: at, Msg: fmt.Sprintf(format, args...), Try: try})
	panic(bail{})
}

// failHere reports what stands at the current place.
func (p *parser) failHere(try, format string, args ...any) {
	p.fail(p.here(), try, format, args...)
}

// here is the span of the word or character at the current place.
func (p *parser) here() Span {
	end := scanListName(p.text, p.pos)
	if end == p.pos && p.pos < len(p.text) {
		_, n := utf8.DecodeRuneInString(p.text[p.pos:])
		end += n
	}
	return Span{p.pos, end}
}

// found names what stands at the current place.
func (p *parser) found() string {
	if p.pos >= len(p.text) {
		return "the end of the query"
	}
	s := p.here()
	return strconv.Quote(p.text[s.Pos:s.End])
}

func (p *parser) space() {
	for p.pos < len(p.text) && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// peek is the next byte after spaces, 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// take moves past c if it comes next.
func (p *parser) take(c byte) bool {
	if p.peek() == c && p.pos < len(p.text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) want(c byte, what string) {
	if !p.take(c) {
		p.failHere("", "%q is missing %s; found %s", string(c), what, p.found())
	}
}

// atEnd reports whether the pipe ends here.
func (p *parser) atEnd() bool {
	c := p.peek()
	return p.pos >= len(p.text) || c == '|' || c == ']'
}

// scanExprName is the end of the bare name that begins at i: letters, digits, _ @ and dots between them.
func scanExprName(s string, i int) int {
	start := i
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '_' || r == '@' || unicode.IsLetter(r):
		case unicode.IsDigit(r) && i > start:
		case r == '.' && i > start && i+1 < len(s) && s[i-1] != '.' && nameByte(s[i+1]):
		default:
			return i
		}
		i += n
	}
	return i
}

func nameByte(c byte) bool {
	return c == '_' || c == '@' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// scanListName is the end of the bare name in a list that begins at i: as in expressions, and also
// digits in front and - * # $ / anywhere.
func scanListName(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_@.-*#$/", r) {
			return i
		}
		i += n
	}
	return i
}

// word is the bare word at the current place, "" if there is none. It does not move.
func (p *parser) word() string {
	p.space()
	return p.text[p.pos:scanListName(p.text, p.pos)]
}

// keyword moves past one of the words, in any case, and returns it in lower case; "" if none is next.
func (p *parser) keyword(words ...string) string {
	w := p.word()
	for _, k := range words {
		if strings.EqualFold(w, k) {
			p.pos += len(w)
			return k
		}
	}
	return ""
}

// isKeyword reports whether one of the words comes next.
func (p *parser) isKeyword(words ...string) bool {
	w := p.word()
	for _, k := range words {
		if strings.EqualFold(w, k) {
			return true
		}
	}
	return false
}

// optionNext reports whether a word and a single = come next, and returns the word.
func (p *parser) optionNext() (string, bool) {
	w := p.word()
	i := p.pos + len(w)
	for i < len(p.text) && isSpace(p.text[i]) {
		i++
	}
	if w == "" || i >= len(p.text) || p.text[i] != '=' || i+1 < len(p.text) && p.text[i+1] == '=' {
		return "", false
	}
	return w, true
}

// options reads name=value pairs for as long as they come. Each name's func reads the value.
func (p *parser) options(command string, known map[string]func()) {
	for {
		w, ok := p.optionNext()
		if !ok {
			return
		}
		read, ok := known[strings.ToLower(w)]
		if !ok {
			var names []string
			for k := range known {
				names = append(names, k)
			}
			sortStrings(names)
			try := Nearest(w, names)
			if try == "" && len(names) > 0 {
				try = strings.Join(names, ", ")
			}
			if len(names) == 0 {
				p.failHere("", "%s has no options; found %q", command, w+"=")
			}
			p.failHere(try, "%s has no option %q", command, w)
		}
		p.pos += len(w)
		p.want('=', "after the option")
		p.space()
		read()
	}
}

// quoted reads a string in the quotes at the current place; only the quote itself and the backslash
// can be escaped.
func (p *parser) quoted() string {
	q, start := p.text[p.pos], p.pos
	var b strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == q || p.text[i+1] == '\\'):
			i++
			b.WriteByte(p.text[i])
		case c == q:
			p.pos = i + 1
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	p.fail(Span{start, start + 1}, "", "this quote is never closed")
	return ""
}

// name reads one field name of a list.
func (p *parser) name(what string) Field {
	c := p.peek()
	start := p.pos
	if p.pos < len(p.text) && (c == '"' || c == '\'' || c == '`') {
		n := p.quoted()
		if n == "" {
			p.fail(Span{start, p.pos}, "", "an empty name names no field")
		}
		return Field{Name: n, At: Span{start, p.pos}}
	}
	w := p.word()
	if w == "" {
		p.failHere("", "%s is missing; found %s", what, p.found())
	}
	p.pos += len(w)
	return Field{Name: w, Wild: strings.Contains(w, "*"), At: Span{start, p.pos}}
}

// plainName reads one field name that must not hold a wildcard.
func (p *parser) plainName(what string) Field {
	f := p.name(what)
	if f.Wild {
		p.fail(f.At, "", "a wildcard cannot stand here: name one field")
	}
	return f
}

// alias reads the name after `as`: any word, or quoted.
func (p *parser) alias() string { return p.plainName("a name after as").Name }

// fields reads field names with commas or spaces between them, up to the end of the pipe, an option,
// a bracket or one of the stop words.
func (p *parser) fields(read func(string) Field, stop ...string) []Field {
	var out []Field
	comma := false
	for {
		c := p.peek()
		if c == ',' {
			if len(out) == 0 || comma {
				p.failHere("", "a field is missing before this comma")
			}
			p.pos++
			comma = true
			continue
		}
		ends := p.atEnd() || c == '[' || c == '(' || c == ')' || c == '='
		if !ends && c != '"' && c != '\'' && c != '`' {
			_, option := p.optionNext()
			ends = option || p.isKeyword(stop...)
		}
		if ends {
			if comma {
				p.failHere("", "a field is missing after the comma; found %s", p.found())
			}
			return out
		}
		out = append(out, read("a field"))
		comma = false
	}
}

// someFields is fields, and at least one of them.
func (p *parser) someFields(command string, read func(string) Field, stop ...string) []Field {
	out := p.fields(read, stop...)
	if len(out) == 0 {
		p.failHere("", "%s needs a field; found %s", command, p.found())
	}
	return out
}

// end demands that the pipe ends here.
func (p *parser) end(command string) {
	if !p.atEnd() {
		if w, ok := p.optionNext(); ok {
			p.failHere("", "%s has no option %q here", command, w)
		}
		p.failHere("", "%s is not expected here in %s", p.found(), command)
	}
}

// integer reads a whole number of at least least.
func (p *parser) integer(what string, least int) int {
	p.space()
	w := p.word()
	n, err := strconv.Atoi(w)
	if err != nil || n < least || n > math.MaxInt32 {
		p.failHere("", "%s must be a whole number of at least %d; found %s", what, least, p.found())
	}
	p.pos += len(w)
	return n
}

// boolean reads true, false, t, f, 1 or 0.
func (p *parser) boolean(what string) bool {
	switch w := p.word(); strings.ToLower(w) {
	case "true", "t", "1", "yes":
		p.pos += len(w)
		return true
	case "false", "f", "0", "no":
		p.pos += len(w)
		return false
	}
	p.failHere("true, false", "%s must be true or false; found %s", what, p.found())
	return false
}

// str reads a quoted string, or a bare word up to a space, comma or bracket.
func (p *parser) str(what string) string {
	if c := p.peek(); p.pos < len(p.text) && (c == '"' || c == '\'' || c == '`') {
		return p.quoted()
	}
	i := p.pos
	for i < len(p.text) && !isSpace(p.text[i]) && !strings.ContainsRune(",|[]()\"", rune(p.text[i])) {
		i++
	}
	if i == p.pos {
		p.failHere("", "%s is missing; found %s", what, p.found())
	}
	s := p.text[p.pos:i]
	p.pos = i
	return s
}

// quotedString reads a string that must stand in double quotes.
func (p *parser) quotedString(what string) string {
	if p.peek() != '"' {
		p.failHere("", "%s must stand in double quotes; found %s", what, p.found())
	}
	return p.quoted()
}

// oneOf reads one of these words.
func (p *parser) oneOf(what string, words ...string) string {
	if k := p.keyword(words...); k != "" {
		return k
	}
	try := Nearest(p.word(), words)
	if try == "" {
		try = strings.Join(words, ", ")
	}
	p.failHere(try, "%s must be one of %s; found %s", what, strings.Join(words, ", "), p.found())
	return ""
}

// nested runs f one level deeper.
func (p *parser) nested(f func()) {
	if p.depth++; p.depth > maxNesting {
		p.failHere("", "nested deeper than %d", maxNesting)
	}
	f()
	p.depth--
}
