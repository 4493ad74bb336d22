package exec

import (
	"slices"
	"sort"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// newTermsOp keeps, of each combination of values, the events before which there was none for a time: the
// event at t is new when there is none in (t-over, t). Of each combination only the runs of events that
// are nearer to each other than that are kept.
type newTermsOp struct {
	detectOp
	by   *grouper
	over int64
	seen map[string]*keyed[[]termRun]
}

// termRun is a stretch of time in which a combination never was away for long. Its row is that of its
// first event, nil where nobody asks for it.
type termRun struct {
	first, last int64
	row         *row.Row
}

func (b *builder) newTerms(p *pipe.NewTerms) (op, *row.Schema, error) {
	over, _ := p.Over.Fixed()
	return &newTermsOp{detectOp: b.detect(), by: b.fieldKeys(b.slots(p.Fields)), over: int64(over), seen: map[string]*keyed[[]termRun]{}}, b.in, nil
}

func (o *newTermsOp) push(r *row.Row) error {
	t, ok := o.at(r)
	if !ok {
		return nil
	}
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k, err := ofKey(&o.detectOp, o.seen, key, values)
		if err != nil {
			return err
		}
		return o.add(k, t, r)
	})
}

func (o *newTermsOp) add(k *keyed[[]termRun], t int64, r *row.Row) error {
	runs := k.of
	near := func(a, b int64) bool { return b <= a || between(a, b) < o.over }
	i := sort.Search(len(runs), func(i int) bool { return near(runs[i].last, t) })
	if i == len(runs) || t < runs[i].first && !near(t, runs[i].first) {
		kept, err := o.keep(k, t, r)
		if err != nil {
			return err
		}
		k.of = slices.Insert(runs, i, termRun{t, t, kept})
		return o.hold(40)
	}
	run := &runs[i]
	switch {
	case t < run.first:
		kept, err := o.keep(k, t, r)
		if err != nil {
			return err
		}
		run.first, run.row = t, kept
	case t > run.last:
		run.last = t
		if i+1 < len(runs) && near(t, runs[i+1].first) {
			run.last = runs[i+1].last
			k.of = slices.Delete(runs, i+1, i+2)
		}
	}
	return nil
}

// keep is the row of an event that may be new, each field with its value that is.
func (o *newTermsOp) keep(k *keyed[[]termRun], t int64, r *row.Row) (*row.Row, error) {
	if !o.wanted(t) {
		return nil, nil
	}
	own := r.Clone()
	for i, s := range o.by.slots {
		own.Set(s, k.keys[i])
	}
	return &own, o.hold(own.Size())
}

func (o *newTermsOp) flush() error {
	for _, k := range o.seen {
		for _, run := range k.of {
			if run.row != nil {
				o.say(run.first, k.keys, *run.row)
			}
		}
	}
	o.seen = nil
	return o.tell()
}
