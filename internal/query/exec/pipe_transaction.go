package exec

import (
	"cmp"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// transactionOp merges events of one key that follow each other into one row.
type transactionOp struct {
	*holdOp
	pipe             *pipe.Transaction
	slots            []int
	time             int
	maxSpan          int64
	maxPause         int64
	starts, ends     func(*row.Row) bool
	duration, events int
	closed           int // -1: not shown
	schema           *row.Schema
}

func (b *builder) transaction(p *pipe.Transaction) (op, *row.Schema, error) {
	o := &transactionOp{holdOp: &holdOp{env: b.env, pipe: "transaction"}, pipe: p, slots: b.slots(p.Fields), time: b.timeSlot(), closed: -1, schema: b.in}
	if d, ok := p.MaxSpan.Fixed(); ok {
		o.maxSpan = int64(d)
	}
	if d, ok := p.MaxPause.Fixed(); ok {
		o.maxPause = int64(d)
	}
	for i, c := range []*pipe.Condition{p.StartsWith, p.EndsWith} {
		var test func(*row.Row) bool
		switch {
		case c == nil:
		case c.Expr != nil:
			test = b.condition(c.Expr)
		default:
			var err error
			if test, err = b.kqlTest(b.step.Conditions[i]); err != nil {
				return nil, nil, err
			}
		}
		if i == 0 {
			o.starts = test
		} else {
			o.ends = test
		}
	}
	o.duration, o.events = b.in.Slot("duration"), b.in.Slot("eventcount")
	if p.KeepEvicted {
		o.closed = b.in.Slot("closed_txn")
	}
	o.finish = o.merge
	return o, b.in, nil
}

// openTransaction is one in the making.
type openTransaction struct {
	rows        []*row.Row
	first, last int64
}

// merge makes transactions of all rows, newest first.
func (o *transactionOp) merge(rows []row.Row) []row.Row {
	timed := make([]*row.Row, 0, len(rows))
	for i := range rows {
		if _, ok := rows[i].Get(o.time).AsTime(); ok {
			timed = append(timed, &rows[i])
		}
	}
	if len(timed) < len(rows) {
		o.env.warn("transaction left out rows whose time is missing or is no time")
	}
	at := func(r *row.Row) int64 { t, _ := r.Get(o.time).AsTime(); return t }
	slices.SortStableFunc(timed, func(a, b *row.Row) int { return cmp.Compare(at(a), at(b)) })
	var out []row.Row
	open := map[string]*openTransaction{}
	var order []string // keys in the order they came, for those never closed
	finish := func(key string, complete bool) {
		t := open[key]
		if t == nil {
			return
		}
		delete(open, key)
		if complete || o.pipe.KeepEvicted {
			out = append(out, o.row(t, complete))
		}
	}
	// Without endswith, ending by span, pause or a new start is the regular end.
	regular := o.ends == nil
	for _, r := range timed {
		key, ok := o.key(r)
		if !ok {
			continue
		}
		t := at(r)
		if cur := open[key]; cur != nil && (o.maxSpan > 0 && t-cur.first > o.maxSpan || o.maxPause > 0 && t-cur.last > o.maxPause) {
			finish(key, regular)
		}
		if o.starts != nil && o.starts(r) {
			finish(key, regular)
		} else if o.starts != nil && open[key] == nil {
			if o.pipe.KeepEvicted {
				out = append(out, o.row(&openTransaction{rows: []*row.Row{r}, first: t, last: t}, false))
			}
			continue
		}
		cur := open[key]
		if cur == nil {
			cur = &openTransaction{first: t}
			open[key] = cur
			order = append(order, key)
		}
		cur.rows, cur.last = append(cur.rows, r), t
		if o.ends != nil && o.ends(r) {
			finish(key, true)
		} else if o.pipe.MaxEvents > 0 && len(cur.rows) >= o.pipe.MaxEvents {
			finish(key, regular)
		}
	}
	for _, key := range order {
		finish(key, regular)
	}
	slices.SortStableFunc(out, func(a, b row.Row) int { return cmp.Compare(at(&b), at(&a)) })
	return out
}

func (o *transactionOp) key(r *row.Row) (string, bool) {
	var key []byte
	for _, s := range o.slots {
		v := r.Get(s)
		if v.IsNull() {
			return "", false
		}
		key = v.AppendKey(key)
	}
	return string(key), true
}

// row merges events: each field has the distinct values of all events, in order; the time is that of
// the first event.
func (o *transactionOp) row(t *openTransaction, complete bool) row.Row {
	var out row.Row
	for s := range o.schema.Len() {
		state := valuesState{}
		for _, r := range t.rows {
			if v := r.Get(s); !v.IsNull() {
				state.add(input{v: v})
			}
		}
		v := state.value()
		if one, ok := v.Single(); ok {
			v = one
		}
		out.Set(s, v)
	}
	out.Set(o.time, t.rows[0].Get(o.time))
	out.Set(o.duration, tidy(float64(t.last-t.first)/1e9))
	out.Set(o.events, row.NewInt(int64(len(t.rows))))
	if o.closed >= 0 {
		closed := int64(0)
		if complete {
			closed = 1
		}
		out.Set(o.closed, row.NewInt(closed))
	}
	return out
}
