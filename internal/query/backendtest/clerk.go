package backendtest

import (
	"context"
	"fmt"
	"slices"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Clerk is a source that filters, and counts by keys, exactly. It is used by one goroutine at a time.
type Clerk struct {
	Documents []string // newest first
	// Plain makes it take over nothing.
	Plain bool
	// Handed is how many documents it handed over.
	Handed int
}

// Plan takes over the filter, and groupings.
func (c *Clerk) Plan(_ context.Context, r plan.Read) (plan.Pushed, error) {
	if c.Plain {
		return plan.Pushed{}, nil
	}
	return plan.Pushed{Filter: true, Aggregate: r.Aggregate != nil && counts(r.Aggregate)}, nil
}

// Rows gives the documents, or counts them.
func (c *Clerk) Rows(_ context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	own := row.NewSchema()
	at := own.Slot(r.TimeField)
	test := func(*row.Row) bool { return true }
	if r.Filter != nil && p.Filter {
		test, _ = r.Judge(r.Filter, own)
	}
	groups, keys := map[string]int64{}, map[string][]row.Value{}
	for _, d := range c.Documents {
		all := row.NewExtractor(own, nil)
		all.TimeFields(r.TimeField)
		vals, err := all.Extract(d, nil)
		if err != nil {
			return plan.Cost{}, err
		}
		one := row.Row{Vals: vals}
		if p.Filter {
			t, ok := one.Get(at).AsTime()
			if !ok && (!r.Earliest.IsZero() || !r.Latest.IsZero()) || !r.Earliest.IsZero() && t < r.Earliest.UnixNano() || !r.Latest.IsZero() && t >= r.Latest.UnixNano() || !test(&one) {
				continue
			}
		}
		if p.Aggregate {
			ways := [][]row.Value{{}}
			for _, b := range r.Aggregate.By {
				var longer [][]row.Value
				for _, v := range one.Get(own.Slot(b.Field.Name)).Values() {
					for _, w := range ways {
						if !v.IsNull() {
							longer = append(longer, append(slices.Clone(w), v.Own()))
						}
					}
				}
				ways = longer
			}
			for _, w := range ways {
				name := fmt.Sprintf("%v", w)
				groups[name]++
				keys[name] = w
			}
			continue
		}
		c.Handed++
		extract := row.NewExtractor(schema, r.Fields)
		extract.TimeFields(r.TimeField)
		if vals, err = extract.Extract(d, nil); err != nil {
			return plan.Cost{}, err
		}
		out := row.Row{Vals: vals}
		if r.Documents {
			out.Doc = &row.Document{JSON: d}
		}
		if err := emit(&out); err != nil {
			return plan.Cost{}, err
		}
	}
	for name, n := range groups {
		out := row.Row{}
		for i, b := range r.Aggregate.By {
			out.Set(schema.Slot(b.Column()), keys[name][i])
		}
		out.Set(schema.Slot(r.Aggregate.Aggs[0].Column()), row.NewInt(n))
		if err := emit(&out); err != nil {
			return plan.Cost{}, err
		}
	}
	return plan.Cost{}, nil
}

// counts reports whether a grouping only counts by fields.
func counts(a *plan.Aggregate) bool {
	for _, b := range a.By {
		if b.Size.Number != "" || !b.Size.Duration.IsZero() {
			return false
		}
	}
	return !a.UseNull && len(a.Aggs) == 1 && a.Aggs[0].Func == "count" && a.Aggs[0].Field == nil && a.Aggs[0].Expr == nil
}
