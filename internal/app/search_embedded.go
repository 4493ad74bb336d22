package app

import (
	"context"
	"slices"
	"strings"

	"tocsin/internal/logstore"
	"tocsin/internal/query"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// backend is the embedded engine as what a search reads: the indices named, else the source's.
func (e *engine) backend(ctx context.Context, index []string) (query.Backend, error) {
	store, err := e.get(ctx)
	if err != nil {
		return nil, err
	}
	index = patterns(index)
	if len(index) == 0 {
		index = e.indices
	}
	return &engineRows{store: store, indices: index}, nil
}

// patterns are the index patterns of a flag: several values, each with commas.
func patterns(flags []string) []string {
	var out []string
	for _, list := range flags {
		for one := range strings.SplitSeq(list, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}

// engineRows reads documents of the log store by time; everything else is done on rows.
type engineRows struct {
	store   *logstore.Store
	indices []string
}

// Plan implements query.Backend.
func (b *engineRows) Plan(_ context.Context, r plan.Read) (plan.Pushed, error) {
	what := "all indices"
	if index := b.index(r); len(index) > 0 {
		what = strings.Join(index, ",")
	}
	return plan.Pushed{Requests: []string{"read documents of " + what + " by time"}}, nil
}

func (b *engineRows) index(r plan.Read) []string {
	if r.From != nil {
		return r.From
	}
	return slices.Clone(b.indices)
}

// Rows implements query.Backend.
func (b *engineRows) Rows(ctx context.Context, r plan.Read, _ plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	var cost plan.Cost
	extract := row.NewExtractor(schema, r.Fields)
	extract.TimeFields(r.TimeField)
	s := logstore.Search{Indices: b.index(r), Newest: true}
	if r.TimeField == "@timestamp" {
		s.From, s.To = r.Earliest, r.Latest
	}
	var one row.Row
	err := b.store.Scan(ctx, s, func(d logstore.Document) error {
		text := string(d.Source)
		var err error
		if one.Vals, err = extract.Extract(text, one.Vals); err != nil {
			return err
		}
		one.Doc = nil
		if r.Documents {
			one.Doc = &row.Document{Index: d.Index, ID: d.ID, JSON: text}
		}
		cost.Rows++
		cost.Bytes += int64(len(text))
		return emit(&one)
	})
	return cost, err
}
