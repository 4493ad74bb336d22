package query_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tocsin/internal/query"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/files"
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// pushing is a backend that takes over all it may: filter, time, aggregation and the first rows of an
// order. It hands groups over in the reverse of their order.
type pushing struct {
	inner query.Backend
	dir   string
	n     *int
}

func (b pushing) Plan(ctx context.Context, r plan.Read) (plan.Pushed, error) {
	p, err := b.inner.Plan(ctx, r)
	p.Filter, p.Aggregate, p.Top = true, r.Aggregate != nil, r.Top != nil
	return p, err
}

func (b pushing) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	// What the filter leaves is written to a file; everything else is a query over that.
	var docs []byte
	all := row.NewSchema()
	names := &flat{schema: all}
	var match *exec.Filter
	if r.Filter != nil {
		match = exec.NewFilter(r.Filter, nil)
	}
	_, err := b.inner.Rows(ctx, plan.Read{From: r.From, TimeField: r.TimeField, Documents: true}, plan.Pushed{}, all, func(w *row.Row) error {
		names.row = w
		at, timed := names.Value(r.TimeField).AsTime()
		outside := !r.Earliest.IsZero() && (!timed || at < r.Earliest.UnixNano()) || !r.Latest.IsZero() && (!timed || at >= r.Latest.UnixNano())
		if !outside && (match == nil || match.Match(names, now)) {
			docs = append(append(docs, w.Doc.JSON...), '\n')
		}
		return nil
	})
	if err != nil {
		return plan.Cost{}, err
	}
	*b.n++
	path := filepath.Join(b.dir, fmt.Sprintf("pushed%d", *b.n))
	if err := os.WriteFile(path, docs, 0o600); err != nil {
		return plan.Cost{}, err
	}
	inner := &files.Backend{Main: files.Input{Path: path}}
	switch {
	case p.Aggregate:
		stats := &pipe.Stats{Aggs: r.Aggregate.Aggs, By: r.Aggregate.By, UseNull: r.Aggregate.UseNull}
		return plan.Cost{}, b.query(ctx, inner, "| "+stats.String(), schema, emit)
	case p.Top && len(r.Top.Keys) > 0:
		sorted := &pipe.Sort{Limit: r.Top.Limit, Keys: r.Top.Keys}
		return plan.Cost{}, b.query(ctx, inner, "| "+sorted.String(), schema, emit)
	}
	return inner.Rows(ctx, plan.Read{TimeField: r.TimeField, Fields: r.Fields, Documents: r.Documents}, plan.Pushed{}, schema, emit)
}

func (b pushing) query(ctx context.Context, inner query.Backend, text string, schema *row.Schema, emit func(*row.Row) error) error {
	q, err := query.Compile(text, query.Options{Now: now})
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	r, err := q.Run(ctx, query.RunOptions{Backend: inner})
	if err != nil {
		return err
	}
	if text[:7] == "| stats" {
		slices.Reverse(r.Rows)
	}
	for _, w := range r.Rows {
		var out row.Row
		for i, c := range r.Columns {
			out.Set(schema.Slot(c.Name), w.Get(i))
		}
		if err := emit(&out); err != nil {
			return err
		}
	}
	return nil
}

type flat struct {
	schema *row.Schema
	row    *row.Row
}

func (f *flat) Value(name string) row.Value {
	slot, ok := f.schema.Find(name)
	if !ok {
		return row.Value{}
	}
	return f.row.Get(slot)
}

func (f *flat) Names(yield func(string) bool) {
	for i, v := range f.row.Vals {
		if !v.IsNull() && !yield(f.schema.Name(i)) {
			return
		}
	}
}

// pushed runs a query with everything pushed down.
func pushed(t testing.TB, q *query.Query, b query.Backend) string {
	t.Helper()
	n := 0
	r, err := q.Run(context.Background(), query.RunOptions{Backend: pushing{b, t.TempDir(), &n}, MaxMemory: 64 << 20})
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return string(printed(r))
}
