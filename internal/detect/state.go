package detect

import (
	"fmt"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// state is a rule as it is in this process.
type state struct {
	id  string
	set *ruleset // nil for a rule that is gone, off or cannot be compiled
	// wrong is why there is no set; nil for a rule that is gone or off.
	wrong error

	// memory is what the database has.
	memory Memory
	// due is when its turn is; wait holds it back after failures, by the same clock.
	due, wait time.Time
	running   bool // its window now due
	slow      bool // its last run was too slow to share requests
	catching  bool // what it missed
	// holes are the stretches that events touched which came late while it was catching up: what it judges
	// may be from before they came.
	holes Set
	// narrower makes catching up try less at once, after a time-out: the chunk is shifted right by it.
	narrower int
	// handing is held from reading what is stored until the result is stored.
	handing chan struct{}
	// retry is when catching up may be tried again after it failed.
	retry  time.Time
	missed int // failures in a row of catching up
	// warnings are what its last run was told of its search.
	warnings []string
	// took is how long its last run was under way.
	took time.Duration
	// unknown are warnings of fields that its source does not have.
	unknown []string
	// worded is the version of the rule of which the wording is kept.
	worded string
	stuck  error // of which this is the last; nil when it works
}

// refresh takes in rules that are new, changed or gone. The caller holds d.mu.
func (d *Detector) refresh(now time.Time) {
	entries := d.options.Rules()
	spread := 2 * time.Duration(len(entries)) * firstApart
	here := make(map[string]bool, len(entries))
	for i := range entries {
		e := &entries[i]
		if !e.Runs() {
			continue
		}
		here[e.Rule.ID] = true
		s := d.states[e.Rule.ID]
		if s == nil {
			s = &state{id: e.Rule.ID}
			d.states[s.id] = s
		}
		if s.handing == nil {
			s.handing = make(chan struct{}, 1)
		}
		if s.set != nil && s.set.rule == e.Rule && s.set.revision == e.Revision() {
			continue
		}
		first := s.set == nil
		set, err := d.prepare(e)
		if err != nil {
			if s.wrong == nil || s.wrong.Error() != err.Error() {
				d.log.Warn("a rule cannot run", "rule", e.Rule.Name, "error", err)
			}
			s.set, s.wrong = nil, err
			continue
		}
		s.set, s.wrong, s.warnings, s.unknown, s.took = set, nil, nil, nil, 0
		s.wait, s.retry, s.missed, s.narrower, s.stuck = time.Time{}, time.Time{}, 0, 0, nil
		if first {
			// The first run comes at once, but not of all rules in one moment.
			s.due = now.Add(jitter(s.id, min(set.rule.Every, spread)))
		} else {
			s.due = earlier(s.due, turn(now, set.rule.Every, jitter(s.id, set.rule.Every)))
		}
	}
	for id, s := range d.states {
		if !here[id] {
			s.set, s.wrong = nil, nil
		}
	}
}

// firstApart is how far apart the first runs of rules are on average.
const firstApart = 10 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// prepare makes a rule ready to run.
func (d *Detector) prepare(e *rule.Entry) (*ruleset, error) {
	r := e.Rule
	source, err := d.source(r.Source)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	set, err := newRuleset(r, e.Revision(), source, d.options.Lookups())
	if err == nil {
		set.content = e.Content
	}
	return set, err
}

// newRuleset makes a rule ready to run on a source.
func newRuleset(r *rule.Rule, revision string, source *Source, lookups map[string]*query.Table) (*ruleset, error) {
	s, err := newSearch(r, source, lookups)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	set := &ruleset{rule: r, revision: revision, source: source, search: s}
	every := r.Every.Microseconds()
	set.timing = timing{Every: every, Lookback: r.Lookback.Fixed.Microseconds(), Grid: every, Reach: s.reach.Microseconds(), Ticks: s.ticks, Chunk: max(every, time.Hour.Microseconds(), s.chunk().Microseconds())}
	if !s.ticks {
		set.timing.Grid = min(every, time.Millisecond.Microseconds())
		if s.joins > 0 {
			set.timing.Grid = max(1, min(every, s.joins/1000))
		}
	}
	if r.Lookback.Auto {
		set.timing.Lookback = leastLookback.Microseconds()
	}
	set.definition = identity("definition", s.text, source.Name, fmt.Sprint(r.Indices), r.TimestampField, r.Window.String(), fmt.Sprint(set.timing.Grid), fmt.Sprint(s.ticks))
	return set, nil
}

// timingOf is a rule's timing with the overlap that its source is measured to need. The caller holds d.mu.
func (d *Detector) timingOf(set *ruleset) timing {
	t := set.timing
	if set.rule.Lookback.Auto {
		if h := d.health[set.source.Name]; h != nil {
			t.Lookback = max(t.Lookback, h.delay.Microseconds())
		}
	}
	return t
}
