package kql

import "strings"

// Node is a tree or a part of one: *Is, *Range, *Nested, *And, *Or or *Not. Trees are not changed once
// they are made and may be shared.
type Node interface {
	// Span is the node's place in the text it was read from; of a node that was built it is empty.
	Span() Span
	node()
}

// Term is a field name or a value: *Literal or *Wildcard.
type Term interface {
	// Span is the term's place in the text it was read from, without the space around it.
	Span() Span
	term()
}

// Span is a part of a query's text, in bytes; End is after its last byte.
type Span struct{ Start, End int }

// Is is field:value, or with a null field a value that any field may have.
type Is struct {
	Field, Value Term
	Place        Span
}

// Range is field < value and the like.
type Range struct {
	Field Term
	Op    Op
	Value Term
	Place Span
}

// Nested is path:{query}, whose field names are below path.
type Nested struct {
	Path  Term
	Query Node
	Place Span
}

// And holds two or more nodes that must all match.
type And struct {
	Nodes []Node
	Place Span
}

// Or holds two or more nodes of which one must match.
type Or struct {
	Nodes []Node
	Place Span
}

// Not matches what its node does not.
type Not struct {
	Node  Node
	Place Span
}

// Op is a comparison, by Elasticsearch's name.
type Op string

// The comparisons.
const (
	LT  Op = "lt"
	LTE Op = "lte"
	GT  Op = "gt"
	GTE Op = "gte"
)

// Symbol is the comparison as it is written.
func (o Op) Symbol() string {
	switch o {
	case LT:
		return "<"
	case LTE:
		return "<="
	case GT:
		return ">"
	}
	return ">="
}

// LiteralKind is what a Literal holds.
type LiteralKind uint8

// The kinds of literals. Numbers are strings, as in Kibana.
const (
	String LiteralKind = iota
	Null
	True
	False
)

// Literal is a plain field name or value. Text is set for a String only. A lone surrogate, which only
// an escape can make, is held as the three bytes that UTF-8 would give it.
type Literal struct {
	Kind   LiteralKind
	Text   string
	Quoted bool
	Place  Span
}

// Wildcard is a field name or value with at least one unquoted star, each of them a WildcardMark.
type Wildcard struct {
	Value string
	Place Span
}

func (n *Is) Span() Span       { return n.Place }
func (n *Range) Span() Span    { return n.Place }
func (n *Nested) Span() Span   { return n.Place }
func (n *And) Span() Span      { return n.Place }
func (n *Or) Span() Span       { return n.Place }
func (n *Not) Span() Span      { return n.Place }
func (t *Literal) Span() Span  { return t.Place }
func (t *Wildcard) Span() Span { return t.Place }

func (*Is) node()     {}
func (*Range) node()  {}
func (*Nested) node() {}
func (*And) node()    {}
func (*Or) node()     {}
func (*Not) node()    {}

func (*Literal) term()  {}
func (*Wildcard) term() {}

// Name is the literal as a field name: null, true and false are names too.
func (t *Literal) Name() string {
	switch t.Kind {
	case Null:
		return "null"
	case True:
		return "true"
	case False:
		return "false"
	}
	return t.Text
}

// Lone reports whether the wildcard is a single star.
func (t *Wildcard) Lone() bool { return t.Value == WildcardMark }

// Parts are the texts between the stars; there is one more of them than there are stars.
func (t *Wildcard) Parts() []string { return strings.Split(t.Value, WildcardMark) }

// Star is the wildcard with its marks written as stars.
func (t *Wildcard) Star() string { return strings.ReplaceAll(t.Value, WildcardMark, "*") }

// MatchAll is the tree of *:*, and of an empty query.
func MatchAll() Node {
	return &Is{Field: &Wildcard{Value: WildcardMark}, Value: &Wildcard{Value: WildcardMark}}
}

// IsMatchAll reports whether n is the tree of *:*.
func IsMatchAll(n Node) bool {
	is, ok := n.(*Is)
	return ok && lone(is.Field) && lone(is.Value)
}

func lone(t Term) bool {
	w, ok := t.(*Wildcard)
	return ok && w.Lone()
}

// Word is an unquoted literal of text that is not null, true or false; NewTerm reads those.
func Word(text string) *Literal { return &Literal{Text: text} }

// Phrase is a quoted literal.
func Phrase(text string) *Literal { return &Literal{Text: text, Quoted: true} }

// NewAnd joins nodes: none match everything, one is itself.
func NewAnd(nodes ...Node) Node {
	switch len(nodes) {
	case 0:
		return MatchAll()
	case 1:
		return nodes[0]
	}
	return &And{Nodes: nodes}
}

// NewOr joins nodes: none match nothing, one is itself.
func NewOr(nodes ...Node) Node {
	switch len(nodes) {
	case 0:
		return &Not{Node: MatchAll()}
	case 1:
		return nodes[0]
	}
	return &Or{Nodes: nodes}
}

// Walk calls visit for n and then, unless visit said false, for the nodes below it.
func Walk(n Node, visit func(Node) bool) {
	if !visit(n) {
		return
	}
	switch n := n.(type) {
	case *And:
		for _, c := range n.Nodes {
			Walk(c, visit)
		}
	case *Or:
		for _, c := range n.Nodes {
			Walk(c, visit)
		}
	case *Not:
		Walk(n.Node, visit)
	case *Nested:
		Walk(n.Query, visit)
	}
}
