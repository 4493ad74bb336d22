package exec

import (
	"bytes"
	"cmp"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// changedOp keeps the events at which a field has another value than at the event of its key before it
// that has the field, if that was less than over ago.
type changedOp struct {
	detectOp
	by       *grouper
	fields   []int
	previous []int
	over     int64
	seen     map[string]*keyed[[]changedEvent]
	seq      int64
}

// changedEvent is one event of a key. Events of one time stand in the order of their values, so that the
// answer does not depend on the order in which a source gives them.
type changedEvent struct {
	t    int64
	seq  int64
	key  []byte // of vals
	vals []row.Value
	row  *row.Row // nil where nobody asks for it
}

func (b *builder) changed(p *pipe.Changed) (op, *row.Schema, error) {
	o := &changedOp{detectOp: b.detect(), by: b.fieldKeys(b.slots(p.By)), fields: b.slots(p.Fields), over: int64(b.step.Judged.History), seen: map[string]*keyed[[]changedEvent]{}}
	for _, f := range p.Fields {
		o.previous = append(o.previous, b.in.Slot("previous."+f.Name))
	}
	return o, b.in, nil
}

func (o *changedOp) push(r *row.Row) error {
	t, ok := o.at(r)
	if !ok {
		return nil
	}
	e := changedEvent{t: t, seq: o.seq}
	o.seq++
	some := false
	n := 64
	for _, s := range o.fields {
		v := r.Get(s).Own()
		some = some || !v.IsNull()
		e.vals = append(e.vals, v)
		e.key = v.AppendKey(e.key)
		n += v.Size()
	}
	if !some {
		return nil
	}
	n += len(e.key)
	if o.wanted(t) {
		own := r.Clone()
		e.row = &own
		n += own.Size()
	}
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k, err := ofKey(&o.detectOp, o.seen, key, values)
		if err != nil {
			return err
		}
		k.of = append(k.of, e)
		return o.hold(n)
	})
}

func (o *changedOp) flush() error {
	for _, k := range o.seen {
		slices.SortFunc(k.of, func(a, b changedEvent) int {
			return cmp.Or(cmp.Compare(a.t, b.t), bytes.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq))
		})
		o.compare(k)
	}
	o.seen = nil
	return o.tell()
}

// compare walks the events of a key in order.
func (o *changedOp) compare(k *keyed[[]changedEvent]) {
	last := make([]*changedEvent, len(o.fields)) // the last event with each field
	for i := range k.of {
		e := &k.of[i]
		changed := false
		before := make([]row.Value, len(o.fields))
		for f, v := range e.vals {
			if v.IsNull() {
				continue
			}
			if p := last[f]; p != nil && between(p.t, e.t) < o.over {
				before[f] = p.vals[f]
				changed = changed || !bytes.Equal(p.vals[f].AppendKey(nil), v.AppendKey(nil))
			}
			last[f] = e
		}
		if !changed || e.row == nil {
			continue
		}
		out := *e.row
		out.Vals = slices.Clone(out.Vals)
		for i, s := range o.by.slots {
			out.Set(s, k.keys[i])
		}
		for f, s := range o.previous {
			out.Set(s, before[f])
		}
		o.say(e.t, k.keys, out)
	}
}
