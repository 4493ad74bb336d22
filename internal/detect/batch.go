package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/query"
)

// task is a run to be done.
type task struct {
	state *state
	set   *ruleset
	// span is what it judges; catch says that this is something missed, and not the window now due.
	span  Span
	catch bool
	// turn is when it should have begun.
	turn   time.Time
	timing timing
}

// place names what a task reads: tasks of one place share requests.
func (t *task) place() string {
	return strings.Join(append([]string{t.set.source.Name, t.set.search.timeField, t.set.rule.TimestampFallback}, t.set.rule.Indices...), "\x00")
}

// lane is what batches of a source are counted by.
type lane int

const (
	dueLane    lane = iota // windows now due
	missedLane             // what was missed, at most half of all workers
	slowLane               // runs that take long, which leave the workers to others
	lanes
)

// The bounds of batches.
const (
	// batchMost and missedMost are how many runs are in a batch.
	batchMost  = 32
	missedMost = 4
	// slowAfter is how long a batch may take until what is left of it counts as slow.
	slowAfter = 5 * time.Second
)

// flight is a batch under way.
type flight struct {
	source string
	lane   lane
	began  time.Time
	tasks  []task
	// all is what its tasks want to know of what came late.
	all wanted
}

// lookAgain is after how long it is looked for what is due in any case: a clock may step.
const lookAgain = 10 * time.Second

// schedule begins runs when they are due.
func (d *Detector) schedule(ctx context.Context, g *errgroup.Group) error {
	for refresh := true; ; {
		now := d.now()
		d.mu.Lock()
		if refresh {
			d.refresh(now)
		}
		flights := d.pick(now)
		wait := time.NewTimer(max(d.again.Sub(now), time.Millisecond))
		d.mu.Unlock()
		for _, f := range flights {
			g.Go(func() error {
				d.fly(ctx, f)
				return nil
			})
		}
		refresh = false
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-d.wake:
			refresh = true
		case <-d.ended:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// pick chooses what is to begin now, on each source for itself: of the windows now due all that there are workers
// for, the longest due first; then of what was missed the oldest, with at most half of the workers. Runs of one place
// are one batch, those known to be slow have one each. It notes when to look again. The caller holds d.mu.
func (d *Detector) pick(now time.Time) []*flight {
	d.again, d.starved = now.Add(lookAgain), false
	var due, missed []task
	behind := int64(0)
	micros := now.UnixMicro()
	for _, s := range d.states {
		if s.set == nil {
			continue
		}
		t := d.timingOf(s.set)
		// A clock that was set back makes no rule wait for it to come back.
		if most := now.Add(s.set.rule.Every + time.Minute); s.due.After(most) {
			s.due = turn(now, s.set.rule.Every, jitter(s.id, s.set.rule.Every))
		}
		if s.wait.After(now.Add(10 * time.Minute)) {
			s.wait = now
		}
		if s.retry.After(now.Add(10 * time.Minute)) {
			s.retry = now
		}
		at := s.due
		if s.wait.After(at) {
			at = s.wait
		}
		switch {
		case s.running:
		case at.After(now):
			d.again = earlier(d.again, at)
		default:
			due = append(due, task{state: s, set: s.set, turn: at, timing: t})
		}
		if s.memory.Since == 0 {
			continue
		}
		gaps := t.missed(s.memory.Covered, s.memory.Older, s.memory.Since, micros)
		behind += gaps.Length()
		if s.catching || len(gaps) == 0 || s.memory.Failures > 0 {
			continue
		}
		if s.retry.After(now) {
			d.again = earlier(d.again, s.retry)
			continue
		}
		t.Chunk >>= s.narrower
		missed = append(missed, task{state: s, set: s.set, span: t.next(gaps), catch: true, timing: t})
	}
	d.metrics.behind.Set(float64(behind) / 1e6)
	slices.SortFunc(due, func(a, b task) int { return cmp.Or(a.turn.Compare(b.turn), cmp.Compare(a.state.id, b.state.id)) })
	slices.SortFunc(missed, func(a, b task) int {
		return cmp.Or(cmp.Compare(a.span.From, b.span.From), cmp.Compare(a.state.id, b.state.id))
	})
	p := &picking{d: d, counts: d.flying(), open: map[string]*flight{}}
	for _, t := range due {
		p.add(t)
	}
	clear(p.open)
	for _, t := range missed {
		p.add(t)
	}
	for _, f := range p.flights {
		d.flights[f] = struct{}{}
		for _, t := range f.tasks {
			if t.catch {
				t.state.catching, t.state.holes = true, nil
				continue
			}
			t.state.running = true
			d.metrics.lag.Observe(now.Sub(t.turn).Seconds())
			w := lookFor(&t.state.memory, t.timing, micros)
			f.all.since = min(f.all.since, w.since)
			if w.before.After(f.all.before) {
				f.all.before = w.before
			}
		}
	}
	return p.flights
}

// flying counts the batches under way by source, and takes those that have been so for long as slow. The caller
// holds d.mu.
func (d *Detector) flying() map[string]*[lanes]int {
	counts := map[string]*[lanes]int{}
	of := func(f *flight) *[lanes]int {
		if counts[f.source] == nil {
			counts[f.source] = &[lanes]int{}
		}
		return counts[f.source]
	}
	for f := range d.flights {
		of(f)[f.lane]++
	}
	now := time.Now()
	for f := range d.flights {
		c := of(f)
		if f.lane != dueLane {
			continue
		}
		if left := slowAfter - now.Sub(f.began); left > 0 {
			d.again = earlier(d.again, d.now().Add(left))
		} else if c[slowLane] < d.options.Workers {
			f.lane = slowLane
			c[dueLane]--
			c[slowLane]++
		}
	}
	return counts
}

// picking makes batches of tasks.
type picking struct {
	d       *Detector
	counts  map[string]*[lanes]int
	open    map[string]*flight // batches that take more
	flights []*flight
}

// add takes a task into a batch, if there is one to take it or a worker for a new one.
func (p *picking) add(t task) {
	which, most := dueLane, batchMost
	switch {
	case t.catch:
		which, most = missedLane, missedMost
	case t.state.slow:
		which, most = slowLane, 1
	}
	place := t.place()
	if f := p.open[place]; f != nil && which != slowLane && len(f.tasks) < most {
		f.tasks = append(f.tasks, t)
		return
	}
	source := t.set.source.Name
	c := p.counts[source]
	if c == nil {
		c = &[lanes]int{}
		p.counts[source] = c
	}
	workers := p.d.options.Workers
	half := max(1, workers/2)
	if which == slowLane && c[slowLane] >= half || which != slowLane && c[dueLane]+c[missedLane] >= workers || which == missedLane && c[missedLane] >= half {
		p.d.starved = true
		return
	}
	c[which]++
	f := &flight{source: source, lane: which, began: time.Now(), tasks: []task{t}, all: wanted{since: forever}}
	p.flights = append(p.flights, f)
	if which != slowLane {
		p.open[place] = f
	}
}

// fly does the runs of a batch, all at once.
func (d *Detector) fly(ctx context.Context, f *flight) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.flights, f)
		if d.starved {
			d.end()
		}
	}()
	source := f.tasks[0].set.source
	open := func(ctx context.Context, i int) (query.Backend, error) {
		return source.Open(ctx, f.tasks[i].set.rule.Indices)
	}
	leave := func(int) bool { return false }
	if source.Share != nil && len(f.tasks) > 1 {
		b, err := source.Open(ctx, f.tasks[0].set.rule.Indices)
		if err == nil {
			var runs []query.Backend
			runs, leave = source.Share(ctx, b, len(f.tasks))
			open = func(_ context.Context, i int) (query.Backend, error) { return runs[i], nil }
		} else {
			open = func(context.Context, int) (query.Backend, error) { return nil, err }
		}
	}
	var g errgroup.Group
	for i, t := range f.tasks {
		g.Go(func() error {
			began := time.Now()
			d.do(ctx, t, f.all, func(ctx context.Context) (query.Backend, error) {
				b, err := open(ctx, i)
				if err != nil {
					return nil, fmt.Errorf("open source %s: %w", source.Name, err)
				}
				return b, nil
			}, func() bool {
				// Alone, a run is slow that would not have been waited for.
				return leave(i) || len(f.tasks) == 1 && time.Since(began) >= slowAfter
			})
			return nil
		})
	}
	_ = g.Wait() // runs give no errors here
}

// end tells that something ended which lets something else begin. It never blocks.
func (d *Detector) end() {
	select {
	case d.ended <- struct{}{}:
	default:
	}
}
