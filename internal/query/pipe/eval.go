package pipe

// Eval sets fields to expressions, left to right.
type Eval struct {
	Place
	Sets []Set
}

// Set is one field and what it becomes.
type Set struct {
	Field Field
	Expr  Expr
}

func (s Set) String() string { return s.Field.String() + " = " + s.Expr.String() }

// Name is eval.
func (e *Eval) Name() string { return "eval" }

func (e *Eval) String() string { return "eval " + list(e.Sets) }

func parseEval(p *parser) Pipe {
	e := &Eval{}
	for {
		f := p.plainName("a field to set")
		p.want('=', "after the field to set")
		e.Sets = append(e.Sets, Set{f, p.expr()})
		if !p.take(',') {
			return e
		}
	}
}
