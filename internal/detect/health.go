package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/store"
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
)

// watch looks after sources: how late their events come, and whether any come at all.
func (d *Detector) watch(ctx context.Context) error {
	for {
		for name, s := range d.sources {
			if err := d.look(ctx, name, s); err != nil && ctx.Err() == nil {
				d.log.Debug("a source could not be looked at", "source", name, "error", err)
			}
		}
		if err := d.ail(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("what ails rules could not be told", "error", err)
		}
		t := time.NewTimer(watchEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
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

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoteField writes a name as pipes read it.
func quoteField(name string) string { return name }

// ail makes an alert of each source that is silent and of each rule that has not run.
func (d *Detector) ail(ctx context.Context) error {
	now := d.now()
	var alerts []alert.Alert
	d.mu.Lock()
	working := map[string]time.Time{} // when a rule of the source worked last
	for _, s := range d.states {
		if s.set == nil {
			continue
		}
		if at := store.Time(s.memory.Worked); s.memory.Worked > 0 && at.After(working[s.set.source.Name]) {
			working[s.set.source.Name] = at
		}
	}
	for _, s := range d.states {
		if s.set == nil || s.memory.Since == 0 || s.memory.Failures == 0 {
			continue
		}
		worked := s.memory.Worked
		if worked == 0 {
			worked = s.memory.Since
		}
		since := store.Time(worked)
		if now.Sub(since) < max(notRunAfter, 3*s.set.rule.Every) {
			continue
		}
		source := s.set.source.Name
		if now.Sub(working[source]) >= notRunAfter && !working[source].IsZero() {
			alerts = append(alerts, d.ailment(now, "no rule runs", source, "", working[source],
				fmt.Sprintf("No rule has run on source %s since %s: %s", source, working[source].Format(time.RFC3339), cut(s.memory.Error, 300))))
			continue
		}
		alerts = append(alerts, d.ailment(now, "has not run", source, s.set.rule.Name, since,
			fmt.Sprintf("Rule %s has not run since %s: %s", s.set.rule.Name, since.Format(time.RFC3339), cut(s.memory.Error, 300))))
	}
	for name, h := range d.health {
		if !h.seen.IsZero() && now.Sub(h.reached) < 3*watchEvery && now.Sub(h.seen) >= d.options.Silence {
			alerts = append(alerts, d.ailment(now, "source silent", name, "", h.seen,
				fmt.Sprintf("Source %s has brought no event since %s: rules find nothing there", name, h.seen.Format(time.RFC3339))))
		}
	}
	d.mu.Unlock()
	// One that was told already is the same alert again, and changes nothing.
	told := map[alert.ID]bool{}
	alerts = slices.DeleteFunc(alerts, func(a alert.Alert) bool {
		again := told[a.ID]
		told[a.ID] = true
		return again
	})
	fresh, err := d.unknown(ctx, alerts)
	if err != nil || len(fresh) == 0 {
		return err
	}
	r := result{rule: "health"}
	for i := range fresh {
		a := &fresh[i]
		s := Stored{ID: string(a.ID), Key: string(a.ID), Updated: store.Micros(now)}
		s.First, s.FirstEnd, s.LastEnd, s.Windows = a.Time.UnixNano(), a.Time.UnixNano(), a.Time.UnixNano(), 1
		r.episodes = append(r.episodes, s)
	}
	return d.hand(ctx, r, fresh)
}

// unknown are the alerts not made before.
func (d *Detector) unknown(ctx context.Context, alerts []alert.Alert) (fresh []alert.Alert, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		for _, a := range alerts {
			_, there, err := episode(tx, string(a.ID))
			if err != nil {
				return err
			}
			if !there {
				fresh = append(fresh, a)
			}
		}
		return nil
	})
	return fresh, err
}

// ailment is an alert about a rule or a source: one for each time it began.
func (d *Detector) ailment(now time.Time, what, source, ruleName string, since time.Time, reason string) alert.Alert {
	id := identity("ailment", what, source, ruleName, since.Format(time.RFC3339))
	name := "Tocsin: " + what
	body, err := json.Marshal(map[string]any{"tocsin": map[string]any{"ailment": what, "source": source, "rule": ruleName}})
	if err != nil {
		body = nil
	}
	return alert.Alert{
		ID: alert.ID(id), Source: source, SourceID: id, Time: now.UTC(), Updated: now.UTC(), Event: since.UTC(),
		Rule: alert.Rule{Name: name, ID: "tocsin/" + what, Type: "health"}, Severity: alert.SeverityHigh,
		Reason: reason, Status: alert.StatusOpen, Tags: []string{"tocsin", "health"}, Document: body,
	}
}

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
