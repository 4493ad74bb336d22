package exec

import (
	"cmp"
	"math/bits"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// sequenceOp finds events of a key that follow each other, as EQL's sequences do: of two that have come
// equally far the one begun later goes on, and an event takes a sequence one step further at most.
type sequenceOp struct {
	detectOp
	by      *grouper
	tests   []func(*row.Row) bool // of each step as written
	until   func(*row.Row) bool   // nil: none
	stages  []sequenceStage       // of each event to come
	never   uint64                // the steps that must not come after the last event
	span    int64                 // 0: no limit
	seen    map[string]*keyed[[]sequenceEvent]
	columns [3]int // first, last, events
}

// sequenceStage is one event to come, and the steps that must not come before it.
type sequenceStage struct {
	step  int
	never uint64
}

// sequenceEvent is an event that matches a step. Events of one time stand in the order of the steps.
type sequenceEvent struct {
	t     int64
	steps uint64
	until bool
}

func (e sequenceEvent) rank() int { return bits.TrailingZeros64(e.steps) }

// partial is a sequence that has begun.
type partial struct {
	times []int64
	by    int // the number of the event that came last
}

func (p *partial) first() int64 { return p.times[0] }

func (p *partial) last() int64 { return p.times[len(p.times)-1] }

func (b *builder) sequence(p *pipe.Sequence) (op, *row.Schema, error) {
	span, _ := p.MaxSpan.Fixed()
	out := b.columnSchema()
	o := &sequenceOp{detectOp: b.detect(), by: b.fieldKeys(b.slots(p.By)), span: int64(span), seen: map[string]*keyed[[]sequenceEvent]{}}
	for i, n := range []string{"first", "last", "events"} {
		o.columns[i] = out.Slot(n)
	}
	for i, f := range b.step.Conditions {
		test, err := b.kqlTest(f)
		if err != nil {
			return nil, nil, err
		}
		if i == len(p.Steps) {
			o.until = test
			continue
		}
		o.tests = append(o.tests, test)
		if p.Steps[i].Not {
			o.never |= 1 << i
			continue
		}
		for range p.Steps[i].Runs {
			o.stages = append(o.stages, sequenceStage{i, o.never})
			o.never = 0
		}
	}
	return o, out, nil
}

func (o *sequenceOp) push(r *row.Row) error {
	t, ok := o.at(r)
	if !ok {
		return nil
	}
	e := sequenceEvent{t: t}
	for i, test := range o.tests {
		if test(r) {
			e.steps |= 1 << i
		}
	}
	e.until = o.until != nil && o.until(r)
	if e.steps == 0 && !e.until {
		return nil
	}
	o.saw(t)
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k, err := ofKey(&o.detectOp, o.seen, key, values)
		if err != nil {
			return err
		}
		k.of = append(k.of, e)
		return o.hold(24)
	})
}

func (o *sequenceOp) flush() error {
	end := o.end()
	for _, k := range o.seen {
		slices.SortFunc(k.of, func(a, b sequenceEvent) int {
			return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.steps, b.steps), order(a.until, b.until))
		})
		if err := o.follow(k, end); err != nil {
			return err
		}
		k.of = nil
	}
	o.seen = nil
	return o.tell()
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// follow runs the events of a key through the steps.
func (o *sequenceOp) follow(k *keyed[[]sequenceEvent], end int64) error {
	begun := make([]*partial, len(o.stages)) // by how many events have come, less one
	var waiting []*partial                   // all events have come; what must not come has not yet
	for n, e := range k.of {
		if n&1023 == 0 {
			if err := o.env.ctx.Err(); err != nil {
				return err
			}
		}
		waiting = slices.DeleteFunc(waiting, func(p *partial) bool {
			if at := later(p.first(), o.span); at < e.t {
				o.complete(k.keys, p, at, end)
				return true
			}
			return e.steps&o.never != 0 // it came
		})
		for i := len(o.stages) - 1; i >= 0; i-- {
			st := o.stages[i]
			var p *partial
			if i > 0 {
				p = begun[i-1]
				if p != nil && (o.span > 0 && between(p.first(), e.t) > o.span || e.steps&st.never != 0) {
					p, begun[i-1] = nil, nil
				}
				if p == nil {
					continue
				}
			}
			if e.steps&(1<<st.step) == 0 {
				continue
			}
			next := &partial{by: n}
			if p != nil {
				next.times = append(slices.Clone(p.times), e.t)
				begun[i-1] = nil
			} else {
				next.times = []int64{e.t}
			}
			switch {
			case i < len(o.stages)-1:
				begun[i] = next
			case o.never != 0:
				waiting = append(waiting, next)
				if err := o.hold(48 + 8*len(next.times)); err != nil {
					return err
				}
			default:
				if err := o.hold(96 + 40*len(next.times)); err != nil {
					return err
				}
				o.complete(k.keys, next, e.t, end)
			}
		}
		if e.until {
			for i, p := range begun {
				if p != nil && p.by != n {
					begun[i] = nil
				}
			}
			waiting = slices.DeleteFunc(waiting, func(p *partial) bool { return p.by != n })
		}
	}
	for _, p := range waiting {
		o.complete(k.keys, p, later(p.first(), o.span), end)
	}
	return nil
}

// complete makes the row of a sequence that is whole at a time, if that is asked for and has come.
func (o *sequenceOp) complete(keys []row.Value, p *partial, at, end int64) {
	if !o.wanted(at) || at >= end {
		return
	}
	out := row.Row{Vals: slices.Clone(keys)}
	times := make([]row.Value, len(p.times))
	for i, t := range p.times {
		times[i] = row.NewTimeNano(t)
	}
	out.Set(o.columns[0], times[0])
	out.Set(o.columns[1], row.NewTimeNano(p.last()))
	out.Set(o.columns[2], row.NewList(times))
	o.say(at, keys, out)
}
