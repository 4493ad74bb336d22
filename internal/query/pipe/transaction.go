package pipe

import "strconv"

// Transaction merges events that belong together into one row.
type Transaction struct {
	Place
	Fields      []Field
	MaxSpan     Duration
	MaxPause    Duration
	MaxEvents   int
	StartsWith  *Condition
	EndsWith    *Condition
	KeepEvicted bool // keep transactions that were never closed by EndsWith
}

// Condition is a filter or an expression on one event.
type Condition struct {
	Filter *Filter
	Expr   Expr
}

func (c *Condition) String() string {
	if c.Expr != nil {
		return "eval(" + c.Expr.String() + ")"
	}
	return quote(c.Filter.String())
}

// Name is transaction.
func (t *Transaction) Name() string { return "transaction" }

func (t *Transaction) String() string {
	s := "transaction"
	if t.Fields != nil {
		s += " " + list(t.Fields)
	}
	if !t.MaxSpan.IsZero() {
		s += " maxspan=" + t.MaxSpan.String()
	}
	if !t.MaxPause.IsZero() {
		s += " maxpause=" + t.MaxPause.String()
	}
	if t.MaxEvents > 0 {
		s += " maxevents=" + strconv.Itoa(t.MaxEvents)
	}
	if t.StartsWith != nil {
		s += " startswith=" + t.StartsWith.String()
	}
	if t.EndsWith != nil {
		s += " endswith=" + t.EndsWith.String()
	}
	if t.KeepEvicted {
		s += " keepevicted=true"
	}
	return s
}

func parseTransaction(p *parser) Pipe {
	t := &Transaction{}
	options := map[string]func(){
		"maxspan":     func() { t.MaxSpan = p.duration("maxspan") },
		"maxpause":    func() { t.MaxPause = p.duration("maxpause") },
		"maxevents":   func() { t.MaxEvents = p.integer("maxevents", 1) },
		"startswith":  func() { t.StartsWith = p.condition("startswith") },
		"endswith":    func() { t.EndsWith = p.condition("endswith") },
		"keepevicted": func() { t.KeepEvicted = p.boolean("keepevicted") },
	}
	p.options("transaction", options)
	t.Fields = p.fields(p.plainName)
	p.options("transaction", options)
	if t.Fields == nil && t.MaxSpan.IsZero() && t.MaxPause.IsZero() && t.StartsWith == nil && t.EndsWith == nil && t.MaxEvents == 0 {
		p.failHere("transaction user.name maxspan=5m", "transaction needs a field or a limit")
	}
	return t
}

// condition reads eval(expression), a quoted filter, or a filter in parentheses.
func (p *parser) condition(what string) *Condition {
	if p.isKeyword("eval") && p.evalNext() {
		p.keyword("eval")
		p.want('(', "after eval")
		e := p.expr()
		p.want(')', "to close eval")
		return &Condition{Expr: e}
	}
	start := p.pos
	text := ""
	switch p.peek() {
	case '"':
		text = p.quoted()
		start++
	case '(':
		text = p.parenthesized(what)
		start++
	default:
		text = p.str("a filter for " + what)
	}
	if text == "" {
		p.fail(Span{start, p.pos}, "", "%s needs a filter", what)
	}
	return &Condition{Filter: &Filter{Texts: []string{text}, At: Span{start, start + len(text)}}}
}

// parenthesized is the text up to the parenthesis that closes the one here.
func (p *parser) parenthesized(what string) string {
	start, open := p.pos, 0
	for i := p.pos; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
		case '"':
			i = quoteEnd(p.text, i) - 1
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				p.pos = i + 1
				return p.text[start+1 : i]
			}
		}
	}
	p.fail(Span{start, start + 1}, "", "this parenthesis of %s is never closed", what)
	return ""
}
