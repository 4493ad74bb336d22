package plan

import (
	"fmt"
	"strings"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// has reports whether a field may be there.
func (c *compiler) has(name string, in Columns) bool {
	return in.Open || in.Has(in.Resolve(name, c.options.TimeField))
}

// unknown says that a column is not there, and which are.
func unknown(name string, in Columns) string {
	there := in.Names
	more := ""
	if len(there) > 12 {
		there, more = there[:12], ", ..."
	}
	return fmt.Sprintf("there is no column %q here; the columns are %s%s", name, strings.Join(there, ", "), more)
}

func (c *compiler) known(fields []pipe.Field, in Columns) {
	for _, f := range fields {
		if !f.Wild && !c.has(f.Name, in) {
			c.fail(f.At, pipe.Nearest(f.Name, in.Names), "%s", unknown(f.Name, in))
		}
	}
}

func (c *compiler) knownKeys(keys []pipe.SortKey, in Columns) {
	for _, k := range keys {
		c.known([]pipe.Field{k.Field}, in)
	}
}

func (c *compiler) knownBy(by []pipe.By, in Columns) []string {
	var names []string
	for _, b := range by {
		c.known([]pipe.Field{b.Field}, in)
		names = append(names, b.Column())
	}
	return names
}

func (c *compiler) knownAggs(aggs []pipe.Aggregate, in Columns) {
	for _, a := range aggs {
		switch {
		case a.Field != nil:
			c.known([]pipe.Field{*a.Field}, in)
		case a.Expr != nil:
			c.knownExpr(a.Expr, in)
		}
		if (a.Func == "earliest" || a.Func == "latest") && in.Time(c.options.TimeField) == "" {
			c.fail(a.At, "", "%s needs the time of rows, and there is no column %s here", a.Written, c.options.TimeField)
		}
	}
}

func (c *compiler) knownExpr(e pipe.Expr, in Columns) {
	pipe.Walk(e, func(e pipe.Expr) {
		switch e := e.(type) {
		case *pipe.Ref:
			if !c.has(e.Name, in) {
				c.fail(e.At, pipe.Nearest(e.Name, in.Names), "%s", unknown(e.Name, in))
			}
		default:
			c.checkConstants(e)
		}
	})
}

// knownOrMessage checks the field a pipe reads when none is named: message.
func (c *compiler) knownOrMessage(f pipe.Field, p pipe.Pipe, in Columns) {
	if f.Name == "" {
		f = pipe.Field{Name: "message", At: p.Span()}
	}
	c.known([]pipe.Field{f}, in)
}

// timed demands that rows have a time.
func (c *compiler) timed(p pipe.Pipe, in Columns) {
	if in.Time(c.options.TimeField) == "" {
		c.fail(p.Span(), "keep it: by "+c.options.TimeField+", or fields "+c.options.TimeField+", ...",
			"%s needs the time of rows, and there is no column %s here", p.Name(), c.options.TimeField)
	}
}

// knownFilter refuses fields that cannot be there, at their place.
func (c *compiler) knownFilter(f *Filter, in Columns, p *pipe.Search) {
	if in.Open || f.Tree == nil {
		return
	}
	kql.Walk(f.Tree, func(n kql.Node) bool {
		var field kql.Term
		switch n := n.(type) {
		case *kql.Is:
			if f.placeholderOf(n) >= 0 {
				return true
			}
			field = n.Field
		case *kql.Range:
			field = n.Field
		case *kql.Nested:
			return false
		}
		l, ok := field.(*kql.Literal)
		if !ok || l.Kind == kql.Null && !l.Quoted || c.has(l.Name(), in) {
			return true
		}
		at := pipe.Span{Pos: p.Filter.At.Pos + l.Place.Start, End: p.Filter.At.Pos + l.Place.End}
		c.fail(at, pipe.Nearest(l.Name(), in.Names), "%s", unknown(l.Name(), in))
		return true
	})
}

// MatchesAll reports whether a filter keeps every document.
func MatchesAll(f *Filter) bool {
	return f == nil || f.Tree != nil && len(f.Subs) == 0 && keepsAll(f.Tree)
}

// keepsAll recognizes *:* and a lone star, which asks for any text anywhere.
func keepsAll(n kql.Node) bool {
	if kql.IsMatchAll(n) {
		return true
	}
	is, ok := n.(*kql.Is)
	if !ok {
		return false
	}
	f, isLiteral := is.Field.(*kql.Literal)
	v, isWild := is.Value.(*kql.Wildcard)
	return isLiteral && f.Kind == kql.Null && isWild && v.Lone()
}
