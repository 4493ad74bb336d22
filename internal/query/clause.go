package query

import (
	"slices"

	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
)

// Keys are a field and its values of which a document must have one for the filter to match; exec.Filter
// says when there are any. Values are compared as text.
func (f *Filter) Keys() (field string, values []string, ok bool) { return f.exec.Keys() }

// Fields are the names of the fields the filter asks for, sorted; a filter of every field has none.
func (f *Filter) Fields() []string {
	names, _ := f.exec.Fields()
	slices.Sort(names)
	return names
}

// Clauses are the parts of a filter that must all match, in their order: itself where there is one. They
// tell people which part of it did not match.
func (f *Filter) Clauses() []*Filter {
	and, ok := f.node.(*kql.And)
	if !ok {
		return []*Filter{f}
	}
	var out []*Filter
	for _, n := range and.Nodes {
		part := &Filter{kql.Print(n), n, exec.NewFilter(n, nil)}
		out = append(out, part.Clauses()...)
	}
	return out
}
