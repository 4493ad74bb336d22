package pipe

// Where keeps the rows for which an expression is true.
type Where struct {
	Place
	Expr Expr
}

// Name is where.
func (w *Where) Name() string { return "where" }

func (w *Where) String() string { return "where " + w.Expr.String() }

func parseWhere(p *parser) Pipe { return &Where{Expr: p.expr()} }
