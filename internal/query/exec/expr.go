package exec

import (
	"math"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// evalFunc computes an expression for one row.
type evalFunc func(r *row.Row) row.Value

// expr makes the func of an expression whose fields are those of the step's rows.
func (b *builder) expr(e pipe.Expr) evalFunc {
	return (&exprCompiler{env: b.env, query: b.query, slot: b.slot}).compile(e)
}

// condition is an expression as a test: only true is true.
func (b *builder) condition(e pipe.Expr) func(*row.Row) bool {
	f := b.expr(e)
	return func(r *row.Row) bool { return truth(f(r)) == yes }
}

// exprCompiler turns expressions into funcs. slot finds fields.
type exprCompiler struct {
	env   *env
	query interface{ TimeField() string }
	slot  func(name string) int
	// element, when set, is the slot that stands for the value mvfilter looks at.
	element map[string]*row.Value
}

func (c *exprCompiler) compile(e pipe.Expr) evalFunc {
	switch e := e.(type) {
	case *pipe.Literal:
		v := literal(*e)
		return func(*row.Row) row.Value { return v }
	case *pipe.Ref:
		if v := c.element[e.Name]; v != nil {
			return func(*row.Row) row.Value { return *v }
		}
		slot := c.slot(e.Name)
		return func(r *row.Row) row.Value { return r.Get(slot) }
	case *pipe.Unary:
		x := c.compile(e.X)
		if e.Op == "NOT" {
			return func(r *row.Row) row.Value { return negate(truth(x(r))).value() }
		}
		return func(r *row.Row) row.Value { return c.arithmetic("-", row.NewInt(0), x(r)) }
	case *pipe.Binary:
		return c.binary(e)
	case *pipe.In:
		return c.in(e.X, e.List)
	case *pipe.Call:
		return c.call(e)
	}
	return func(*row.Row) row.Value { return row.Value{} }
}

// literal is the value of a constant.
func literal(l pipe.Literal) row.Value {
	switch l.Kind {
	case pipe.BoolLiteral:
		return row.NewBool(l.Text == "true")
	case pipe.NumberLiteral:
		v, _ := row.NewString(l.Text).Number()
		return v
	case pipe.StringLiteral:
		return row.NewString(l.Text)
	}
	return row.Value{}
}

func (c *exprCompiler) binary(e *pipe.Binary) evalFunc {
	x, y := c.compile(e.X), c.compile(e.Y)
	switch e.Op {
	case "AND":
		return func(r *row.Row) row.Value {
			a := truth(x(r))
			if a == no {
				return no.value()
			}
			return and(a, truth(y(r))).value()
		}
	case "OR":
		return func(r *row.Row) row.Value {
			a := truth(x(r))
			if a == yes {
				return yes.value()
			}
			return or(a, truth(y(r))).value()
		}
	case "=", "!=", "<", "<=", ">", ">=":
		test := comparisons[e.Op]
		return func(r *row.Row) row.Value { return compareAny(x(r), y(r), test).value() }
	case "LIKE":
		return c.like(e.X, e.Y)
	case ".":
		return func(r *row.Row) row.Value { return concat(x(r), y(r)) }
	}
	op := e.Op
	return func(r *row.Row) row.Value { return c.arithmetic(op, x(r), y(r)) }
}

// trilean is a truth that may be unknown.
type trilean int8

const (
	no trilean = iota
	unknown
	yes
)

func (t trilean) value() row.Value {
	if t == unknown {
		return row.Value{}
	}
	return row.NewBool(t == yes)
}

// truth is a value as a condition: null is unknown, a number is true unless it is 0, the string true
// is true; a list is true if a value of it is.
func truth(v row.Value) trilean {
	switch v.Kind() {
	case row.Null:
		return unknown
	case row.Bool:
		if v.Bool() {
			return yes
		}
		return no
	case row.Int, row.Float:
		if v.Float() != 0 {
			return yes
		}
		return no
	case row.String:
		if v.Str() == "true" {
			return yes
		}
		return no
	case row.List:
		best := no
		for _, e := range v.Values() {
			best = max(best, truth(e))
		}
		return best
	}
	return no
}

func negate(t trilean) trilean { return yes - t }
func and(a, b trilean) trilean { return min(a, b) }
func or(a, b trilean) trilean  { return max(a, b) }

var comparisons = map[string]func(order int) bool{
	"=":  func(o int) bool { return o == 0 },
	"!=": func(o int) bool { return o != 0 },
	"<":  func(o int) bool { return o < 0 },
	"<=": func(o int) bool { return o <= 0 },
	">":  func(o int) bool { return o > 0 },
	">=": func(o int) bool { return o >= 0 },
}

// compareAny tells whether any value of a and any of b stand in the relation. Null is unknown.
func compareAny(a, b row.Value, test func(int) bool) trilean {
	if a.Kind() != row.List && b.Kind() != row.List {
		o, ok := row.Compare(a, b)
		switch {
		case !ok:
			return unknown
		case test(o):
			return yes
		}
		return no
	}
	if a.IsNull() || b.IsNull() {
		return unknown
	}
	for _, x := range a.Values() {
		for _, y := range b.Values() {
			if o, ok := row.Compare(x, y); ok && test(o) {
				return yes
			}
		}
	}
	return no
}

func (c *exprCompiler) in(x pipe.Expr, list []pipe.Expr) evalFunc {
	left := c.compile(x)
	values := make([]evalFunc, len(list))
	for i, e := range list {
		values[i] = c.compile(e)
	}
	equal := comparisons["="]
	return func(r *row.Row) row.Value {
		v := left(r)
		result := no
		for _, f := range values {
			if result = or(result, compareAny(v, f(r), equal)); result == yes {
				break
			}
		}
		return result.value()
	}
}

// number is a value in arithmetic; a list of several is null with a warning.
func (c *exprCompiler) number(v row.Value) (row.Value, bool) {
	if v.Kind() == row.List && v.Len() > 1 {
		c.env.warn("arithmetic on a field with several values gives null: use mvindex, or stats by it")
		return row.Value{}, false
	}
	return v.Number()
}

// arithmetic computes a op b. What is no number gives null, except that + joins two strings of which
// one is no number; so does dividing by zero.
func (c *exprCompiler) arithmetic(op string, a, b row.Value) row.Value {
	x, okX := c.number(a)
	y, okY := c.number(b)
	if !okX || !okY {
		if op == "+" && a.Kind() == row.String && b.Kind() == row.String {
			return row.NewString(a.Str() + b.Str())
		}
		return row.Value{}
	}
	if x.Kind() == row.Int && y.Kind() == row.Int {
		if v, ok := integer(op, x.Int(), y.Int()); ok {
			return v
		}
	}
	p, q := x.Float(), y.Float()
	switch op {
	case "+":
		return row.NewFloat(p + q)
	case "-":
		return row.NewFloat(p - q)
	case "*":
		return row.NewFloat(p * q)
	case "/":
		return row.NewFloat(p / q)
	case "%":
		return row.NewFloat(math.Mod(p, q))
	}
	return row.Value{}
}

// integer computes on integers; not ok where the result is none or does not fit.
func integer(op string, x, y int64) (row.Value, bool) {
	switch op {
	case "+":
		s := x + y
		return row.NewInt(s), (s > x) == (y > 0)
	case "-":
		d := x - y
		return row.NewInt(d), (d < x) == (y > 0)
	case "*":
		if x == 0 || y == 0 {
			return row.NewInt(0), true
		}
		p := x * y
		return row.NewInt(p), p/y == x && !(x == -1 && y == math.MinInt64) && !(y == -1 && x == math.MinInt64)
	case "/":
		if y == 0 {
			return row.Value{}, true
		}
		return row.NewInt(x / y), x%y == 0 && !(y == -1 && x == math.MinInt64)
	case "%":
		if y == 0 {
			return row.Value{}, true
		}
		if y == -1 {
			return row.NewInt(0), true
		}
		return row.NewInt(x % y), true
	}
	return row.Value{}, false
}

// concat joins texts; null with anything is null.
func concat(vs ...row.Value) row.Value {
	n := 0
	for _, v := range vs {
		if v.IsNull() {
			return row.Value{}
		}
		n += len(v.Str())
	}
	b := make([]byte, 0, n+8)
	for _, v := range vs {
		b = append(b, v.Text()...)
	}
	return row.NewString(string(b))
}
