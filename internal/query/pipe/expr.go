package pipe

import "strings"

// Expr is an expression of eval and where.
type Expr interface {
	Span() Span
	String() string
	level() int
}

// The binding strength of operators, weakest first.
const (
	levelOr = iota + 1
	levelAnd
	levelNot
	levelCompare
	levelAdd
	levelMultiply
	levelUnary
	levelPrimary
)

// LiteralKind is what a Literal is.
type LiteralKind int

// The kinds of literals.
const (
	NullLiteral LiteralKind = iota
	BoolLiteral
	NumberLiteral
	StringLiteral
)

// Literal is a constant: Text is a string's text, a number as written, or true or false.
type Literal struct {
	Kind LiteralKind
	Text string
	At   Span
}

// Ref is the value of a field.
type Ref struct {
	Name string
	At   Span
}

// Call is a function applied to arguments.
type Call struct {
	Func   string // in lower case
	Args   []Expr
	At     Span
	NameAt Span
}

// Unary is - or NOT of an expression.
type Unary struct {
	Op string
	X  Expr
	At Span
}

// Binary is an operator between two expressions: OR AND = != < <= > >= LIKE + - . * / %.
type Binary struct {
	Op   string
	X, Y Expr
	OpAt Span
}

// In is X IN (List).
type In struct {
	X    Expr
	List []Expr
	At   Span
}

// Span is where the literal stands.
func (e *Literal) Span() Span { return e.At }

// Span is where the name stands.
func (e *Ref) Span() Span { return e.At }

// Span is where the call stands.
func (e *Call) Span() Span { return e.At }

// Span is where the expression stands.
func (e *Unary) Span() Span { return e.At }

// Span is where the expression stands.
func (e *Binary) Span() Span { return Span{e.X.Span().Pos, e.Y.Span().End} }

// Span is where the expression stands.
func (e *In) Span() Span { return e.At }

func (e *Literal) level() int { return levelPrimary }
func (e *Ref) level() int     { return levelPrimary }
func (e *Call) level() int    { return levelPrimary }
func (e *In) level() int      { return levelCompare }
func (e *Unary) level() int {
	if e.Op == "NOT" {
		return levelNot
	}
	return levelUnary
}
func (e *Binary) level() int { return binaryLevels[e.Op] }

var binaryLevels = map[string]int{
	"OR": levelOr, "AND": levelAnd, "=": levelCompare, "!=": levelCompare, "<": levelCompare,
	"<=": levelCompare, ">": levelCompare, ">=": levelCompare, "LIKE": levelCompare, "+": levelAdd, "-": levelAdd, ".": levelAdd,
	"*": levelMultiply, "/": levelMultiply, "%": levelMultiply,
}

func (e *Literal) String() string {
	switch e.Kind {
	case NullLiteral:
		return "null"
	case StringLiteral:
		return quote(e.Text)
	}
	return e.Text
}

func (e *Ref) String() string { return quoteName(e.Name, true) }

func (e *Call) String() string { return e.Func + "(" + list(e.Args) + ")" }

func (e *Unary) String() string {
	if e.Op == "NOT" {
		return "NOT " + inner(e.X, levelNot)
	}
	return e.Op + inner(e.X, levelUnary)
}

func (e *Binary) String() string {
	left, right := e.level(), e.level()+1
	if left == levelCompare {
		left = levelAdd
	}
	return inner(e.X, left) + " " + e.Op + " " + inner(e.Y, right)
}

func (e *In) String() string { return inner(e.X, levelAdd) + " IN (" + list(e.List) + ")" }

// inner prints e, in parentheses if it binds weaker than level.
func inner(e Expr, level int) string {
	if e.level() < level {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// Walk calls visit for e and every expression in it, outer ones first.
func Walk(e Expr, visit func(Expr)) {
	visit(e)
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			Walk(a, visit)
		}
	case *Unary:
		Walk(e.X, visit)
	case *Binary:
		Walk(e.X, visit)
		Walk(e.Y, visit)
	case *In:
		Walk(e.X, visit)
		for _, x := range e.List {
			Walk(x, visit)
		}
	}
}

// Refs are the names of the fields in an expression, each once, in order.
func Refs(e Expr) []string {
	var out []string
	seen := map[string]bool{}
	Walk(e, func(x Expr) {
		if r, ok := x.(*Ref); ok && !seen[r.Name] {
			seen[r.Name] = true
			out = append(out, r.Name)
		}
	})
	return out
}

// upper is s in upper case, for operators.
func upper(s string) string { return strings.ToUpper(s) }
