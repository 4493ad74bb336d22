package exec

import (
	"math"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// lookback reads what a detection command needs of the time before the range that it judges. The verdicts of a
// short range depend on few of the events of a long history: those of the keys that the range itself has, and of
// each only back to where its verdict is settled. So the range is read first, then the past of its keys, in
// stretches that grow and while some key needs them. All that is read are true events of the history, and what
// is left out changes no verdict: the rows are those of reading all of it.
type lookback struct {
	env    *env
	read   plan.Read // what all stretches have in common
	by     []pipe.By
	first  op
	schema *row.Schema
	time   int
	of     remembering
}

// remembering is a command whose verdicts depend on history only through the keys of the range it judges.
type remembering interface {
	// look reads the range and what it needs of the past.
	look(l *lookback) error
	// unsettled are the keys whose verdicts may still depend on events before a time.
	unsettled(before int64) [][]row.Value
}

// growth is how much longer each stretch of the past is than the one after it.
const growth = 8

// lookback makes ready to read the history of the command that the query begins with; nil where all of it is to
// be read: where the range is open, where other pipes stand before it, and of a source that cannot find the
// events of a key exactly.
func (e *env) lookback(q *plan.Query, c *chain, read plan.Read, schema *row.Schema) (*lookback, error) {
	steps := q.Steps[q.Leading():]
	if e.options.NoPushDown || len(steps) == 0 || steps[0].Judged == nil || steps[0].Judged.From.IsZero() || steps[0].Judged.To.IsZero() {
		return nil, nil
	}
	l := &lookback{env: e, read: read, schema: schema, time: schema.Slot(read.TimeField)}
	for _, o := range c.ops {
		if t, ok := o.(*timed); ok {
			o = t.op
		}
		if r, ok := o.(remembering); ok {
			l.of = r
			break
		}
	}
	if l.of == nil || read.Aggregate != nil || read.Top != nil {
		return nil, nil
	}
	var fields []pipe.Field
	switch p := steps[0].Pipe.(type) {
	case *pipe.NewTerms:
		fields = p.Fields
	case *pipe.Missing:
		fields = p.By
	case *pipe.Spike:
		fields = p.By
	case *pipe.Changed:
		fields = p.By
	}
	for _, f := range fields {
		name := steps[0].In.Resolve(f.Name, q.TimeField())
		if name == "search" || name == "query" { // a value of these would be read as a filter
			return nil, nil
		}
		l.by = append(l.by, pipe.By{Field: pipe.Field{Name: name}, As: name})
	}
	// A source that groups by the keys exactly also finds the events of a key exactly.
	read.Fields, read.Documents, read.Aggregate = nil, false, l.counts()
	pushed, err := e.options.Backend.Plan(e.ctx, read)
	if err != nil {
		return nil, err
	}
	if !pushed.Aggregate || len(pushed.Inexact) > 0 {
		return nil, nil
	}
	return l, nil
}

// counts is a grouping by the keys.
func (l *lookback) counts() *plan.Aggregate {
	return &plan.Aggregate{By: l.by, Aggs: []pipe.Aggregate{{Func: "count", Written: "count", As: plan.CandidateValue}}}
}

// run reads all that the command needs.
func (l *lookback) run(first op) error {
	l.first = first
	return l.of.look(l)
}

// rows reads the events in [from, to), of some keys, or with none of all.
func (l *lookback) rows(from, to int64, keys [][]row.Value) error {
	if from >= to {
		return nil
	}
	if err := l.env.ctx.Err(); err != nil {
		return err
	}
	all := l.within(from, to)
	read, err := l.only(all, keys)
	if err != nil {
		return err
	}
	pushed, err := l.env.options.Backend.Plan(l.env.ctx, read)
	if err != nil {
		return err
	}
	if !pushed.Filter && len(keys) > 0 { // what is left of the filter would not be known after it
		read = all
		if pushed, err = l.env.options.Backend.Plan(l.env.ctx, read); err != nil {
			return err
		}
	}
	push := l.env.counted(l.first)
	cost, err := l.env.options.Backend.Rows(l.env.ctx, read, pushed, l.schema, func(r *row.Row) error {
		// A source may give a little more than it is asked for, and nothing is to come twice.
		if t, ok := r.Get(l.time).AsTime(); ok && (t < from || t >= to) {
			return nil
		}
		return push(r)
	})
	l.env.cost.Add(cost)
	return err
}

// back reads the past of the keys that are not settled, from before to floor, the nearest first.
func (l *lookback) back(before, floor, length int64) error {
	for length = max(length, int64(time.Second)); before > floor; {
		keys := l.of.unsettled(before)
		if len(keys) == 0 {
			return nil
		}
		low := floor
		if length < before-floor {
			low = before - length
		}
		if err := l.rows(low, before, keys); err != nil {
			return err
		}
		before = low
		if length < math.MaxInt64/growth {
			length *= growth
		}
	}
	return nil
}

// count counts the events of keys in [from, to). It reports false, and gives nothing, where they are to be read.
func (l *lookback) count(from, to int64, keys [][]row.Value, each func(key string, keys []row.Value, n int64) error) (bool, error) {
	if from >= to {
		return true, nil
	}
	read, err := l.only(l.within(from, to), keys)
	if err != nil {
		return false, err
	}
	read.Aggregate = l.counts()
	return l.env.groups(read, l.by, func(key string, values []row.Value, g reach) error { return each(key, values, int64(g.value)) })
}

func (l *lookback) within(from, to int64) plan.Read {
	read := l.read
	read.Earliest, read.Latest = time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
	return read
}

// only asks for the events of some keys, where so many can be named.
func (l *lookback) only(read plan.Read, keys [][]row.Value) (plan.Read, error) {
	most := candidateKeys
	if len(l.by) > 1 {
		most = candidateParts
	}
	if len(l.by) == 0 || len(keys) == 0 || len(keys) > most {
		return read, nil
	}
	found := make(map[string]*candidate, len(keys))
	for _, values := range keys {
		for _, v := range values {
			if v.Kind() == row.String && v.Str() == "" {
				return read, nil // no filter asks for an empty text alone
			}
		}
		found[keyOf(values)] = &candidate{keys: values}
	}
	return only(read, l.by, found)
}

// look reads the range, and of each term that is new in it the time before.
func (o *newTermsOp) look(l *lookback) error {
	if err := l.rows(o.since, o.before, nil); err != nil {
		return err
	}
	return l.back(o.since, o.since-o.over, o.before-o.since)
}

func (o *newTermsOp) unsettled(before int64) (keys [][]row.Value) {
	for _, k := range o.seen {
		for _, run := range k.of {
			if run.row != nil && run.first-o.over < before {
				keys = append(keys, k.keys)
				break
			}
		}
	}
	return keys
}

// look reads the events that are missed if none came after them, and then whether one did.
func (o *missingOp) look(l *lookback) error {
	length := o.before - o.since
	if length > o.over {
		return l.rows(o.since-o.over, o.before, nil)
	}
	if err := l.rows(o.since-o.over, o.before-o.over, nil); err != nil {
		return err
	}
	if keys := o.unsettled(o.before); len(keys) > 0 {
		if err := l.rows(o.since, o.before, keys); err != nil {
			return err
		}
	}
	return l.back(o.since, o.before-o.over, length)
}

func (o *missingOp) unsettled(int64) (keys [][]row.Value) {
	for _, k := range o.seen {
		for _, run := range k.of {
			if o.wanted(later(run.last, o.over)) {
				keys = append(keys, k.keys)
				break
			}
		}
	}
	return keys
}

// look reads the range, and of each key in it back to the event before that has the field.
func (o *changedOp) look(l *lookback) error {
	if err := l.rows(o.since, o.before, nil); err != nil {
		return err
	}
	return l.back(o.since, o.since-o.over, o.before-o.since)
}

func (o *changedOp) unsettled(before int64) (keys [][]row.Value) {
	for _, k := range o.seen {
		for f := range o.fields {
			first, older := int64(math.MaxInt64), false
			for i := range k.of {
				switch e := &k.of[i]; {
				case e.vals[f].IsNull():
				case e.row == nil:
					older = true
				default:
					first = min(first, e.t)
				}
			}
			if !older && first != math.MaxInt64 && first-o.over < before {
				keys = append(keys, k.keys)
				break
			}
		}
	}
	return keys
}

// look reads the buckets that are judged, and of those that have enough events how many there were in the buckets
// they are compared with.
func (o *spikeOp) look(l *lookback) error {
	low, high := o.bucketOf(o.since), o.bucketOf(o.before) // high itself is not over yet
	if low >= high {
		return nil
	}
	at := func(bucket int64) int64 { return bucket * o.length }
	count, shift := o.buckets.Count, o.buckets.Shift
	if high-low > count { // no bucket is in what all of them are compared with
		return l.rows(at(low-shift-count), at(high), nil)
	}
	if err := l.rows(at(low), at(high), nil); err != nil {
		return err
	}
	keys := o.unsettled(o.since)
	if len(keys) == 0 {
		return nil
	}
	if err := l.rows(at(low-shift-count), at(high-1-shift-count), keys); err != nil {
		return err
	}
	counted, err := l.count(at(high-1-shift-count), at(low-shift), keys, func(key string, values []row.Value, n int64) error {
		k, err := ofKey(&o.detectOp, o.counts, []byte(key), values)
		if err != nil {
			return err
		}
		if k.of == nil {
			k.of = map[int64]int64{}
		}
		k.of[low-shift-1] += n
		return o.hold(40)
	})
	if err == nil && !counted {
		err = l.rows(at(high-1-shift-count), at(low-shift), keys)
	}
	if err != nil {
		return err
	}
	return l.rows(at(low-shift), at(min(high-1-shift, low)), keys)
}

func (o *spikeOp) unsettled(int64) (keys [][]row.Value) {
	for _, k := range o.counts {
		for bucket, n := range k.of {
			if n >= o.least && o.judged(bucket) {
				keys = append(keys, k.keys)
				break
			}
		}
	}
	return keys
}
