package query

import (
	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
)

// Filters are the filter of the search and those of the searches right after it: all must match. One with a
// subsearch is nil, for it depends on more than a document.
func (q *Query) Filters() []*Filter {
	if len(q.plan.Filter.Subs) > 0 {
		return []*Filter{nil}
	}
	out := []*Filter{part(q.plan.Filter.Tree)}
	for _, s := range q.plan.Steps[:q.plan.Leading()] {
		if s.Filter == nil || len(s.Filter.Subs) > 0 {
			out = append(out, nil)
			continue
		}
		out = append(out, part(s.Filter.Tree))
	}
	return out
}

func part(n kql.Node) *Filter { return &Filter{kql.Print(n), n, exec.NewFilter(n, nil)} }

// Alternatives are the parts of a filter of which one must match; nil where it is not of that form.
func (f *Filter) Alternatives() (out []*Filter) {
	if or, ok := f.node.(*kql.Or); ok {
		for _, n := range or.Nodes {
			out = append(out, part(n))
		}
	}
	return out
}

// Negated is what must not match; nil where the filter is not of that form.
func (f *Filter) Negated() *Filter {
	if not, ok := f.node.(*kql.Not); ok {
		return part(not.Node)
	}
	return nil
}
