package pipe

import "strings"

// Filter is a text of Kibana's query language in which subsearches may stand. Texts are the parts
// between the subsearches: one more than there are Subs.
type Filter struct {
	Texts []string
	Subs  []Subsearch
	At    Span
}

// Subsearch is a query in brackets. At includes them.
type Subsearch struct {
	Query *Query
	At    Span
}

// String prints the brackets and what is in them.
func (s Subsearch) String() string { return "[" + s.Query.String() + "]" }

// String prints the filter.
func (f Filter) String() string {
	return f.With(func(i int) string { return f.Subs[i].String() })
}

// With is the filter's text with something in place of each subsearch.
func (f Filter) With(sub func(i int) string) string {
	var b strings.Builder
	for i, t := range f.Texts {
		if i > 0 {
			b.WriteString(sub(i - 1))
		}
		b.WriteString(t)
	}
	return b.String()
}

// Empty reports whether the filter keeps everything because nothing is written.
func (f Filter) Empty() bool { return len(f.Subs) == 0 && (len(f.Texts) == 0 || f.Texts[0] == "") }

// filter reads up to the first | outside of quotes and subsearches; inside a subsearch also up to
// the ] that closes it. A [ opens a subsearch only where a sub-query may begin: at the start, after
// and, or, not, and after a ( that is not a list of values.
func (p *parser) filter(inBrackets bool) Filter {
	p.space()
	f := Filter{At: Span{Pos: p.pos}}
	from := p.pos // where the current text began
	begin := true // a sub-query may begin here
	colon := false
	var lists []bool // the open parentheses; true: a list of values
	inList := func() bool { return len(lists) > 0 && lists[len(lists)-1] }
	open := 0 // brackets that are text
scan:
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case isSpace(c):
			p.pos++
			if !begin && !inList() {
				begin = p.operator()
			}
			continue
		case c == '|':
			break scan
		case c == ']' && inBrackets && open == 0:
			break scan
		case c == '[' && begin && !inList():
			f.Texts = append(f.Texts, p.text[from:p.pos])
			f.Subs = append(f.Subs, p.subsearch())
			from = p.pos
			begin, colon = false, false
			continue
		case c == '\\' && p.pos+1 < len(p.text):
			p.pos += 2
			begin, colon = false, false
			continue
		case c == '"':
			p.pos = quoteEnd(p.text, p.pos)
			begin, colon = false, false
			continue
		case c == '(':
			lists = append(lists, colon || inList())
			begin, colon = !inList(), false
		case c == ')':
			if len(lists) > 0 {
				lists = lists[:len(lists)-1]
			}
			begin, colon = false, false
		case c == '[':
			open++
			begin, colon = false, false
		case c == ']':
			open = max(0, open-1)
			begin, colon = false, false
		case begin && p.notWord():
			p.pos += 3
			continue
		default:
			begin, colon = false, c == ':'
		}
		p.pos++
	}
	f.Texts = append(f.Texts, p.text[from:p.pos])
	f.Texts[0] = strings.TrimLeft(f.Texts[0], " \t\r\n")
	last := len(f.Texts) - 1
	f.Texts[last] = strings.TrimRight(f.Texts[last], " \t\r\n")
	f.At.End = p.pos
	for f.At.End > f.At.Pos && isSpace(p.text[f.At.End-1]) {
		f.At.End--
	}
	return f
}

// operator moves past `and`, `or` or `not` with spaces around it, the current place being just after a space.
func (p *parser) operator() bool {
	for _, w := range []string{"and", "or", "not"} {
		end := p.pos + len(w)
		if end < len(p.text) && strings.EqualFold(p.text[p.pos:end], w) && (isSpace(p.text[end]) || w == "not" && p.text[end] == '[') {
			p.pos = end
			return true
		}
	}
	return false
}

// notWord reports whether `not` and a space come next.
func (p *parser) notWord() bool {
	end := p.pos + 3
	return end < len(p.text) && strings.EqualFold(p.text[p.pos:end], "not") && isSpace(p.text[end])
}

// quoteEnd is the place after the quote that closes the one at i, or the end of the text.
func quoteEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
