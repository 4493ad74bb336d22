package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// compiler turns the tree of pipes into the typed one and collects mistakes.
type compiler struct {
	text    string
	options Options
	errs    pipe.Errors
	syntax  error
}

func (c *compiler) fail(at pipe.Span, try, format string, args ...any) {
	c.errs = append(c.errs, &pipe.Error{Query: c.text, At: at, Msg: fmt.Sprintf(format, args...), Try: try})
}

// query compiles one query; outer is the query whose subsearch it is, nil for the outermost.
func (c *compiler) query(tree *pipe.Query, outer *Query) *Query {
	q := &Query{Text: c.text, Tree: tree, options: c.options}
	q.Source = Source{From: tree.From, TimeField: c.options.TimeField, Earliest: c.options.Earliest, Latest: c.options.Latest}
	if outer != nil {
		q.Source.Earliest, q.Source.Latest = outer.Source.Earliest, outer.Source.Latest
		if tree.From == nil {
			q.Source.From = outer.Source.From
		}
	}
	if tree.Earliest != "" {
		m, _ := pipe.ParseMoment(tree.Earliest)
		q.Source.Earliest = m.At(c.options.Now)
	}
	if tree.Latest != "" {
		m, _ := pipe.ParseMoment(tree.Latest)
		q.Source.Latest = m.At(c.options.Now)
	}
	q.Filter = c.filter(tree.Filter, q)
	if outer == nil && c.options.Window > 0 {
		c.window(tree)
	}
	columns := Columns{Open: true}
	judged := -1 // the last step that judges the windows before it
	for i, p := range tree.Pipes {
		s := c.step(p, columns, q, i == 0)
		s.Out.First = s.Out.Open && (s.Out.First || !columns.Open)
		q.Steps = append(q.Steps, s)
		if st, ok := p.(*pipe.Stats); ok && !st.Over.IsZero() {
			judged = i + Judges(tree.Pipes[i+1:])
		}
		if i == judged {
			c.episode(s)
		}
		columns = s.Out
	}
	q.Columns = columns
	q.history = q.judge()
	return q
}

// filter reads the KQL of a filter, with a quoted placeholder of equal length for each subsearch, so
// that places in the text stay what they are.
func (c *compiler) filter(f pipe.Filter, q *Query) *Filter {
	out := &Filter{}
	for i := range f.Subs {
		out.Subs = append(out.Subs, c.query(f.Subs[i].Query, q))
	}
	var text strings.Builder
	for i, t := range f.Texts {
		if i > 0 {
			at := f.Subs[i-1].At
			out.places = append(out.places, text.Len())
			text.WriteString(`"` + strings.Repeat(placeholder, at.End-at.Pos-2) + `"`)
		}
		text.WriteString(t)
	}
	tree, err := kql.Parse(text.String())
	if err != nil {
		if c.syntax == nil {
			c.syntax = c.asWritten(err, f)
		}
		return out
	}
	out.Tree = tree
	return out
}

const placeholder = "\x01"

// asWritten puts the filter's own text in the place of the one with placeholders, which is as long.
func (c *compiler) asWritten(err error, f pipe.Filter) error {
	var se *kql.SyntaxError
	if !errors.As(err, &se) || len(f.Subs) == 0 {
		return err
	}
	e := *se
	if text := c.text[f.At.Pos:f.At.End]; len(text) == len(e.Text) {
		e.Text = text
	}
	return &e
}

// Resolve is the filter's tree with each placeholder replaced by what its subsearch found.
func (f *Filter) Resolve(found func(i int) kql.Node) kql.Node {
	if len(f.Subs) == 0 {
		return f.Tree
	}
	return f.replace(f.Tree, found)
}

func (f *Filter) replace(n kql.Node, found func(i int) kql.Node) kql.Node {
	all := func(nodes []kql.Node) []kql.Node {
		out := make([]kql.Node, len(nodes))
		for i, c := range nodes {
			out[i] = f.replace(c, found)
		}
		return out
	}
	switch n := n.(type) {
	case *kql.And:
		return &kql.And{Nodes: all(n.Nodes), Place: n.Place}
	case *kql.Or:
		return &kql.Or{Nodes: all(n.Nodes), Place: n.Place}
	case *kql.Not:
		return &kql.Not{Node: f.replace(n.Node, found), Place: n.Place}
	case *kql.Nested:
		return &kql.Nested{Path: n.Path, Query: f.replace(n.Query, found), Place: n.Place}
	case *kql.Is:
		if i := f.placeholderOf(n); i >= 0 {
			return found(i)
		}
	}
	return n
}

// placeholderOf is the number of the subsearch for which n stands, -1 if it is none.
func (f *Filter) placeholderOf(n *kql.Is) int {
	v, ok := n.Value.(*kql.Literal)
	if !ok || !v.Quoted || strings.Trim(v.Text, placeholder) != "" {
		return -1
	}
	return slices.Index(f.places, v.Place.Start)
}

// Fields are the names of the fields a tree asks about; all is true if it may ask about any field.
func Fields(n kql.Node) (names []string, all bool) {
	return fieldsUnder(n, "")
}

func fieldsUnder(n kql.Node, prefix string) (names []string, all bool) {
	kql.Walk(n, func(n kql.Node) bool {
		var field kql.Term
		switch n := n.(type) {
		case *kql.Is:
			if kql.IsMatchAll(n) {
				return true
			}
			field = n.Field
		case *kql.Range:
			field = n.Field
		case *kql.Nested:
			path, ok := n.Path.(*kql.Literal)
			if !ok {
				all = true
				return false
			}
			inner, innerAll := fieldsUnder(n.Query, prefix+path.Name()+".")
			names, all = append(append(names, inner...), prefix+path.Name()), all || innerAll
			return false
		default:
			return true
		}
		l, ok := field.(*kql.Literal)
		if !ok || l.Kind == kql.Null && !l.Quoted {
			all = true
			return true
		}
		if name := prefix + l.Name(); !slices.Contains(names, name) {
			names = append(names, name)
		}
		return true
	})
	return names, all
}

// window gives the one aggregation of a rule its window, where it has none of its own.
func (c *compiler) window(tree *pipe.Query) {
	var only *pipe.Stats
	for _, p := range tree.Pipes {
		if b, ok := p.(*pipe.Bin); ok && (b.Field.Name == "" || b.Field.Name == "_time" || b.Field.Name == c.options.TimeField) {
			return
		}
		if s, ok := p.(*pipe.Stats); ok {
			if only != nil {
				return
			}
			only = s
		} else if !RowWise(p) {
			return
		}
	}
	if only == nil || !only.Over.IsZero() {
		return
	}
	for _, b := range only.By {
		if b.Field.Name == "_time" || b.Field.Name == c.options.TimeField {
			return
		}
	}
	only.Over = pipe.Duration{N: c.options.Window.Milliseconds(), Unit: "ms"}
}

// RowWise reports whether a pipe judges or changes each row alone, making at most one row of it.
func RowWise(p pipe.Pipe) bool {
	switch p := p.(type) {
	case *pipe.Search, *pipe.Where, *pipe.Eval, *pipe.Fields, *pipe.Table, *pipe.Rename, *pipe.Rex, *pipe.Regex, *pipe.Replace,
		*pipe.Spath, *pipe.MakeMv, *pipe.Lookup, *pipe.Convert, *pipe.IPLocation, *pipe.FillNull:
		return true
	case *pipe.Bin:
		return !p.Size.IsZero()
	}
	return false
}

// Judges is how many of the pipes after an aggregation over a window judge each window: the row-wise
// ones, up to the last search or where among them.
func Judges(pipes []pipe.Pipe) int {
	n := 0
	for i, p := range pipes {
		if !RowWise(p) {
			break
		}
		switch p.(type) {
		case *pipe.Search, *pipe.Where:
			n = i + 1
		}
	}
	return n
}

// episode adds the times of an episode to the columns after the last judge.
func (c *compiler) episode(s *Step) {
	for _, n := range []string{"first", "last"} {
		if s.Out.Has(n) {
			c.fail(s.Pipe.Span(), "as first_value", "a window's row has a column %q of its own, the time of an event: give the other one another name", n)
		}
	}
	s.Out = s.Out.with("first", "last")
}
