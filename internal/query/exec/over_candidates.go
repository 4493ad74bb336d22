package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Bounds of finding candidates: beyond them all events are read.
const (
	candidateKeys  = 10_000    // keys that a filter may name: a list of terms
	candidateParts = 150       // keys of several fields, or stretches of time, that it may name: clusters take 1,024 clauses, a stretch is up to five
	candidateReads = 8         // reads, one after another in time, that stretches may be named in
	candidateBins  = 4_000_000 // groups that are looked through for stretches of time
	candidateRows  = 20_000    // events that are read without looking for stretches of time first
)

// errMany says that there are too many candidates to name.
var errMany = errors.New("too many candidates")

// candidate is a key that may have a window which passes.
type candidate struct {
	keys  []row.Value
	spans []stretch // none: all of the time
}

// stretch is a part of time, [from, to) in nanoseconds.
type stretch struct{ from, to int64 }

// narrow adds to the read of a query that begins with sliding windows which keys, and where they have
// many events which stretches of time, can hold a window that passes the judges. A source that does
// not group exactly gets the read as it was. Where one filter cannot name all stretches there are several
// reads, of one stretch of time each, and no document is of two of them.
func (e *env) narrow(q *plan.Query, read plan.Read) ([]plan.Read, error) {
	whole := []plan.Read{read}
	c := q.Candidates()
	if c == nil || e.options.NoPushDown {
		return whole, nil
	}
	for _, b := range c.Aggregate.By {
		if b.Field.Name == "search" || b.Field.Name == "query" { // a value of these would be read as a filter
			return whole, nil
		}
	}
	if busy, done, err := e.busy(c, read); done || err != nil {
		return busy, err
	}
	found, rows, err := e.candidates(c, read)
	switch {
	case errors.Is(err, errMany) || err == nil && found == nil || len(c.Aggregate.By) > 1 && len(found) > candidateParts:
		return whole, nil
	case err != nil:
		return nil, fmt.Errorf("find the keys that may have %s: %w", c.Text, err)
	}
	if rows > float64(cmp.Or(e.options.CandidateRows, candidateRows)) {
		if err := e.stretches(c, read, found); err != nil && !errors.Is(err, errMany) {
			return nil, fmt.Errorf("find when keys may have %s: %w", c.Text, err)
		}
	}
	return e.reads(read, c.Aggregate.By, found)
}

// reads are those for the rows of candidates.
func (e *env) reads(read plan.Read, by []pipe.By, found map[string]*candidate) ([]plan.Read, error) {
	parts, err := apart(read, by, found)
	if err != nil && !errors.Is(err, errMany) {
		return nil, err
	}
	if len(parts) == 1 {
		return parts, nil
	}
	for _, part := range parts {
		pushed, err := e.options.Backend.Plan(e.ctx, part)
		if err != nil {
			return nil, err
		}
		if !pushed.Filter { // what is left of several filters would not be known after them
			parts = nil
			break
		}
	}
	if len(parts) > 0 {
		return parts, nil
	}
	for _, f := range found {
		f.spans = nil
	}
	one, err := only(read, by, found)
	return []plan.Read{one}, err
}

// apart cuts a read at times between which a filter can name all stretches that candidates have there. It
// reports errMany where that takes too many reads.
func apart(read plan.Read, by []pipe.By, found map[string]*candidate) ([]plan.Read, error) {
	var all []stretch
	for _, f := range found {
		all = append(all, f.spans...)
	}
	if len(all) <= candidateParts {
		one, err := only(read, by, found)
		return []plan.Read{one}, err
	}
	for _, f := range found {
		if len(f.spans) == 0 {
			return nil, errMany // of all of the time
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var cuts []int64
	open, first := []stretch{}, 0 // the stretches of the part, which begins at first
	for i, s := range all {
		if len(open) < candidateParts {
			open = append(open, s)
			continue
		}
		if s.from == all[first].from {
			return nil, errMany
		}
		cuts = append(cuts, s.from)
		open = slices.DeleteFunc(open, func(o stretch) bool { return o.to <= s.from })
		// Those that begin at the cut are of the part after it, though some of them were counted before.
		if open, first = append(open, s), i; len(open) > candidateParts || len(cuts) == candidateReads {
			return nil, errMany
		}
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if !read.Earliest.IsZero() {
		low = read.Earliest.UnixNano()
	}
	if !read.Latest.IsZero() {
		high = read.Latest.UnixNano()
	}
	var out []plan.Read
	for i := 0; i <= len(cuts); i++ {
		from, to := low, high
		part := read
		if i > 0 {
			from = max(low, cuts[i-1])
			part.Earliest = time.Unix(0, from).UTC()
		}
		if i < len(cuts) {
			to = min(high, cuts[i])
			part.Latest = time.Unix(0, to).UTC()
		}
		if from >= to {
			continue
		}
		of := map[string]*candidate{}
		for name, f := range found {
			var spans []stretch
			for _, s := range f.spans {
				if s.from < to && s.to > from {
					spans = append(spans, s)
				}
			}
			if len(spans) > 0 {
				of[name] = &candidate{keys: f.keys, spans: spans}
			}
		}
		if len(of) == 0 {
			continue
		}
		part, err := only(part, by, of)
		if err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	return out, nil
}

// only adds to a read that nothing but the rows of candidates is wanted.
func only(read plan.Read, by []pipe.By, found map[string]*candidate) (plan.Read, error) {
	filter, err := filterOf(by, read.TimeField, found)
	if err != nil {
		return read, err
	}
	if read.Filter != nil {
		filter = kql.NewAnd(read.Filter, filter)
	}
	read.Filter = filter
	return read, nil
}

// crowds is a backend that can tell when the values of a key have many rows. It calls emit with each
// value, the start of each such bin, in nanoseconds, and how many rows there may be at most, and reports false
// where it cannot tell them all.
type crowds interface {
	Busy(ctx context.Context, r plan.Read, b plan.Busy, emit func(key row.Value, bin, rows int64) error) (bool, plan.Cost, error)
}

// busy is narrow by the first key and the times when it has many rows, which is the quickest way where
// there are many keys and few of them pass.
func (e *env) busy(c *plan.Candidates, read plan.Read) ([]plan.Read, bool, error) {
	backend, ok := e.options.Backend.(crowds)
	ask := c.Busy()
	if !ok || ask == nil {
		return nil, false, nil
	}
	found := map[string]*candidate{}
	bins := map[string]map[int64]int64{}
	held := 0
	defer func() { e.memory.release(held) }()
	whole, cost, err := backend.Busy(e.ctx, read, *ask, func(key row.Value, bin, rows int64) error {
		if key.Kind() == row.String && key.Str() == "" {
			return errMany
		}
		name := keyOf([]row.Value{key})
		if found[name] == nil {
			if len(found) == candidateKeys {
				return errMany
			}
			found[name] = &candidate{keys: []row.Value{key.Own()}}
			bins[name] = map[int64]int64{}
		}
		bins[name][bin] = rows
		held += 40
		return e.memory.hold("stats over", 40)
	})
	e.cost.Add(cost)
	switch {
	case errors.Is(err, errMany) || err == nil && !whole:
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("find when keys have many rows: %w", err)
	}
	for name, f := range found {
		if f.spans = crowded(c, ask, bins[name]); len(f.spans) == 0 {
			delete(found, name)
		}
	}
	reads, err := e.reads(read, c.Aggregate.By[:1], found)
	return reads, true, err
}

// crowded are the stretches of time in which a key may have a window that passes, of the bins in which it has many
// rows. A window touches two neighbouring bins at most; of one that was not told it has fewer rows than many.
func crowded(c *plan.Candidates, ask *plan.Busy, bins map[int64]int64) (spans []stretch) {
	length := int64(ask.Bin)
	for bin, rows := range bins {
		beside := func(bin int64) float64 {
			if n, told := bins[bin]; told {
				return float64(rows + n)
			}
			return float64(rows + ask.Least - 1)
		}
		if c.Passes(beside(bin - length)) {
			spans = append(spans, stretch{bin - length, bin + length})
		}
		if c.Passes(beside(bin + length)) {
			spans = append(spans, stretch{bin, bin + 2*length})
		}
	}
	return joined(spans)
}

// candidates are the keys all of whose rows together pass, and how many rows they have; found is nil
// where the source does not group exactly.
func (e *env) candidates(c *plan.Candidates, read plan.Read) (found map[string]*candidate, rows float64, err error) {
	read.Aggregate = &c.Aggregate
	held := 0
	defer func() { e.memory.release(held) }()
	grouped, err := e.groups(read, c.Aggregate.By, func(key string, keys []row.Value, g reach) error {
		if !g.passes(c) {
			return nil
		}
		if len(found) >= candidateKeys {
			return errMany
		}
		for _, k := range keys {
			if k.Kind() == row.String && k.Str() == "" {
				return errMany // no filter asks for an empty text alone
			}
		}
		if found == nil {
			found = map[string]*candidate{}
		}
		for _, k := range keys {
			held += k.Size()
		}
		if err := e.memory.hold("stats over", len(key)+64); err != nil {
			return err
		}
		held += len(key) + 64
		found[key] = &candidate{keys: keys}
		rows += g.rows
		return nil
	})
	if grouped && found == nil && err == nil {
		found = map[string]*candidate{}
	}
	return found, rows, err
}

// stretches finds when candidates may have a window that passes: a window touches two neighbouring bins
// of its own length at most, so both together must pass.
func (e *env) stretches(c *plan.Candidates, read plan.Read, found map[string]*candidate) error {
	size := pipe.Size{Duration: pipe.Duration{N: c.Length / int64(time.Millisecond), Unit: "ms"}}
	if c.Length%int64(time.Millisecond) != 0 {
		return nil
	}
	const bin = "_candidate_bin"
	a := c.Aggregate
	a.By = append(slices.Clone(a.By), pipe.By{Field: pipe.Field{Name: read.TimeField}, Size: size, As: bin})
	read, err := only(read, c.Aggregate.By, found)
	if err != nil {
		return err
	}
	var untold reach // of a bin of too few rows to come
	if ask := c.Busy(); ask != nil {
		a.Least = ask.Least
		untold = reach{value: float64(ask.Least - 1), rows: float64(ask.Least - 1)}
	}
	read.Aggregate = &a
	byKey := map[string]map[int64]reach{}
	n := 0
	grouped, err := e.groups(read, a.By, func(_ string, keys []row.Value, g reach) error {
		if n++; n > candidateBins {
			return errMany
		}
		t, ok := keys[len(keys)-1].AsTime()
		if !ok {
			return errMany
		}
		k := keyOf(keys[:len(keys)-1])
		if found[k] == nil {
			return nil // another value of a document that has several
		}
		if byKey[k] == nil {
			byKey[k] = map[int64]reach{}
		}
		byKey[k][t] = g
		return nil
	})
	if err != nil || !grouped {
		return err
	}
	spans := map[string][]stretch{}
	for k, bins := range byKey {
		for t, g := range bins {
			if g.passes(c) {
				spans[k] = append(spans[k], stretch{t, t + c.Length})
			}
			next, told := bins[t+c.Length]
			if !told {
				next = untold
			}
			if g.with(next, c).passes(c) {
				spans[k] = append(spans[k], stretch{t, t + 2*c.Length})
			}
			if _, told := bins[t-c.Length]; !told && g.with(untold, c).passes(c) {
				spans[k] = append(spans[k], stretch{t - c.Length, t + c.Length})
			}
		}
		spans[k] = joined(spans[k])
	}
	for k, f := range found {
		if f.spans = spans[k]; len(f.spans) == 0 {
			delete(found, k)
		}
	}
	return nil
}

// joined are stretches in order, those that touch made one.
func joined(all []stretch) []stretch {
	slices.SortFunc(all, func(a, b stretch) int { return int(min(1, max(-1, a.from-b.from))) })
	var out []stretch
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// reach is what a grouping tells of one key.
type reach struct {
	value, rows, least float64
	odd                bool // the value is no number
}

func (g reach) passes(c *plan.Candidates) bool {
	return g.odd || g.least < 0 || c.Passes(g.value)
}

// with is the most that two groups can be together.
func (g reach) with(h reach, c *plan.Candidates) reach {
	out := reach{rows: g.rows + h.rows, least: min(g.least, h.least), odd: g.odd || h.odd, value: g.value + h.value}
	if c.Aggregate.Aggs[0].Func == "max" {
		out.value = max(g.value, h.value)
	}
	return out
}

// groups hands over the groups of a read. It reports false, and reads nothing, where the source would
// not group exactly.
func (e *env) groups(read plan.Read, by []pipe.By, each func(key string, keys []row.Value, g reach) error) (bool, error) {
	read.Fields, read.Documents, read.Top = nil, false, nil
	pushed, err := e.options.Backend.Plan(e.ctx, read)
	if err != nil || !pushed.Aggregate || len(pushed.Inexact) > 0 {
		return false, err
	}
	schema := row.NewSchema()
	slots := make([]int, len(by))
	for i, b := range by {
		slots[i] = schema.Slot(b.Column())
	}
	none := 0.0 // the value of a group that has nothing to aggregate
	if read.Aggregate.Aggs[0].Func == "max" {
		none = math.Inf(-1)
	}
	value, rows, least := schema.Slot(plan.CandidateValue), schema.Slot(plan.CandidateRows), schema.Slot(plan.CandidateLeast)
	cost, err := e.options.Backend.Rows(e.ctx, read, pushed, schema, func(r *row.Row) error {
		keys := make([]row.Value, len(slots))
		for i, s := range slots {
			keys[i] = r.Get(s).Own()
		}
		v := r.Get(value)
		g := reach{rows: number(r.Get(rows), 0), value: number(v, none), least: number(r.Get(least), 0)}
		g.odd = !v.IsNull() && !v.IsNumber()
		return each(keyOf(keys), keys, g)
	})
	e.cost.Add(cost)
	return true, err
}

// number is a value as a number, or another where it is none.
func number(v row.Value, other float64) float64 {
	if !v.IsNumber() {
		return other
	}
	return v.Float()
}

func keyOf(keys []row.Value) string {
	var b []byte
	for _, k := range keys {
		b = k.AppendKey(b)
	}
	return string(b)
}

// filterOf asks for the rows of candidates.
func filterOf(by []pipe.By, timeField string, found map[string]*candidate) (kql.Node, error) {
	either := make([]kql.Node, 0, len(found))
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := found[name]
		var all []kql.Node
		for i, b := range by {
			n, err := valueNode(b.Field.Name, f.keys[i])
			if err != nil {
				return nil, err
			}
			all = append(all, n)
		}
		var times []kql.Node
		for _, s := range f.spans {
			times = append(times, kql.NewAnd(bound(timeField, kql.GTE, s.from), bound(timeField, kql.LT, s.to)))
		}
		if len(times) > 0 {
			all = append(all, kql.NewOr(times...))
		}
		either = append(either, kql.NewAnd(all...))
	}
	return kql.NewOr(either...), nil
}

func bound(field string, op kql.Op, t int64) kql.Node {
	text := time.Unix(0, t).UTC().Format(time.RFC3339Nano)
	return &kql.Range{Field: kql.Word(field), Op: op, Value: kql.Phrase(text)}
}
