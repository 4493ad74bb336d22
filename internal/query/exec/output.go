package exec

import (
	"cmp"
	"slices"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// sinkOp is the last stage of a query: it puts columns in their order and hands rows to the sink.
// Where columns are only known at the end it holds the rows until then.
type sinkOp struct {
	link
	env     *env
	query   *plan.Query
	sink    Sink
	schema  *row.Schema
	names   []string
	slots   []int
	types   []typeSet
	held    []row.Row
	out     row.Row
	started bool
}

func newOutput(e *env, q *plan.Query, sink Sink) *sinkOp {
	return &sinkOp{env: e, query: q, sink: sink}
}

func (o *sinkOp) documents() bool { return o.query.Raw() }

func (o *sinkOp) begin(schema *row.Schema) {
	o.schema = schema
	if o.query.Columns.Open {
		return
	}
	o.names = o.query.Columns.Names
	for _, n := range o.names {
		slot, ok := schema.Find(n)
		if !ok {
			slot = schema.Slot(o.query.Columns.Resolve(n, o.query.TimeField()))
		}
		o.slots = append(o.slots, slot)
	}
}

func (o *sinkOp) push(r *row.Row) error {
	switch {
	case o.query.Raw():
		return o.sink.Row(r)
	case o.query.Columns.Open:
		if err := o.env.memory.hold("the answer, whose columns are only known when all of it is,", r.Size()); err != nil {
			return err
		}
		o.held = append(o.held, r.Clone())
		return nil
	}
	return o.send(r)
}

func (o *sinkOp) send(r *row.Row) error {
	if err := o.start(); err != nil {
		return err
	}
	o.out.Vals = o.out.Vals[:0]
	for i, s := range o.slots {
		v := r.Get(s)
		o.types[i].see(v)
		o.out.Vals = append(o.out.Vals, v)
	}
	o.out.Doc = r.Doc
	return o.sink.Row(&o.out)
}

func (o *sinkOp) start() error {
	if o.started {
		return nil
	}
	o.started = true
	o.types = make([]typeSet, len(o.names))
	return o.sink.Columns(o.names)
}

func (o *sinkOp) flush() error {
	if o.query.Raw() {
		return nil
	}
	if o.query.Columns.Open {
		o.discover()
	}
	if err := o.start(); err != nil {
		return err
	}
	for i := range o.held {
		if err := o.send(&o.held[i]); err != nil {
			return err
		}
	}
	return nil
}

// discover finds the columns that have values: first those of the documents by name, for in which order
// a source reads them is its own affair, then those that pipes made.
func (o *sinkOp) discover() {
	used := make([]bool, o.schema.Len())
	for i := range o.held {
		for s, v := range o.held[i].Vals {
			used[s] = used[s] || !v.IsNull()
		}
	}
	made := o.query.Columns.Names
	if o.query.Columns.First {
		o.place(made)
	}
	all := o.schema.Names()
	var found []int
	for s, n := range all {
		if used[s] && !slices.Contains(made, n) {
			found = append(found, s)
		}
	}
	if !o.query.Columns.First { // what came after known columns was made by a pipe, which has its own order
		slices.SortFunc(found, func(a, b int) int { return cmp.Compare(all[a], all[b]) })
	}
	for _, s := range found {
		o.names, o.slots = append(o.names, all[s]), append(o.slots, s)
	}
	if !o.query.Columns.First {
		o.place(made)
	}
}

// place adds columns whose names are known.
func (o *sinkOp) place(names []string) {
	for _, n := range names {
		o.names = append(o.names, n)
		o.slots = append(o.slots, o.schema.Slot(o.query.Columns.Resolve(n, o.query.TimeField())))
	}
}

func (o *sinkOp) columns() []row.Column {
	out := make([]row.Column, len(o.names))
	for i, n := range o.names {
		out[i] = row.Column{Name: n, Type: "null"}
		if i < len(o.types) {
			out[i].Type = o.types[i].name()
		}
	}
	return out
}

// typeSet is the kinds of the values of a column.
type typeSet uint16

func (t *typeSet) see(v row.Value) {
	if v.Kind() == row.List {
		for _, e := range v.Values() {
			*t |= 1 << e.Kind()
		}
		return
	}
	*t |= 1 << v.Kind()
}

func (t typeSet) name() string {
	t &^= 1 << row.Null
	switch {
	case t == 0:
		return "null"
	case t == 1<<row.Int|1<<row.Float:
		return "double"
	case t&(t-1) != 0:
		return "mixed"
	}
	for k := row.Bool; ; k++ {
		if t == 1<<k {
			return k.String()
		}
	}
}

// rowsOp is the last stage of a subsearch: it keeps the rows.
type rowsOp struct {
	link
	env    *env
	pipe   string
	schema *row.Schema
	rows   []row.Row
	most   int // more rows are an error; 0: no bound but memory
	err    error
	held   int
}

func (o *rowsOp) begin(schema *row.Schema) { o.schema = schema }

func (o *rowsOp) documents() bool { return false }

func (o *rowsOp) push(r *row.Row) error {
	if o.most > 0 && len(o.rows) >= o.most {
		return o.err
	}
	c := r.Clone()
	c.Doc = nil
	o.held += c.Size()
	if err := o.env.memory.hold(o.pipe, c.Size()); err != nil {
		return err
	}
	o.rows = append(o.rows, c)
	return nil
}

func (o *rowsOp) flush() error { return nil }
