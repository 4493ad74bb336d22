package exec

import (
	"cmp"
	"errors"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// overOp slides a window along the events of each key. For every time t at which a key has an event
// there is one window, (t-length, t]. Windows that the judges keep and whose ends are less than
// length apart are one episode, and make one row: that of the window with the greatest first numeric
// aggregate, with the times of the episode's first and last event.
type overOp struct {
	link
	env    *env
	length int64
	step   int64 // times are cut to whole steps of the source's; 0 leaves them
	by     *grouper
	aggs   *aggregators
	time   int
	byKey  map[string]*overKey
	seq    int64
	late   int64 // rows without a time
	eager  []bool
	judge  op
	kept   *keepOp
	first  int
	last   int
	held   int
}

type overKey struct {
	keys   []row.Value
	events []overEvent
}

// overEvent is what one row gives each aggregate.
type overEvent struct {
	t    int64
	seq  int64
	vals []row.Value // null: nothing
}

// keepOp is the end of the judges: it keeps the last row that came through.
type keepOp struct {
	link
	row  row.Row
	have bool
}

func (o *keepOp) push(r *row.Row) error {
	o.row, o.have = *r, true
	return nil
}

func (o *keepOp) flush() error { return nil }

func (b *builder) over(p *pipe.Stats, judges []*plan.Step) (op, *row.Schema, error) {
	length, _ := p.Over.Fixed()
	o := &overOp{env: b.env, length: int64(length), step: b.env.step, by: b.grouper(p.By, p.UseNull), aggs: b.aggregators(p.Aggs), byKey: map[string]*overKey{}, kept: &keepOp{}}
	o.time = b.timeSlot()
	columns := windowColumns(p)
	windows := row.NewSchema(columns...)
	inner := &chain{env: b.env, query: b.query}
	if err := inner.steps(judges, windows); err != nil {
		return nil, nil, err
	}
	inner.add(o.kept, inner.out)
	o.judge = inner.ops[0]
	o.eager = eagerAggregates(o.aggs, judges, columns[len(p.By):])
	if b.env.options.Windows {
		for i := range o.eager {
			o.eager[i] = true
		}
	}
	out := inner.out
	o.first, o.last = out.Slot("first"), out.Slot("last")
	return o, out, nil
}

// eagerAggregates are those whose value is needed of every window: what the judges look at, and
// the first one that ranks windows. The others are only computed of windows that make a row.
func eagerAggregates(aggs *aggregators, judges []*plan.Step, columns []string) []bool {
	eager := make([]bool, len(columns))
	every := func() []bool {
		for i := range eager {
			eager[i] = true
		}
		return eager
	}
	used := map[string]bool{}
	for _, s := range judges {
		switch p := s.Pipe.(type) {
		case *pipe.Search:
			names, all := plan.Fields(s.Filter.Tree)
			if all || len(s.Filter.Subs) > 0 {
				return every()
			}
			for _, n := range names {
				used[n] = true
			}
		case *pipe.Where:
			for _, n := range pipe.Refs(p.Expr) {
				used[n] = true
			}
		case *pipe.Eval:
			for _, set := range p.Sets {
				for _, n := range pipe.Refs(set.Expr) {
					used[n] = true
				}
			}
		default:
			return every()
		}
	}
	for i, n := range columns {
		eager[i] = used[n]
	}
	for i := range columns {
		eager[i] = true
		if aggs.list[i].numeric {
			break
		}
	}
	return eager
}

func (o *overOp) push(r *row.Row) error {
	t, ok := r.Get(o.time).AsTime()
	if !ok {
		o.late++
		return nil
	}
	if o.step > 0 {
		t -= ((t % o.step) + o.step) % o.step
	}
	o.seq++
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k := o.byKey[string(key)]
		n := 0
		if k == nil {
			k = &overKey{}
			for _, v := range values {
				k.keys = append(k.keys, v.Own())
				n += v.Size()
			}
			n += len(key) + 64
			o.byKey[string(key)] = k
		}
		e := overEvent{t: t, seq: o.seq, vals: make([]row.Value, len(o.aggs.list))}
		for i := range o.aggs.list {
			if v, ok := o.aggs.list[i].input(r); ok {
				e.vals[i] = v.Own()
			}
			n += e.vals[i].Size()
		}
		k.events = append(k.events, e)
		o.held += n + 40
		return o.env.memory.hold("stats over", n+40)
	})
}

func (o *overOp) flush() error {
	if o.late > 0 {
		o.env.warn("stats over left out rows whose time is missing or is no time")
	}
	keys := make([]*overKey, 0, len(o.byKey))
	for _, k := range o.byKey {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b *overKey) int { return compareKeys(a.keys, b.keys) })
	o.byKey = nil
	for _, k := range keys {
		if err := o.slide(k); errors.Is(err, ErrStop) {
			break
		} else if err != nil {
			return err
		}
		k.events = nil
		if err := o.env.ctx.Err(); err != nil {
			return err
		}
	}
	o.env.memory.release(o.held)
	return o.next.flush()
}

// episode is what is known of the windows that survived and are near each other.
type episode struct {
	open        bool
	first, last int64 // the first event of the first window, the end of the last
	// lastFrom and lastTo are the events of the last window.
	lastFrom, lastTo int
	bestPerAgg       []bestWindow
}

// bestWindow is the window with the greatest value of one aggregate.
type bestWindow struct {
	v        row.Value
	from, to int
}

// slide judges every window of one key.
func (o *overOp) slide(k *overKey) error {
	events := k.events
	slices.SortStableFunc(events, func(a, b overEvent) int {
		if c := cmp.Compare(a.t, b.t); c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	})
	states := make([]slidingState, len(o.aggs.list))
	for i := range states {
		if o.eager[i] {
			states[i] = o.aggs.list[i].slide()
		}
	}
	var ep episode
	from := 0
	for i := 0; i < len(events); {
		to := i
		for to < len(events) && events[to].t == events[i].t {
			o.eachInput(states, events[to], addInput)
			to++
		}
		end := events[i].t
		for events[from].t <= end-o.length {
			o.eachInput(states, events[from], removeInput)
			from++
		}
		i = to
		vals := make([]row.Value, len(states))
		for a, s := range states {
			if s != nil {
				vals[a] = s.value()
			}
		}
		kept, err := o.judged(k.keys, vals)
		if err != nil {
			return err
		}
		if !kept {
			continue
		}
		if o.env.options.Windows {
			if err := o.window(events[from].t, end); err != nil {
				return err
			}
			continue
		}
		if ep.open && end-ep.last >= o.length {
			if err := o.emit(k, &ep); err != nil {
				return err
			}
		}
		ep.take(vals, from, to, events[from].t, end)
	}
	if ep.open {
		return o.emit(k, &ep)
	}
	return nil
}

// window makes a row of the window that was judged last, and kept.
func (o *overOp) window(first, last int64) error {
	out := o.kept.row.Clone()
	out.Set(o.first, row.NewTimeNano(first))
	out.Set(o.last, row.NewTimeNano(last))
	return o.next.push(&out)
}

// take adds a window that survived.
func (ep *episode) take(vals []row.Value, from, to int, first, end int64) {
	if !ep.open {
		*ep = episode{open: true, first: first, bestPerAgg: make([]bestWindow, len(vals))}
	}
	ep.last, ep.lastFrom, ep.lastTo = end, from, to
	for a, v := range vals {
		if best := &ep.bestPerAgg[a]; v.IsNumber() && (best.v.IsNull() || row.Order(v, best.v) > 0) {
			*best = bestWindow{v, from, to}
		}
	}
}

// window is the events of the window that makes the episode's row.
func (ep *episode) window() (from, to int) {
	for _, b := range ep.bestPerAgg {
		if !b.v.IsNull() {
			return b.from, b.to
		}
	}
	return ep.lastFrom, ep.lastTo
}

// judged pushes the row of a window through the judges.
func (o *overOp) judged(keys, vals []row.Value) (bool, error) {
	o.kept.have = false
	r := row.Row{Vals: append(slices.Clone(keys), vals...)}
	err := o.judge.push(&r)
	return o.kept.have, err
}

// emit makes the row of an episode.
func (o *overOp) emit(k *overKey, ep *episode) error {
	from, to := ep.window()
	vals := make([]row.Value, len(o.aggs.list))
	for a := range o.aggs.list {
		s := o.aggs.list[a].new()
		for _, e := range k.events[from:to] {
			if v := e.vals[a]; !v.IsNull() {
				s.add(input{v: v, t: e.t, at: true, seq: e.seq})
			}
		}
		vals[a] = s.value()
	}
	kept, err := o.judged(k.keys, vals)
	if err != nil || !kept {
		return err
	}
	ep.open = false
	out := o.kept.row
	out.Set(o.first, row.NewTimeNano(ep.first))
	out.Set(o.last, row.NewTimeNano(ep.last))
	return o.next.push(&out)
}

func (o *overOp) eachInput(states []slidingState, e overEvent, f func(slidingState, input)) {
	for a, s := range states {
		if v := e.vals[a]; s != nil && !v.IsNull() {
			f(s, input{v: v, t: e.t, at: true, seq: e.seq})
		}
	}
}

func addInput(s slidingState, in input) { s.add(in) }

func removeInput(s slidingState, in input) { s.remove(in) }

// windowColumns are the columns of a window's row as the judges see it.
func windowColumns(p *pipe.Stats) []string {
	var out []string
	for _, k := range p.By {
		out = append(out, k.Column())
	}
	for _, a := range p.Aggs {
		out = append(out, a.Column())
	}
	return out
}
