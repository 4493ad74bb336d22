package kql

import (
	"strings"
	"unicode/utf8"
)

// parser reads a query in one pass. Kibana's grammar has ordered alternatives, but each of them is
// decided by what follows the field name, so that nothing has to be read twice: once a parenthesis,
// brace, colon, comparison or keyword was taken, a failure behind it fails the whole query. What the
// alternatives expected is noted by expect, and the rightmost place with all its expectations is what
// a parsing expression grammar reports.
type parser struct {
	text  string
	at    int
	depth int

	furthest int
	expected expectation
	tooDeep  bool
}

func (p *parser) query() (Node, error) {
	p.spaces()
	if p.at == len(p.text) {
		return MatchAll(), nil
	}
	start := p.at
	n, ok := p.or()
	if !ok {
		p.expect(start, expectEnd)
		return nil, p.failure()
	}
	p.spaces()
	if p.at < len(p.text) {
		p.expect(p.at, expectEnd)
		return nil, p.failure()
	}
	return n, nil
}

func (p *parser) expect(at int, e expectation) {
	if at > p.furthest {
		p.furthest, p.expected = at, 0
	}
	if at == p.furthest {
		p.expected |= e
	}
}

func (p *parser) or() (Node, bool) {
	n, ok := p.and()
	if !ok || !p.joined("or", expectOr) {
		return n, ok
	}
	nodes := []Node{n}
	for {
		if n, ok = p.and(); !ok {
			return nil, false
		}
		nodes = append(nodes, n)
		if !p.joined("or", expectOr) {
			return &Or{Nodes: nodes, Place: around(nodes)}, true
		}
	}
}

func (p *parser) and() (Node, bool) {
	n, ok := p.not()
	if !ok || !p.joined("and", expectAnd) {
		return n, ok
	}
	nodes := []Node{n}
	for {
		if n, ok = p.not(); !ok {
			return nil, false
		}
		nodes = append(nodes, n)
		if !p.joined("and", expectAnd) {
			return &And{Nodes: nodes, Place: around(nodes)}, true
		}
	}
}

func around(nodes []Node) Span {
	return Span{nodes[0].Span().Start, nodes[len(nodes)-1].Span().End}
}

func (p *parser) not() (Node, bool) {
	start := p.at
	if !p.negated() {
		return p.group()
	}
	n, ok := p.group()
	if !ok {
		return nil, false
	}
	return &Not{Node: n, Place: Span{start, p.last()}}, true
}

func (p *parser) group() (Node, bool) {
	if !p.take('(', expectOpen) {
		return p.expression()
	}
	if !p.enter() {
		return nil, false
	}
	n, ok := p.or()
	if !ok || !p.leave(')', expectClose) {
		return nil, false
	}
	return n, true
}

// enter goes one level deeper, after an opening bracket and the space behind it.
func (p *parser) enter() bool {
	if p.depth++; p.depth > MaxDepth {
		p.tooDeep = true
		p.furthest = p.at - 1
		return false
	}
	p.spaces()
	return true
}

func (p *parser) leave(bracket byte, e expectation) bool {
	p.depth--
	p.spaces()
	return p.take(bracket, e)
}

// expression reads path:{query}, field < value, field:value or a value alone.
func (p *parser) expression() (Node, bool) {
	start := p.at
	field, ok := p.literal()
	if !ok {
		p.expect(start, expectField|expectValue)
		return nil, false
	}
	end := p.at
	p.spaces()
	if op, ok := p.comparison(); ok {
		p.spaces()
		value, ok := p.literal()
		if !ok {
			p.expect(p.at, expectLiteral)
			return nil, false
		}
		return &Range{Field: field, Op: op, Value: value, Place: Span{start, value.Span().End}}, true
	}
	if !p.take(':', expectColon) {
		p.at = end
		return &Is{Field: &Literal{Kind: Null}, Value: field, Place: field.Span()}, true
	}
	p.spaces()
	if !p.take('{', expectOpenBrace) {
		return p.values(field, start)
	}
	if !p.enter() {
		return nil, false
	}
	n, ok := p.or()
	if !ok || !p.leave('}', expectCloseBrace) {
		return nil, false
	}
	return &Nested{Path: field, Query: n, Place: Span{start, p.at}}, true
}

// values reads what may follow field: a value, or in parentheses values joined by and, or and not.
// Start is where the node of a value begins: at the field for the only value, else at the value.
func (p *parser) values(field Term, start int) (Node, bool) {
	if p.take('(', expectOpen) {
		if !p.enter() {
			return nil, false
		}
		n, ok := p.valuesOr(field)
		if !ok || !p.leave(')', expectClose) {
			return nil, false
		}
		return n, true
	}
	value, ok := p.literal()
	if !ok {
		p.expect(p.at, expectValue)
		return nil, false
	}
	if start < 0 {
		start = value.Span().Start
	}
	return &Is{Field: field, Value: value, Place: Span{start, value.Span().End}}, true
}

func (p *parser) valuesOr(field Term) (Node, bool) {
	n, ok := p.valuesAnd(field)
	if !ok || !p.joined("or", expectOr) {
		return n, ok
	}
	nodes := []Node{n}
	for {
		if n, ok = p.valuesAnd(field); !ok {
			return nil, false
		}
		nodes = append(nodes, n)
		if !p.joined("or", expectOr) {
			return &Or{Nodes: nodes, Place: around(nodes)}, true
		}
	}
}

func (p *parser) valuesAnd(field Term) (Node, bool) {
	n, ok := p.valuesNot(field)
	if !ok || !p.joined("and", expectAnd) {
		return n, ok
	}
	nodes := []Node{n}
	for {
		if n, ok = p.valuesNot(field); !ok {
			return nil, false
		}
		nodes = append(nodes, n)
		if !p.joined("and", expectAnd) {
			return &And{Nodes: nodes, Place: around(nodes)}, true
		}
	}
}

func (p *parser) valuesNot(field Term) (Node, bool) {
	start := p.at
	if !p.negated() {
		return p.values(field, -1)
	}
	n, ok := p.values(field, -1)
	if !ok {
		return nil, false
	}
	return &Not{Node: n, Place: Span{start, p.last()}}, true
}

func (p *parser) take(c byte, e expectation) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	p.expect(p.at, e)
	return false
}

func (p *parser) comparison() (Op, bool) {
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "<="):
		p.at += 2
		return LTE, true
	case strings.HasPrefix(rest, ">="):
		p.at += 2
		return GTE, true
	case strings.HasPrefix(rest, "<"):
		p.at++
		return LT, true
	case strings.HasPrefix(rest, ">"):
		p.at++
		return GT, true
	}
	p.expect(p.at, expectLess|expectLessEqual|expectGreater|expectGreaterEqual)
	return "", false
}

// joined takes the keyword with the space that must stand on both sides of it.
func (p *parser) joined(keyword string, e expectation) bool {
	i := p.at
	for n := p.space(i); n > 0; n = p.space(i) {
		i += n
	}
	if i > p.at && p.word(i, keyword) {
		j := i + len(keyword)
		for n := p.space(j); n > 0; n = p.space(j) {
			j += n
		}
		if j > i+len(keyword) {
			p.at = j
			return true
		}
	}
	p.expect(p.at, e)
	return false
}

// negated takes "not" with the space that must follow it.
func (p *parser) negated() bool {
	if p.word(p.at, "not") && p.space(p.at+3) > 0 {
		p.at += 3
		for n := p.space(p.at); n > 0; n = p.space(p.at) {
			p.at += n
		}
		return true
	}
	p.expect(p.at, expectNot)
	return false
}

func (p *parser) spaces() {
	for n := p.space(p.at); n > 0; n = p.space(p.at) {
		p.at += n
	}
	p.expect(p.at, expectSpace)
}

// space is how many bytes of white space begin at i: a space, tab, line feed, carriage return or
// no-break space; nothing else counts.
func (p *parser) space(i int) int {
	if i < len(p.text) {
		switch p.text[i] {
		case ' ', '\t', '\n', '\r':
			return 1
		case 0xC2:
			if i+1 < len(p.text) && p.text[i+1] == 0xA0 {
				return 2
			}
		}
	}
	return 0
}

// word reports whether the lower-case keyword stands at i, in any case.
func (p *parser) word(i int, keyword string) bool {
	if len(p.text)-i < len(keyword) {
		return false
	}
	for k := range len(keyword) {
		if p.text[i+k]|0x20 != keyword[k] {
			return false
		}
	}
	return true
}

// last is the end of what was read, without the space a literal ended in.
func (p *parser) last() int {
	i := p.at
	for i > 0 {
		r, n := utf8.DecodeLastRuneInString(p.text[:i])
		if !trimmed(r) {
			break
		}
		i -= n
	}
	return i
}
