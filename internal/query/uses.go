package query

import (
	"context"
	"slices"
	"strings"
)

// Uses are the fields of documents that the search names, in order of name, without the time and without patterns
// of names.
func (q *Query) Uses() []string { return q.plan.Uses() }

// Indices are those that the search itself names; nil leaves them to the source.
func (q *Query) Indices() []string { return q.plan.Source.From }

// unknowable is a field that no source has.
const unknowable = "tocsin.no_such_field"

// Has tells which of some fields a source has, in the indices of from or with nil in its own. ok is false where the
// source cannot tell.
func Has(ctx context.Context, b Backend, from, fields []string) (there []string, ok bool, err error) {
	n, ok := b.(namer)
	if !ok {
		return nil, false, nil
	}
	names, err := n.Names(ctx, from, append(slices.Clone(fields), unknowable))
	if err != nil {
		return nil, false, err
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
	}
	if known[unknowable] {
		return nil, false, nil
	}
	for _, f := range fields {
		above, _ := strings.CutSuffix(f, ".keyword")
		above, _ = strings.CutSuffix(above, ".text")
		// An object is there with what is below it.
		if known[f] || known[above] || slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, f+".") }) {
			there = append(there, f)
		}
	}
	return there, true, nil
}

// counter is a backend of indices.
type counter interface {
	Indices(ctx context.Context, from []string) (int, error)
}

// Reaches is how many indices a search of from, or with nil of the source's own, reads; ok is false for a source
// that has none.
func Reaches(ctx context.Context, b Backend, from []string) (n int, ok bool, err error) {
	c, ok := b.(counter)
	if !ok {
		return 0, false, nil
	}
	n, err = c.Indices(ctx, from)
	return n, err == nil, err
}
