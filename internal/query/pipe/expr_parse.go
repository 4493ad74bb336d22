package pipe

import (
	"strings"
	"unicode/utf8"
)

// expr reads an expression.
func (p *parser) expr() Expr {
	var out Expr
	p.nested(func() { out = p.or() })
	return out
}

// exprWord is the bare word of an expression at the current place.
func (p *parser) exprWord() string {
	p.space()
	return p.text[p.pos:scanExprName(p.text, p.pos)]
}

// exprKeyword moves past the word if it comes next, in any case.
func (p *parser) exprKeyword(word string) (Span, bool) {
	w := p.exprWord()
	if !strings.EqualFold(w, word) {
		return Span{}, false
	}
	at := Span{p.pos, p.pos + len(w)}
	p.pos = at.End
	return at, true
}

func (p *parser) or() Expr {
	x := p.and()
	for {
		at, ok := p.exprKeyword("or")
		if !ok {
			return x
		}
		x = &Binary{Op: "OR", X: x, Y: p.and(), OpAt: at}
	}
}

func (p *parser) and() Expr {
	x := p.not()
	for {
		at, ok := p.exprKeyword("and")
		if !ok {
			return x
		}
		x = &Binary{Op: "AND", X: x, Y: p.not(), OpAt: at}
	}
}

func (p *parser) not() Expr {
	p.space()
	if at, ok := p.exprKeyword("not"); ok {
		var x Expr
		p.nested(func() { x = p.not() })
		return &Unary{Op: "NOT", X: x, At: Span{at.Pos, x.Span().End}}
	}
	return p.compare()
}

func (p *parser) compare() Expr {
	x := p.add()
	p.space()
	start := p.pos
	if op := p.compareOp(); op != "" {
		at := Span{start, p.pos}
		out := &Binary{Op: op, X: x, Y: p.add(), OpAt: at}
		p.space()
		again := p.pos
		if op := p.compareOp(); op != "" {
			p.fail(Span{again, p.pos}, "a < b AND b < c", "comparisons do not chain: join them with AND")
		}
		return out
	}
	negate, negated := p.exprKeyword("not")
	if _, ok := p.exprKeyword("in"); ok {
		out := &In{X: x, List: p.args("IN")}
		out.At = Span{x.Span().Pos, p.pos}
		x = out
	} else if at, ok := p.exprKeyword("like"); ok {
		x = &Binary{Op: "LIKE", X: x, Y: p.add(), OpAt: at}
	} else if negated {
		p.failHere("", "after NOT comes IN or LIKE here; found %s", p.found())
	}
	if negated {
		x = &Unary{Op: "NOT", X: x, At: Span{negate.Pos, x.Span().End}}
	}
	return x
}

// compareOp moves past a comparison and returns it in its plain form.
func (p *parser) compareOp() string {
	for _, op := range []string{"==", "!=", "<>", "<=", ">=", "=", "<", ">"} {
		if strings.HasPrefix(p.text[p.pos:], op) {
			p.pos += len(op)
			switch op {
			case "==":
				return "="
			case "<>":
				return "!="
			}
			return op
		}
	}
	return ""
}

func (p *parser) add() Expr {
	x := p.multiply()
	for {
		c := p.peek()
		at := Span{p.pos, p.pos + 1}
		switch {
		case p.pos >= len(p.text):
			return x
		case c == '+' || c == '-':
			p.pos++
			x = &Binary{Op: string(c), X: x, Y: p.multiply(), OpAt: at}
		case c == '.':
			p.pos++
			if !isSpace(p.text[at.Pos-1]) || p.pos < len(p.text) && !isSpace(p.text[p.pos]) {
				p.fail(at, "concat(a, b)", "a dot that joins text needs a space on both sides")
			}
			y := p.multiply()
			_, left := x.(*Ref)
			_, right := y.(*Ref)
			if left && right {
				p.fail(at, "concat("+x.String()+", "+y.String()+") to join them, "+x.String()+"."+y.String()+" for the field",
					"between two names a dot is a path, not a join")
			}
			x = &Binary{Op: ".", X: x, Y: y, OpAt: at}
		default:
			return x
		}
	}
}

func (p *parser) multiply() Expr {
	x := p.unary()
	for {
		c := p.peek()
		if p.pos >= len(p.text) || c != '*' && c != '/' && c != '%' {
			return x
		}
		at := Span{p.pos, p.pos + 1}
		p.pos++
		x = &Binary{Op: string(c), X: x, Y: p.unary(), OpAt: at}
	}
}

func (p *parser) unary() Expr {
	if p.peek() == '-' {
		start := p.pos
		p.pos++
		var x Expr
		p.nested(func() { x = p.unary() })
		return &Unary{Op: "-", X: x, At: Span{start, x.Span().End}}
	}
	if p.peek() == '+' {
		p.pos++
		var x Expr
		p.nested(func() { x = p.unary() })
		return x
	}
	return p.primary()
}

func (p *parser) primary() Expr {
	c := p.peek()
	start := p.pos
	switch {
	case p.pos >= len(p.text):
		p.failHere("", "an expression is missing at the end of the query")
	case c == '(':
		p.pos++
		x := p.expr()
		p.want(')', "to close the parenthesis")
		return x
	case c == '"':
		s := p.quoted()
		return &Literal{Kind: StringLiteral, Text: s, At: Span{start, p.pos}}
	case c == '\'' || c == '`':
		n := p.quoted()
		if n == "" {
			p.fail(Span{start, p.pos}, "", "an empty name names no field")
		}
		return &Ref{Name: n, At: Span{start, p.pos}}
	case c >= '0' && c <= '9', c == '.' && p.pos+1 < len(p.text) && p.text[p.pos+1] >= '0' && p.text[p.pos+1] <= '9':
		return p.numberLiteral()
	}
	w := p.exprWord()
	if w == "" {
		p.failHere("", "an expression is missing; found %s", p.found())
	}
	p.pos += len(w)
	at := Span{start, p.pos}
	if p.pos < len(p.text) && p.peek() == '(' && !strings.Contains(w, ".") {
		return p.call(w, at)
	}
	p.pos = at.End
	switch strings.ToLower(w) {
	case "true", "false":
		return &Literal{Kind: BoolLiteral, Text: strings.ToLower(w), At: at}
	case "null":
		return &Literal{Kind: NullLiteral, At: at}
	case "and", "or", "not", "in", "like":
		p.fail(at, "`"+w+"` for a field of this name", "an expression is missing before %s", upper(w))
	}
	return &Ref{Name: w, At: at}
}

// numberLiteral reads digits, a fraction and an exponent.
func (p *parser) numberLiteral() Expr {
	start, i, s := p.pos, p.pos, p.text
	digits := func() int {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i - from
	}
	digits()
	if i+1 < len(s) && s[i] == '.' && s[i+1] >= '0' && s[i+1] <= '9' {
		i++
		digits()
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		back := i
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if digits() == 0 {
			i = back
		}
	}
	p.pos = i
	if r, _ := utf8.DecodeRuneInString(s[i:]); i < len(s) && (nameByte(s[i]) || r >= utf8.RuneSelf) {
		end := scanListName(s, i)
		if d, ok := ParseDuration(s[start:end]); ok {
			seconds, _ := d.Fixed()
			p.fail(Span{start, end}, "", "a duration is no number: write it in seconds (%s is %v)", d, seconds.Seconds())
		}
		p.fail(Span{start, end}, "`"+s[start:end]+"` for a field of this name", "%q is no number", s[start:end])
	}
	return &Literal{Kind: NumberLiteral, Text: s[start:i], At: Span{start, i}}
}

// args reads expressions in parentheses.
func (p *parser) args(what string) []Expr {
	p.want('(', "after "+what)
	var out []Expr
	if p.take(')') {
		if what == "IN" {
			p.fail(Span{p.pos - 1, p.pos}, "", "IN needs a value in its parentheses")
		}
		return nil
	}
	for {
		out = append(out, p.expr())
		if p.take(')') {
			return out
		}
		if !p.take(',') {
			p.failHere("", "a comma or ) is missing in %s; found %s", what, p.found())
		}
	}
}

func (p *parser) call(name string, at Span) Expr {
	lower := strings.ToLower(name)
	if canonical, ok := functionAliases[lower]; ok {
		lower = canonical
	}
	f, ok := functions[lower]
	if !ok {
		p.fail(at, Nearest(lower, FunctionNames()), "unknown function %q", name)
	}
	out := &Call{Func: lower, NameAt: at}
	out.Args = p.args(lower)
	out.At = Span{at.Pos, p.pos}
	if n := len(out.Args); n < f.least || f.most >= 0 && n > f.most || f.even && n%2 != 0 {
		p.fail(out.At, f.usage, "%s takes %s, not %d", lower, f.takes(), n)
	}
	return out
}
