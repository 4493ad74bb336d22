package exec

import (
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// missingOp tells of the keys that have an event at t and none in (t, t+over]: judged at t+over.
type missingOp struct {
	detectOp
	by   *grouper
	over int64
	seen map[string]*keyed[[]termRun]
	last int
}

func (b *builder) missing(p *pipe.Missing) (op, *row.Schema, error) {
	over, _ := p.Over.Fixed()
	out := b.columnSchema()
	return &missingOp{detectOp: b.detect(), by: b.fieldKeys(b.slots(p.By)), over: int64(over), seen: map[string]*keyed[[]termRun]{}, last: out.Slot("last")}, out, nil
}

func (o *missingOp) push(r *row.Row) error {
	t, ok := o.at(r)
	if !ok {
		return nil
	}
	o.saw(t)
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k, err := ofKey(&o.detectOp, o.seen, key, values)
		if err != nil {
			return err
		}
		held := len(k.of)
		k.of = joinRun(k.of, t, o.over)
		if len(k.of) > held {
			return o.hold(40)
		}
		return nil
	})
}

// joinRun adds an event to runs of events no more than over apart.
func joinRun(runs []termRun, t, over int64) []termRun {
	near := func(a, b int64) bool { return b <= a || between(a, b) <= over }
	i, _ := slices.BinarySearchFunc(runs, t, func(run termRun, t int64) int {
		if near(run.last, t) {
			return 1
		}
		return -1
	})
	if i == len(runs) || t < runs[i].first && !near(t, runs[i].first) {
		return slices.Insert(runs, i, termRun{first: t, last: t})
	}
	run := &runs[i]
	run.first = min(run.first, t)
	if t > run.last {
		run.last = t
		if i+1 < len(runs) && near(t, runs[i+1].first) {
			run.last = runs[i+1].last
			return slices.Delete(runs, i+1, i+2)
		}
	}
	return runs
}

func (o *missingOp) flush() error {
	end := o.end()
	for _, k := range o.seen {
		for _, run := range k.of {
			at := later(run.last, o.over)
			if !o.wanted(at) || at >= end {
				continue
			}
			out := row.Row{Vals: slices.Clone(k.keys)}
			out.Set(o.last, row.NewTimeNano(run.last))
			o.say(at, k.keys, out)
		}
	}
	o.seen = nil
	return o.tell()
}
