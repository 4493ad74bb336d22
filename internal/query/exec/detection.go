package exec

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"tocsin/internal/row"
)

// detectOp is what the detection commands share: the times they judge, the time of rows, and what they hold.
// What each says is a function of the set of events alone: in which order they come does not matter, and
// the verdicts of two ranges that meet are those of both together.
type detectOp struct {
	link
	env    *env
	name   string
	time   int
	since  int64 // verdicts of times from this on are wanted
	before int64 // and of times before this
	open   bool  // the range has no end
	newest int64 // the time of the newest event that came
	some   bool  // an event came
	late   bool  // a row without a time came
	held   int
	out    []verdict
}

// verdict is one row to be, at its time and of its key.
type verdict struct {
	t    int64
	keys []row.Value
	row  row.Row
}

func (b *builder) detect() detectOp {
	j := b.step.Judged
	o := detectOp{env: b.env, name: b.step.Pipe.Name(), time: b.timeSlot(), since: math.MinInt64, before: math.MaxInt64, open: j.To.IsZero()}
	if !j.From.IsZero() {
		o.since = j.From.UnixNano()
	}
	if !o.open {
		o.before = j.To.UnixNano()
	}
	return o
}

// at is the time of a row. Rows without one are left out, and told of.
func (o *detectOp) at(r *row.Row) (int64, bool) {
	t, ok := r.Get(o.time).AsTime()
	if !ok {
		o.late = true
		return 0, false
	}
	return t, true
}

// saw notes the time of an event that counts.
func (o *detectOp) saw(t int64) {
	if !o.some || t > o.newest {
		o.newest, o.some = t, true
	}
}

func (o *detectOp) wanted(t int64) bool { return t >= o.since && t < o.before }

// end is the time up to which, itself left out, what has not come is known not to have come: the end of
// the range, or where it has none the newest event.
func (o *detectOp) end() int64 {
	switch {
	case !o.open:
		return o.before
	case !o.some:
		return math.MinInt64
	}
	return later(o.newest, 1)
}

func (o *detectOp) hold(n int) error {
	o.held += n
	return o.env.memory.hold(o.name, n)
}

// say adds a row to the answer.
func (o *detectOp) say(t int64, keys []row.Value, r row.Row) {
	o.out = append(o.out, verdict{t, keys, r})
}

// tell hands on what was said, by time and key.
func (o *detectOp) tell() error {
	if o.late {
		o.env.warn(o.name + " left out rows whose time is missing or is no time")
	}
	slices.SortStableFunc(o.out, func(a, b verdict) int {
		return cmp.Or(cmp.Compare(a.t, b.t), compareKeys(a.keys, b.keys))
	})
	for i := range o.out {
		if err := o.next.push(&o.out[i].row); err != nil {
			if errors.Is(err, ErrStop) {
				break
			}
			return err
		}
	}
	o.out = nil
	o.env.memory.release(o.held)
	return o.next.flush()
}

// later is t+d, or the last time there is.
func later(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

// between is b-a for a <= b, or the longest time there is.
func between(a, b int64) int64 {
	if d := b - a; d >= 0 {
		return d
	}
	return math.MaxInt64
}

// keyed are the values of each key.
type keyed[T any] struct {
	keys []row.Value
	of   T
}

// ofKey is what is known of a key, made if it is new.
func ofKey[T any](o *detectOp, all map[string]*keyed[T], key []byte, values []row.Value) (*keyed[T], error) {
	if k := all[string(key)]; k != nil {
		return k, nil
	}
	k := &keyed[T]{}
	n := len(key) + 96
	for _, v := range values {
		k.keys = append(k.keys, v.Own())
		n += v.Size()
	}
	all[string(key)] = k
	return k, o.hold(n)
}

// fieldKeys makes a grouper of fields.
func (b *builder) fieldKeys(slots []int) *grouper {
	return &grouper{slots: slots, keys: make([]row.Value, len(slots)), bins: make([]func(row.Value) row.Value, len(slots))}
}

// columnSchema is the schema of a command that makes rows of its own.
func (b *builder) columnSchema() *row.Schema { return row.NewSchema(b.step.Out.Names...) }
