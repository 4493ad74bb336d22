package query

import (
	"context"
	"fmt"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Fallback is a backend whose documents that lack one time field have another one's value in it. Searches by the
// first field then find all documents by the time that they have. What is to be done with rows is done here, and not
// by the backend.
func Fallback(b Backend, field, other string) Backend { return &fallback{b, field, other} }

type fallback struct {
	b            Backend
	field, other string
}

// mostFallback is how many documents that lack the field one read may bring: they wait in memory for their turn.
const mostFallback = 1_000_000

// reads are those for the documents that have the field, and for those that lack it.
func (f *fallback) reads(r plan.Read) (have, lack plan.Read, err error) {
	r.Aggregate, r.Top = nil, nil
	if r.Fields != nil {
		r.Fields = append([]string{f.field, f.other}, r.Fields...)
	}
	have, lack = r, r
	lack.TimeField = f.other
	without, err := kql.Parse("x:*")
	if err != nil {
		return have, lack, err
	}
	is, ok := without.(*kql.Is)
	if !ok {
		return have, lack, fmt.Errorf("%s is no question for a field", kql.Print(without))
	}
	is.Field = kql.Word(f.field)
	var not kql.Node = &kql.Not{Node: is}
	if lack.Filter != nil {
		not = kql.NewAnd(lack.Filter, not)
	}
	lack.Filter = not
	return have, lack, nil
}

// Plan leaves all but the filter to rows.
func (f *fallback) Plan(ctx context.Context, r plan.Read) (plan.Pushed, error) {
	if r.TimeField != f.field {
		return f.b.Plan(ctx, r)
	}
	have, lack, err := f.reads(r)
	if err != nil {
		return plan.Pushed{}, err
	}
	p, err := f.b.Plan(ctx, have)
	if err != nil || streams(f.b) {
		return plan.Pushed{Requests: p.Requests, Warnings: p.Warnings}, err
	}
	q, err := f.b.Plan(ctx, lack)
	return plan.Pushed{Filter: p.Filter && q.Filter, Requests: append(p.Requests, q.Requests...), Warnings: append(p.Warnings, q.Warnings...)}, err
}

// Rows reads the documents that have the field and, in their places by time, those that lack it.
func (f *fallback) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	if r.TimeField != f.field {
		return f.b.Rows(ctx, r, p, schema, emit)
	}
	have, lack, err := f.reads(r)
	if err != nil {
		return plan.Cost{}, err
	}
	field, other := schema.Slot(f.field), schema.Slot(f.other)
	if streams(f.b) { // it is read once, whole
		return f.b.Rows(ctx, have, plan.Pushed{}, schema, func(r *row.Row) error {
			if r.Get(field).IsNull() {
				r.Set(field, asTime(r.Get(other)))
			}
			return emit(r)
		})
	}
	q, err := f.b.Plan(ctx, lack)
	if err != nil {
		return plan.Cost{}, err
	}
	var waiting []row.Row
	cost, err := f.b.Rows(ctx, lack, q, schema, func(r *row.Row) error {
		if !r.Get(field).IsNull() {
			return nil
		}
		if len(waiting) == mostFallback {
			return fmt.Errorf("more than %d documents lack %s: narrow the filter or the time range", mostFallback, f.field)
		}
		own := r.Clone()
		own.Set(field, r.Get(other).Own())
		waiting = append(waiting, own)
		return nil
	})
	if err != nil {
		return cost, err
	}
	if q, err = f.b.Plan(ctx, have); err != nil {
		return cost, err
	}
	stopped := false
	more, err := f.b.Rows(ctx, have, q, schema, func(r *row.Row) error {
		if r.Get(field).IsNull() {
			return nil
		}
		for len(waiting) > 0 && row.Order(waiting[0].Get(field), r.Get(field)) > 0 { // the newest first
			if err := emit(&waiting[0]); err != nil {
				stopped = true
				return err
			}
			waiting = waiting[1:]
		}
		err := emit(r)
		stopped = err != nil
		return err
	})
	cost.Add(more)
	if err != nil || stopped {
		return cost, err
	}
	for i := range waiting {
		if err := emit(&waiting[i]); err != nil {
			return cost, err
		}
	}
	return cost, nil
}

// asTime is a value as a time, where it is one.
func asTime(v row.Value) row.Value {
	if t, ok := v.AsTime(); ok {
		return row.NewTimeNano(t)
	}
	return v
}

// streams reports whether a backend gives all it has, once.
func streams(b Backend) bool {
	s, ok := b.(interface{ Streams() bool })
	return ok && s.Streams()
}

// TimeOfEither is TimeOf of the first of two fields that the document has.
func TimeOfEither(document, field, other string) (ns int64, ok bool, err error) {
	if ns, ok, err = TimeOf(document, field); ok || err != nil || other == "" {
		return ns, ok, err
	}
	return TimeOf(document, other)
}
