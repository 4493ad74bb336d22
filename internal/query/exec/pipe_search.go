package exec

import (
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// filterOp lets rows pass for which keep is true.
type filterOp struct {
	link
	keep func(*row.Row) bool
}

func (o *filterOp) push(r *row.Row) error {
	if !o.keep(r) {
		return nil
	}
	return o.next.push(r)
}

// rowDocument shows a row to a filter. Names are those of its schema.
type rowDocument struct {
	schema    *row.Schema
	timeField string
	row       *row.Row
}

func (d *rowDocument) Value(name string) row.Value {
	slot, ok := d.schema.Find(name)
	if !ok && name == "_time" {
		slot, ok = d.schema.Find(d.timeField)
	}
	if !ok {
		return row.Value{}
	}
	return d.row.Get(slot)
}

func (d *rowDocument) Names(yield func(string) bool) {
	for i, v := range d.row.Vals {
		if !v.IsNull() && i < d.schema.Len() && !yield(d.schema.Name(i)) {
			return
		}
	}
}

// rowFilter is a filter as a test of rows of a schema.
func rowFilter(f *Filter, schema *row.Schema, q *plan.Query) func(*row.Row) bool {
	doc := &rowDocument{schema: schema, timeField: q.TimeField()}
	now := q.Now()
	return func(r *row.Row) bool {
		doc.row = r
		return f.Match(doc, now)
	}
}

// kqlTest is a compiled filter of the step, its subsearches run, as a test of the step's rows.
func (b *builder) kqlTest(f *plan.Filter) (func(*row.Row) bool, error) {
	tree, err := b.env.filter(f, b.query.TimeField())
	if err != nil {
		return nil, err
	}
	return rowFilter(NewFilter(tree, nil), b.in, b.query), nil
}

func (b *builder) search() (op, *row.Schema, error) {
	keep, err := b.kqlTest(b.step.Filter)
	return &filterOp{keep: keep}, b.in, err
}

func (b *builder) where(p *pipe.Where) (op, *row.Schema, error) {
	return &filterOp{keep: b.condition(p.Expr)}, b.in, nil
}
