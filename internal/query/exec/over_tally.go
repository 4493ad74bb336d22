package exec

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// coarse is a backend that may keep times less finely than documents write them. Precision is how far apart
// its times are at least, 0 where each document's time is kept as it is.
type coarse interface {
	Precision(ctx context.Context, r plan.Read) (time.Duration, error)
}

// tallyCount is the column of how many events a key has at a time.
const tallyCount = "_tally"

// tally is the read of how many events each key has at each time, where that is all that windows look at, else
// nil. A source tells of these much quicker than of its documents. Where it keeps times less finely than its
// documents, that is how windows are judged, whichever way events are read: see overOp.step.
func (e *env) tally(q *plan.Query, read plan.Read) *plan.Read {
	if !e.options.Windows || e.options.NoPushDown || e.depth > 1 || read.Documents || read.Aggregate != nil || read.Top != nil {
		return nil
	}
	steps := q.Steps[q.Leading():]
	if len(steps) == 0 {
		return nil
	}
	p, ok := steps[0].Pipe.(*pipe.Stats)
	if !ok || p.Over.IsZero() || p.UseNull {
		return nil
	}
	for _, a := range p.Aggs {
		if a.Func != "count" || a.Field != nil || a.Expr != nil {
			return nil
		}
	}
	at := pipe.By{Field: pipe.Field{Name: read.TimeField}, As: read.TimeField}
	if e.step > 0 {
		at.Size = pipe.Size{Duration: pipe.Duration{N: e.step / int64(time.Millisecond), Unit: "ms"}}
	}
	by := []pipe.By{at}
	for _, b := range p.By {
		if !b.Size.IsZero() || b.Field.Name == read.TimeField || b.Field.Name == "_time" || b.Field.Name == tallyCount {
			return nil
		}
		by = append(by, pipe.By{Field: pipe.Field{Name: b.Field.Name}})
	}
	read.Aggregate = &plan.Aggregate{By: by, Aggs: []pipe.Aggregate{{Func: "count", Written: "count", As: tallyCount}}}
	read.Fields = nil
	return &read
}

// tallied pushes an event for each that a tally counts. It reports false, and pushes nothing, where the source
// would not count exactly.
func (e *env) tallied(read plan.Read, schema *row.Schema, push func(*row.Row) error) (bool, error) {
	pushed, err := e.options.Backend.Plan(e.ctx, read)
	if err != nil || !pushed.Aggregate || len(pushed.Inexact) > 0 {
		return false, err
	}
	count := schema.Slot(tallyCount)
	cost, err := e.options.Backend.Rows(e.ctx, read, pushed, schema, func(r *row.Row) error {
		n := r.Get(count)
		if !n.IsNumber() {
			return fmt.Errorf("count events by %s: a group came without its count", read.TimeField)
		}
		for range n.Int() {
			if err := push(r); err != nil {
				return err
			}
		}
		return nil
	})
	e.cost.Add(cost)
	return true, err
}

// precise finds how finely the source keeps the times that windows are judged by.
func (e *env) precise(q *plan.Query, read plan.Read) error {
	source, ok := e.options.Backend.(coarse)
	steps := q.Steps[q.Leading():]
	if !ok || !e.options.Windows || e.depth > 1 || !slices.ContainsFunc(steps, func(s *plan.Step) bool {
		p, ok := s.Pipe.(*pipe.Stats)
		return ok && !p.Over.IsZero()
	}) {
		return nil
	}
	step, err := source.Precision(e.ctx, read)
	if err != nil {
		return fmt.Errorf("ask how finely times are kept: %w", err)
	}
	e.step = int64(step)
	return nil
}
