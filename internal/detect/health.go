package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/sleep"
)

// sourceHealth is what is known of a source beside its rules.
type sourceHealth struct {
	// delay is how much later than they happen events are taken in: of a thousand all but one.
	delay time.Duration
	// stamps says that all events looked at had a time of ingest.
	stamps bool
	// seen is the time of the newest event, zero before one was.
	seen time.Time
	// reached is when the source answered last.
	reached time.Time
}

// stamps reports whether a source tells of each event when it was taken in.
func (d *Detector) stamps(source string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.health[source]
	return h != nil && h.stamps
}

// The intervals and bounds of looking after sources.
const (
	watchEvery  = time.Minute
	measured    = 5000 // events the delay is measured on
	mostDelay   = time.Hour
	notRunAfter = 15 * time.Minute
	longSilence = 7 * 24 * time.Hour // a source without an event for longer is taken for one that never had any
	// vanishedEvery is how many rounds pass from one look for fields and indices to the next.
	vanishedEvery = 5
)

// watch looks after sources and rules: how late events come, whether any come at all, whether what rules search is
// there, and whether rules run. What is wrong becomes an alert, and its end that alert's end.
func (d *Detector) watch(ctx context.Context) error {
	w := &ward{d: d, began: d.now(), runs: map[string]time.Time{}, stuck: map[string]time.Time{}, known: map[string]*surroundings{}, gone: map[string][]ailment{}, idles: map[string]idleness{}}
	old := true // there may be something to forget
	for round := 0; ; round++ {
		for name, s := range d.sources {
			if err := d.look(ctx, name, s); err != nil && ctx.Err() == nil {
				d.log.Debug("a source could not be looked at", "source", name, "error", err)
			}
		}
		if round > 0 { // rules have had the time to run
			if round%vanishedEvery == 1 {
				if err := w.survey(ctx); err != nil && ctx.Err() == nil {
					d.log.Warn("whether what rules search is there could not be seen", "error", err)
				}
			}
			if err := w.tell(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("what ails rules could not be told", "error", err)
			}
			if err := w.unfollow(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("what nobody follows any more could not be ended", "error", err)
			}
			if old || round%pruneEvery == 0 {
				var err error
				if old, err = d.prune(ctx); err != nil && ctx.Err() == nil {
					d.log.Warn("what is old could not be forgotten", "error", err)
				}
			}
		}
		if sleep.For(ctx, watchEvery) != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
}

// look measures a source on its newest events.
func (d *Detector) look(ctx context.Context, name string, s *Source) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b, err := s.Open(ctx, nil)
	if err != nil {
		return err
	}
	now := d.now()
	back := max(d.options.Silence, 15*time.Minute)
	q, err := query.Compile(fmt.Sprintf("* | head %d | fields %s, %s", measured, quoteField(s.timeField()), quoteField(s.ingestedField())),
		query.Options{TimeField: s.timeField(), Now: now, Earliest: now.Add(-back), Latest: now.Add(time.Hour)})
	if err != nil {
		return err
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: b})
	if err != nil {
		return err
	}
	var (
		delays []time.Duration
		newest time.Time
		lack   = false
	)
	for i := range result.Rows {
		r := &result.Rows[i]
		at, ok := r.Get(0).AsTime()
		if !ok {
			continue
		}
		if t := time.Unix(0, at).UTC(); t.After(newest) {
			newest = t
		}
		in, ok := r.Get(1).AsTime()
		if !ok {
			lack = true
			continue
		}
		delays = append(delays, time.Duration(in-at))
	}
	d.mu.Lock()
	unseen := newest.IsZero() && d.health[name].seen.IsZero()
	d.mu.Unlock()
	if unseen { // it may have been silent for longer than this process lives
		if newest, err = lastEvent(ctx, b, s, now); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.health[name]
	h.reached = now
	if newest.After(h.seen) {
		h.seen = newest
	}
	if len(result.Rows) > 0 {
		h.stamps = !lack
	}
	if len(delays) > 0 {
		slices.Sort(delays)
		h.delay = min(max(delays[(len(delays)*999)/1000-btoi(len(delays)%1000 == 0)], 0), mostDelay).Round(time.Millisecond)
	}
	return nil
}

// lastEvent is the time of a source's newest event of the last week; zero for none.
func lastEvent(ctx context.Context, b query.Backend, s *Source, now time.Time) (time.Time, error) {
	q, err := query.Compile("* | head 1 | fields "+s.timeField(), query.Options{TimeField: s.timeField(), Now: now, Earliest: now.Add(-longSilence), Latest: now.Add(time.Hour)})
	if err != nil {
		return time.Time{}, err
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: b})
	if err != nil || len(result.Rows) == 0 {
		return time.Time{}, err
	}
	if at, ok := result.Rows[0].Get(0).AsTime(); ok {
		return time.Unix(0, at).UTC(), nil
	}
	return time.Time{}, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoteField writes a name as pipes read it.
func quoteField(name string) string { return name }

// tell reports how rules are. The caller holds d.mu.
func (d *Detector) tell() {
	var errs []error
	failing, all := 0, 0
	for _, s := range d.states {
		switch {
		case s.set == nil && s.wrong == nil:
			continue
		case s.wrong != nil:
			failing++
			errs = append(errs, s.wrong)
		case s.memory.Failures > 0:
			failing++
			errs = append(errs, fmt.Errorf("rule %s: %s", s.id, s.memory.Error))
		case s.stuck != nil:
			failing++
			errs = append(errs, fmt.Errorf("rule %s cannot catch up what it missed: %w", s.id, s.stuck))
		}
		all++
	}
	d.metrics.failed.Set(float64(failing))
	if failing == 0 {
		d.report("rule runs", nil, "")
		return
	}
	slices.SortFunc(errs, func(a, b error) int {
		if a.Error() < b.Error() {
			return -1
		}
		return 1
	})
	if len(errs) > 3 {
		errs = append(errs[:3:3], fmt.Errorf("and %d more", len(errs)-3))
	}
	d.report("rule runs", fmt.Errorf("%d of %d rules cannot run: %w", failing, all, errors.Join(errs...)), "what they miss is caught up; the other rules run")
}
