package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/store"
)

// Run runs rules until ctx ends; then it returns nil. What fails is reported, and tried again.
func (d *Detector) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.watch(ctx) })
	g.Go(func() error { return d.schedule(ctx, g) })
	return g.Wait()
}

// do does one run, and plans the rule's next one. All is what its batch wants to know of what came late; left tells
// that it needs its backend no more, and gives whether it was too slow for company.
func (d *Detector) do(ctx context.Context, t task, all wanted, open func(context.Context) (query.Backend, error), left func() bool) {
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, timeout(t.set.rule.Every))
	err := d.run(within, ctx, t, all, open)
	cancel()
	slow := left()
	if ctx.Err() != nil {
		err = nil // told to stop: nothing was covered, and nothing failed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it was not done after %s: %w", timeout(t.set.rule.Every), err)
	}
	d.metrics.ran(map[bool]string{false: "due", true: "catch_up"}[t.catch], err, time.Since(began))
	if err != nil && !t.catch {
		d.fail(ctx, t, err)
	}
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	s, every := t.state, t.set.rule.Every
	defer d.tell()
	if t.catch {
		s.catching, s.holes = false, nil
		s.stuck = err
		defer d.end() // there may be more
		if err == nil {
			s.missed, s.retry = 0, time.Time{}
			if s.narrower > 0 {
				s.narrower--
			}
			return
		}
		d.log.Warn("a rule could not catch up what it missed", "rule", t.set.rule.Name, "from", store.Time(t.span.From), "to", store.Time(t.span.To), "error", err)
		s.missed++
		s.narrower = min(s.narrower+1, 12)
		s.retry = now.Add(backoff(s.missed, every))
		return
	}
	s.running, s.slow, s.took = false, slow, time.Since(began)
	s.due = turn(now, every, jitter(s.id, every))
	s.wait = time.Time{}
	next := s.due
	if err != nil {
		s.wait = now.Add(backoff(s.memory.Failures, every))
		s.due, next = now, s.wait
	}
	if next.Before(d.again) || len(t.timing.missed(s.memory.Covered, s.memory.Older, s.memory.Since, now.UnixMicro())) > 0 {
		d.end()
	}
}

// timeout is how long one run may take: longer than its interval, for a slow rule is better than a blind one.
func timeout(every time.Duration) time.Duration {
	return min(max(2*every, time.Minute), 10*time.Minute)
}

// run judges a task's span, or the window now due, and hands what comes of it to intake.
func (d *Detector) run(ctx, whole context.Context, t task, all wanted, open func(context.Context) (query.Backend, error)) error {
	set := t.set
	now := d.now()
	backend, err := open(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	memory := t.state.memory
	d.mu.Unlock()
	micros := now.UnixMicro()
	span := t.span
	if !t.catch {
		span = t.timing.current(micros, min(memory.Since, t.timing.since(micros)))
		if memory.Since == 0 {
			span = Span{t.timing.since(micros), t.timing.edge(micros)}
		}
	}
	span = t.timing.whole(span, micros)
	// What came late is looked for first: an event that comes after that is found the next time, and what is
	// judged below knows of all that was found.
	var came *came
	if !t.catch {
		if came, err = d.cameLate(ctx, set, backend, &memory, t.timing, all, now); err != nil {
			return err
		}
	}
	f := &found{}
	if !span.Empty() {
		if f, err = set.search.find(ctx, backend, span, now); err != nil {
			return err
		}
	}
	return d.settle(whole, t, span, f, came, backend, now)
}

// settle makes the result of a run on what is stored now, and waits until it is stored itself. One result of a
// rule at a time is under way.
func (d *Detector) settle(ctx context.Context, t task, span Span, f *found, came *came, b query.Backend, now time.Time) error {
	s, set := t.state, t.set
	select {
	case s.handing <- struct{}{}:
		defer func() { <-s.handing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	memory, holes := s.memory, s.holes
	d.mu.Unlock()
	e := &evaluation{rule: set, now: now, late: t.catch, recent: map[string]said{}, known: map[string]bool{}, rows: map[int64][]alert.Alert{}}
	e.lasting = set.ongoing()
	e.result.rule, e.result.memory = s.id, memory
	m := &e.result.memory
	m.begin(set, t.timing, now.UnixMicro())
	if m.Definition != set.definition {
		// What earlier versions covered stays covered, and the episodes they found stay: this one adds to them
		// where they meet, and undoes none.
		first := m.Definition == ""
		m.Definition, m.Swept = set.definition, 0
		if !first {
			if err := d.hand(ctx, result{rule: s.id, memory: *m, redefined: true}, nil); err != nil {
				return err
			}
		}
	}
	err := d.db.View(ctx, func(tx *store.Tx) error {
		e.past = stored{tx}
		if span.Empty() {
			return nil
		}
		return e.judged(span, f)
	})
	if err != nil {
		return err
	}
	e.illustrate(ctx, b, d.log)
	e.depict(ctx, b, d.log)
	if t.catch {
		m.Covered = m.Covered.Without(holes)
	}
	// What is older than the rule and judged needs no more memory: it is wanted again only if more comes.
	m.Older = m.Older.Without(m.Covered)
	m.Covered = m.Covered.Within(Span{m.Since, math.MaxInt64})
	if came != nil {
		came.into(m, &e.result)
		d.metrics.late.Add(float64(len(came.touched)))
	}
	if !t.catch {
		if err := d.ends(ctx, e, b); err != nil {
			return err
		}
	}
	if set.content != nil && s.worded != set.revision && slices.ContainsFunc(e.result.episodes, func(s Stored) bool { return s.Ongoing }) {
		e.result.text = &text{set.revision, set.content}
	}
	m.Ran = now.UnixMicro()
	if !t.catch {
		m.Worked, m.Failures, m.Error = m.Ran, 0, ""
	}
	if err := d.hand(ctx, e.result, e.alerts); err != nil {
		return err
	}
	d.metrics.alerts.Add(float64(len(e.alerts)))
	d.mu.Lock()
	defer d.mu.Unlock()
	s.memory = *m
	if !t.catch && !span.Empty() {
		slices.Sort(f.warnings)
		s.warnings = slices.Compact(f.warnings)
	}
	if e.result.text != nil {
		s.worded = set.revision
	}
	if came != nil && s.catching {
		s.holes = s.holes.Add(came.touched...)
	}
	return nil
}

// begin makes a memory ready for a run at now.
func (m *Memory) begin(set *ruleset, t timing, now int64) {
	first := t.since(now)
	if m.Since == 0 {
		m.Since = first
	}
	// Where the clock was set back, what lies ahead of it is not covered: it has yet to come.
	m.Since = min(m.Since, first)
	m.Covered = m.Covered.Within(Span{math.MinInt64, max(m.Since, t.edge(now))})
	m.Revision = set.revision
}

// fail keeps that a run failed.
func (d *Detector) fail(ctx context.Context, t task, failed error) {
	s := t.state
	select {
	case s.handing <- struct{}{}:
		defer func() { <-s.handing }()
	case <-ctx.Done():
		return
	}
	now := d.now()
	d.mu.Lock()
	m := s.memory
	d.mu.Unlock()
	if m.Failures == 0 {
		d.log.Warn("a rule failed", "rule", t.set.rule.Name, "source", t.set.source.Name, "error", failed)
	}
	m.begin(t.set, t.timing, now.UnixMicro())
	m.Ran = now.UnixMicro()
	m.Failures++
	m.Error = failed.Error()
	// Only its memory is written: what is not covered is caught up, even if this process ends.
	if err := d.hand(ctx, result{rule: s.id, memory: m}, nil); err != nil {
		return
	}
	d.mu.Lock()
	s.memory = m
	d.mu.Unlock()
}
