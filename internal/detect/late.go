package detect

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"tocsin/internal/query"
)

// arrivals are what a source took in lately, looked up once for all rules that run about then.
type arrivals struct {
	asked time.Time // by the process's own clock, which never steps
	// until is up to when, by the source's own time of ingest, it looked, in microseconds; 0 where nothing came.
	until int64
	// since is from when on, by the same time, before up to which event time.
	since  int64
	before time.Time
	// open gives what was taken in since then and happened before; nil where each rule has to ask for itself. none
	// says that there is nothing.
	open func() query.Backend
	none bool
}

// covers reports whether arrivals tell what was taken in since a time and happened before another. Those that tell of
// no event when it was taken in tell it of one time only.
func (a *arrivals) covers(since int64, before time.Time, exactly bool) bool {
	return !a.asked.IsZero() && time.Since(a.asked) < newestFor && (since == a.since || !exactly && since > a.since) && !before.After(a.before)
}

// forever is after every time of ingest.
const forever = math.MaxInt64

// wanted is what the runs of a batch want to know of what came late.
type wanted struct {
	since  int64 // by the source's time of ingest; forever wants to know only how far that is
	before time.Time
}

// arrived is the arrivals of one source as they were a moment ago. One at a time asks.
type arrived struct {
	asking chan struct{}
	last   arrivals
}

// arrivalsSlack is how much later events are held than a run wants, for those that run a moment later.
const arrivalsSlack = newestFor + time.Second

// arrivals tells what a source took in lately. What is wanted is of one rule, all of its whole batch.
func (d *Detector) arrivals(ctx context.Context, set *ruleset, b query.Backend, one, all wanted, now time.Time) (arrivals, error) {
	indices := set.rule.Indices
	if set.search.from != nil {
		indices = set.search.from
	}
	key := strings.Join(append([]string{set.source.Name, set.search.timeField, set.rule.TimestampFallback}, indices...), "\x00")
	d.mu.Lock()
	a := d.arrived[key]
	if a == nil {
		a = &arrived{asking: make(chan struct{}, 1)}
		d.arrived[key] = a
	}
	d.mu.Unlock()
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return arrivals{}, ctx.Err()
	}
	s := set.source
	if a.last.covers(one.since, one.before, s.Late != nil) {
		return a.last, nil
	}
	ask := wanted{min(one.since, all.since), all.before.Add(arrivalsSlack)}
	if all.before.Before(one.before) {
		ask.before = one.before.Add(arrivalsSlack)
	}
	next := arrivals{asked: time.Now(), since: ask.since, before: ask.before}
	switch {
	case s.Late != nil:
		next.since = one.since
		before := ask.before
		if set.search.timeField != s.timeField() { // the source knows of its own time only
			before = now.Add(100 * 365 * 24 * time.Hour)
		}
		open, n, until, err := s.Late(ctx, indices, one.since, before)
		if err != nil {
			return arrivals{}, err
		}
		next.open, next.none, next.until = open, n == 0, until
	case s.Hold != nil && ask.since != forever && set.rule.TimestampFallback == "":
		held, n, newest, err := s.Hold(ctx, b, Lately{
			From: set.search.from, Ingested: s.ingestedField(), Since: micro(ask.since).Truncate(time.Millisecond), TimeField: set.search.timeField, Before: ask.before,
		})
		if err != nil {
			return arrivals{}, err
		}
		if held != nil {
			next.open, next.none = func() query.Backend { return held }, n == 0
			next.until = sane(newest, now)
			break
		}
		fallthrough
	default:
		newest, err := set.search.newestIngested(ctx, b, a.last.until, now)
		if err != nil {
			return arrivals{}, err
		}
		next.until = sane(max(newest, a.last.until), now)
	}
	a.last = next
	return next, nil
}

// sane is a time of ingest that no source with a clock far ahead gave.
func sane(newest int64, now time.Time) int64 { return min(newest, now.Add(time.Hour).UnixMicro()) }

// lately gives to each the times, in nanoseconds, of the events a rule looks at that its source took in since a time
// and that happened before another, and tells up to when it looked.
func (d *Detector) lately(ctx context.Context, set *ruleset, b query.Backend, one, all wanted, now time.Time, each func(event int64)) (until int64, err error) {
	a, err := d.arrivals(ctx, set, b, one, all, now)
	if err != nil || a.none || one.since == forever {
		return a.until, err
	}
	events := set.search.events
	if a.open != nil {
		b, events = a.open(), set.search.at
	}
	err = set.search.ingested(ctx, b, events, set.source.Late == nil, micro(one.since), one.before, now, each)
	if err != nil {
		return 0, fmt.Errorf("read what was taken in since %s: %w", micro(one.since).Format(time.RFC3339), err)
	}
	return a.until, nil
}
