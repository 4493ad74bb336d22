package exec

import (
	"errors"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// eventStats holds the rows, aggregates them, and adds to each the aggregates of its keys. A row
// that lacks a key gets none; one with several values of a key gets those of its first.
func (b *builder) eventStats(p *pipe.EventStats) (op, *row.Schema, error) {
	g := newGroups(b.env, "eventstats", b.grouper(p.By, false), b.aggregators(p.Aggs))
	targets := b.targets(p.Aggs)
	hold := &holdOp{env: b.env, pipe: "eventstats"}
	hold.finish = func(rows []row.Row) []row.Row {
		values := map[string][]row.Value{}
		for i := range rows {
			_ = g.by.each(&rows[i], func(key []byte, _ []row.Value) error {
				vals, ok := values[string(key)]
				if !ok {
					for _, s := range g.byKey[string(key)].states {
						vals = append(vals, s.value())
					}
					values[string(key)] = vals
				}
				for a, to := range targets {
					rows[i].Set(to, vals[a])
				}
				return ErrStop
			})
		}
		return rows
	}
	return &eventStatsOp{holdOp: hold, groups: g}, b.in, nil
}

// targets are the slots of the columns that aggregates make.
func (b *builder) targets(aggs []pipe.Aggregate) []int {
	out := make([]int, len(aggs))
	for i, a := range aggs {
		out[i] = b.in.Slot(a.Column())
	}
	return out
}

type eventStatsOp struct {
	*holdOp
	groups *groups
}

func (o *eventStatsOp) push(r *row.Row) error {
	if err := o.groups.add(r); err != nil {
		return err
	}
	return o.holdOp.push(r)
}

// streamStatsOp adds to each row the aggregates of the rows up to it.
type streamStatsOp struct {
	link
	env         *env
	pipe        *pipe.StreamStats
	by          *grouper
	aggs        *aggregators
	time        int // -1: no window of time
	length      int64
	before      func(*row.Row) bool
	after       func(*row.Row) bool
	targets     []int
	byKey       map[string]*stream
	order       []*stream // of the rows in a window over all keys, the oldest first
	seq         int64
	lastKey     string
	haveLastKey bool
}

// stream is the window of one key.
type stream struct {
	states []slidingState
	events []streamEvent
}

type streamEvent struct {
	t    int64
	seq  int64
	vals []row.Value
	size int
}

func (b *builder) streamStats(p *pipe.StreamStats) (op, *row.Schema, error) {
	o := &streamStatsOp{env: b.env, pipe: p, by: b.grouper(p.By, false), aggs: b.aggregators(p.Aggs), time: -1, byKey: map[string]*stream{}}
	if !p.TimeWindow.IsZero() {
		length, _ := p.TimeWindow.Fixed()
		o.length, o.time = int64(length), b.timeSlot()
	}
	if p.ResetBefore != nil {
		o.before = b.condition(p.ResetBefore)
	}
	if p.ResetAfter != nil {
		o.after = b.condition(p.ResetAfter)
	}
	o.targets = b.targets(p.Aggs)
	return o, b.in, nil
}

func (o *streamStatsOp) push(r *row.Row) error {
	var key string
	has := false
	err := o.by.each(r, func(k []byte, _ []row.Value) error {
		key, has = string(k), true
		return ErrStop
	})
	if err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	if o.before != nil && o.before(r) || o.pipe.ResetOnChange && o.haveLastKey && key != o.lastKey {
		o.reset()
	}
	o.lastKey, o.haveLastKey = key, true
	if has {
		if err := o.row(r, key); err != nil {
			return err
		}
	}
	reset := o.after != nil && o.after(r)
	if err := o.next.push(r); err != nil {
		return err
	}
	if reset {
		o.reset()
	}
	return nil
}

func (o *streamStatsOp) reset() {
	for _, s := range o.byKey {
		for _, e := range s.events {
			o.env.memory.release(e.size)
		}
	}
	o.byKey, o.order = map[string]*stream{}, nil
}

// row adds a row to the window of its key and writes the aggregates.
func (o *streamStatsOp) row(r *row.Row, key string) error {
	s := o.byKey[key]
	if s == nil {
		s = &stream{}
		for i := range o.aggs.list {
			s.states = append(s.states, o.aggs.list[i].slide())
		}
		o.byKey[key] = s
		if err := o.env.memory.hold("streamstats", len(key)+100); err != nil {
			return err
		}
	}
	o.seq++
	e := streamEvent{seq: o.seq, vals: make([]row.Value, len(o.aggs.list)), size: 48}
	slot := o.time
	if slot < 0 {
		slot = o.aggs.time
	}
	at := false
	if slot >= 0 {
		e.t, at = r.Get(slot).AsTime()
	}
	for i := range o.aggs.list {
		if v, ok := o.aggs.list[i].input(r); ok {
			e.vals[i] = v.Own()
			e.size += v.Size()
		}
	}
	if o.time >= 0 && !at {
		return nil
	}
	if !o.pipe.Current {
		o.expire(s, e, o.pipe.Window)
		o.write(r, s)
	}
	for i, st := range s.states {
		if v := e.vals[i]; !v.IsNull() {
			st.add(input{v: v, t: e.t, at: at, seq: e.seq})
		}
	}
	// Without a window nothing ever leaves, so nothing is kept to be taken away.
	if o.pipe.Window > 0 || o.time >= 0 {
		s.events = append(s.events, e)
		if err := o.env.memory.hold("streamstats", e.size); err != nil {
			return err
		}
		if o.global() {
			o.order = append(o.order, s)
		}
	}
	if o.pipe.Current {
		o.expire(s, e, o.pipe.Window)
		o.write(r, s)
	}
	return nil
}

// global reports whether the window counts the rows of all keys.
func (o *streamStatsOp) global() bool {
	return o.pipe.Global && o.pipe.Window > 0 && len(o.by.slots) > 0
}

// expire takes away what has left the windows when e is the newest row.
func (o *streamStatsOp) expire(s *stream, e streamEvent, window int) {
	if o.global() {
		for len(o.order) > window {
			o.order[0].drop(o.env)
			o.order = o.order[1:]
		}
	} else if window > 0 {
		for len(s.events) > window {
			s.drop(o.env)
		}
	}
	if o.time >= 0 {
		for len(s.events) > 0 && (s.events[0].t <= e.t-o.length || s.events[0].t >= e.t+o.length) {
			s.drop(o.env)
		}
	}
}

// drop takes away the oldest row.
func (s *stream) drop(e *env) {
	if len(s.events) == 0 {
		return // its time had left the window already
	}
	oldest := s.events[0]
	s.events = s.events[1:]
	for i, st := range s.states {
		if v := oldest.vals[i]; !v.IsNull() {
			st.remove(input{v: v, t: oldest.t, at: true, seq: oldest.seq})
		}
	}
	e.memory.release(oldest.size)
}

func (o *streamStatsOp) write(r *row.Row, s *stream) {
	for i, to := range o.targets {
		r.Set(to, s.states[i].value())
	}
}
