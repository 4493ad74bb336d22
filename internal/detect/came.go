package detect

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/store"
)

// came is what came late: events taken in since the last run whose windows had been judged before.
type came struct {
	// touched are the windows that they take part in.
	touched Set
	// ingested is up to when, by the time of ingest, was looked; probe names what was seen there.
	ingested int64
	probe    string
	// began is, on a rule's first run, the time of ingest from which on an event can be late; else 0.
	began int64
	// swept is when counts were compared, 0 for not now; counts are those to keep.
	swept  int64
	counts []count
}

// The overlaps and bounds of looking for what came late.
const (
	// ingestOverlap is how much of the time of ingest is looked at again: an event is stamped before it can
	// be found. It is shorter than the least lookback, so that what comes in time is not judged twice.
	ingestOverlap = 30 * time.Second
	// newestFor is for how long the newest time of ingest of a source is taken to be that.
	newestFor = time.Second
	// sweepEvery and sweepBack are how often and how far back counts are compared.
	sweepEvery = 10 * time.Minute
	sweepBack  = 24 * time.Hour
	sweepBin   = 5 * time.Minute
)

// into takes the windows touched out of what is covered, so that they are judged again.
func (c *came) into(m *Memory, r *result) {
	m.Covered = m.Covered.Without(c.touched)
	var old []Span // of before the rule began: an event that comes now is judged whenever it happened
	for _, span := range c.touched {
		if span.From < m.Since {
			old = append(old, Span{span.From, min(span.To, m.Since)})
		}
	}
	m.Older = m.Older.Add(old...)
	m.Ingested, m.Probe = c.ingested, c.probe
	if c.began != 0 {
		m.Began = c.began
	}
	if c.swept != 0 {
		m.Swept = c.swept
	}
	r.counts = c.counts
}

// lookFor is what a rule wants to know of what came late before the window now due.
func lookFor(m *Memory, t timing, micros int64) wanted {
	due := t.current(micros, min(m.Since, t.since(micros)))
	if m.Since == 0 || m.Definition == "" {
		return wanted{forever, micro(due.From)} // nothing has been judged that could be late
	}
	return wanted{max(m.Ingested-ingestOverlap.Microseconds(), m.Began), micro(due.From)}
}

// cameLate looks for what came late before the window now due. All is what the whole batch wants to know.
func (d *Detector) cameLate(ctx context.Context, set *ruleset, b query.Backend, m *Memory, t timing, all wanted, now time.Time) (*came, error) {
	micros := now.UnixMicro()
	c := &came{}
	one := lookFor(m, t, micros)
	from := one.before.UnixMicro()
	var spans []Span
	seen := newTally()
	until, err := d.lately(ctx, set, b, one, all, now, func(event int64) {
		span := t.touched(floor(event, 1000) / 1000)
		if span.From >= from {
			return
		}
		seen.add(event)
		spans = append(spans, Span{span.From, min(span.To, max(from, span.From))})
		if len(spans) >= 4096 {
			spans = Of(spans...)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look for events that came late: %w", err)
	}
	c.ingested, c.probe = until, seen.String()
	if set.source.Late == nil { // stamps say nothing where nothing came
		c.ingested = max(until, m.Ingested)
	}
	if one.since == forever {
		c.ingested, c.probe = until, m.Probe
		if until > 0 && m.Since == 0 { // sources stamp to the millisecond
			c.began = floor(until, 1000) + 1000
		}
		return c, nil
	}
	// The events of the overlap are seen twice. Where nothing else came, they have been judged.
	if c.probe != m.Probe && len(spans) > 0 {
		c.touched = Of(spans...)
	}
	if d.stamps(set.source.Name) || micros-m.Swept < sweepEvery.Microseconds() && m.Swept <= micros {
		return c, nil
	}
	if err := d.sweep(ctx, set, b, m, t, now, c); err != nil {
		return nil, fmt.Errorf("compare counts of what was judged: %w", err)
	}
	return c, nil
}

// sweep compares how many events there are now in each stretch of what is covered with how many there were:
// it finds what came late where the source stamps no time of ingest.
func (d *Detector) sweep(ctx context.Context, set *ruleset, b query.Backend, m *Memory, t timing, now time.Time, c *came) error {
	micros := now.UnixMicro()
	c.swept = micros
	bin := sweepBin.Microseconds()
	span := Span{floor(max(micros-sweepBack.Microseconds(), m.Since), bin), floor(t.current(micros, m.Since).From, bin)}
	if span.Empty() {
		return nil
	}
	there, err := set.search.counts(ctx, b, span, sweepBin)
	if err != nil {
		return err
	}
	var before map[int64]int64
	err = d.db.View(ctx, func(tx *store.Tx) (err error) {
		before, err = countsOf(tx, set.rule.ID, span.From)
		return err
	})
	if err != nil {
		return err
	}
	for at := span.From; at < span.To; at += bin {
		n := there[at]
		if was, counted := before[at]; counted && was == n {
			continue
		}
		// One counted for the first time may have grown since it was judged.
		if n > 0 {
			from, to := t.touched(at).From, t.touched(at+bin-1).To
			c.touched = c.touched.Add(Span{from, min(to, max(span.To, from))})
		}
		c.counts = append(c.counts, count{at, n})
	}
	return nil
}

// tally names a bag of numbers, in whatever order they came.
type tally struct {
	n   int
	sum [2]uint64
}

func newTally() *tally { return &tally{} }

func (t *tally) add(v int64) {
	h := fnv.New128a()
	_ = binary.Write(h, binary.BigEndian, v) // a hash takes all
	s := h.Sum(nil)
	t.n++
	t.sum[0] += binary.BigEndian.Uint64(s)
	t.sum[1] += binary.BigEndian.Uint64(s[8:])
}

func (t *tally) String() string { return fmt.Sprintf("%x-%x-%x", t.n, t.sum[0], t.sum[1]) }
