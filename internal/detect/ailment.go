package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// ailment is something wrong with a rule or a source. It is one alert from its beginning to its end, however long
// it lasts and whatever happens to this process.
type ailment struct {
	// What it is, of which source and, where it is not of the source as a whole, of which rule, by id and name.
	What, Source, Rule, Name string
	// More tells apart several of one rule, such as the fields that vanished.
	More   string
	Since  time.Time
	Reason string
}

// key names what ails whom, whenever.
func (a *ailment) key() string { return identity("ailment", a.What, a.Source, a.Rule, a.More) }

// id is that of the alert of the ailment since it began.
func (a *ailment) id() string {
	return identity("ailment", a.What, a.Source, a.Rule, a.More, a.Since.UTC().Format(time.RFC3339))
}

// The things that can be wrong.
const (
	hasNotRun    = "has not run"
	noRuleRuns   = "no rule runs"
	sourceSilent = "source silent"
	fieldGone    = "fields vanished"
	indexGone    = "index gone"
	isBehind     = "cannot catch up"
)

// healthRule is the rule by which the episodes of ailments are stored. It has no memory, and no rule has this id.
const healthRule = "tocsin/health"

// lasting is the end of an ailment that is not over, in nanoseconds: later than that of any that is.
const lasting = math.MaxInt64 - 1

// ward is what is known of the health of rules beside what sources and rules themselves tell. It is used by one
// goroutine.
type ward struct {
	d     *Detector
	began time.Time
	// runs is since when a rule could have run, by its id.
	runs map[string]time.Time
	// stuck is since when a rule cannot catch up what it missed.
	stuck map[string]time.Time
	// known is what was there of what a rule searches, by its id; read says that it was read.
	known map[string]*surroundings
	read  bool
	// gone are the fields and indices that are no longer there, by rule.
	gone map[string][]ailment
	// idles are the fields that no event has any more, by the key of their place.
	idles map[string]idleness
	// blind are the rules of which that could not be seen.
	blind map[string]bool
	// stopped is why rules that have open conditions did not run at the last look.
	stopped map[string]string
	// open are the ailments that are not over, by key; nil before they were read.
	open map[string]Stored
}

// round is what one look at everything says.
type round struct {
	ailing map[string]ailment
	// unsure are the keys of which this round cannot say whether they are over.
	unsure func(a *ailment) bool
}

// tell makes an alert of each ailment that began, and closes the alerts of those that are over.
func (w *ward) tell(ctx context.Context) error {
	now := w.d.now()
	if w.open == nil {
		if err := w.recall(ctx); err != nil {
			return err
		}
	}
	r := w.look(now)
	out := result{rule: healthRule}
	var alerts []alert.Alert
	changed := map[string]*Stored{}
	note := func(key string, s Stored, a *ailment, ended time.Time) {
		s.Updated = max(s.Updated+1, store.Micros(now))
		out.episodes = append(out.episodes, s)
		alerts = append(alerts, a.alert(&s, ended))
		changed[key] = &s
	}
	for key, a := range r.ailing {
		if _, open := w.open[key]; open {
			continue
		}
		s, known, err := w.before(ctx, a.id())
		if err != nil {
			return err
		}
		if !known {
			s = Stored{ID: a.id(), Key: key}
			s.First, s.FirstEnd, s.Windows = a.Since.UnixNano(), now.UnixNano(), 1
		}
		s.LastEnd, s.Best = lasting, Window{Row: a.columns()}
		note(key, s, &a, time.Time{})
	}
	for key, s := range w.open {
		if _, still := r.ailing[key]; still {
			continue
		}
		a := ailmentOf(&s)
		if r.unsure(&a) {
			continue
		}
		s.LastEnd = now.UnixNano()
		note(key, s, &a, now)
	}
	if len(alerts) == 0 {
		return nil
	}
	slices.SortFunc(alerts, func(a, b alert.Alert) int { return a.Time.Compare(b.Time) })
	if err := w.d.hand(ctx, out, alerts); err != nil {
		return err
	}
	for key, s := range changed {
		if delete(w.open, key); s.LastEnd == lasting {
			w.open[key] = *s
		}
	}
	return nil
}

// recall reads the ailments that are not over.
func (w *ward) recall(ctx context.Context) error {
	return w.d.db.View(ctx, func(tx *store.Tx) error {
		list, err := episodesEnding(tx, healthRule, lasting, math.MaxInt64)
		if err != nil {
			return fmt.Errorf("read what ails rules: %w", err)
		}
		w.open = make(map[string]Stored, len(list))
		for _, s := range list {
			w.open[s.Key] = s
		}
		return nil
	})
}

// before is the stored ailment of an id: one that seemed to be over goes on.
func (w *ward) before(ctx context.Context, id string) (s Stored, ok bool, err error) {
	err = w.d.db.View(ctx, func(tx *store.Tx) error {
		s, ok, err = episode(tx, id)
		return err
	})
	return s, ok, err
}

// look is what ails rules and sources at now.
func (w *ward) look(now time.Time) round {
	d := w.d
	d.mu.Lock()
	defer d.mu.Unlock()
	r := round{ailing: map[string]ailment{}}
	add := func(a ailment) { r.ailing[a.key()] = a }
	working := map[string]time.Time{} // when a rule of the source worked last
	for id, s := range d.states {
		if s.set == nil && s.wrong == nil {
			delete(w.runs, id)
			continue
		}
		if w.runs[id].IsZero() {
			w.runs[id] = now
		}
		if s.set != nil && s.memory.Worked > 0 {
			if at := store.Time(s.memory.Worked); at.After(working[s.set.source.Name]) {
				working[s.set.source.Name] = at
			}
		}
	}
	asleep := map[string]bool{} // sources on which nothing runs
	for id, s := range d.states {
		switch {
		case s.wrong != nil:
			if since := w.runs[id]; now.Sub(since) >= notRunAfter {
				add(ailment{What: hasNotRun, Rule: id, Name: id, Since: since, Reason: fmt.Sprintf("Rule %s cannot run: %s", id, cut(s.wrong.Error(), 300))})
			}
			continue
		case s.set == nil:
			continue
		}
		source, name := s.set.source.Name, s.set.rule.Name
		switch since := w.stuck[id]; {
		case s.stuck == nil:
			delete(w.stuck, id)
		case since.IsZero():
			w.stuck[id] = now
		case now.Sub(since) >= notRunAfter:
			add(ailment{What: isBehind, Source: source, Rule: id, Name: name, Since: since, Reason: fmt.Sprintf("Rule %s cannot catch up what it missed: %s", name, cut(s.stuck.Error(), 300))})
		}
		since := w.runs[id]
		if s.memory.Worked > 0 && (s.memory.Failures > 0 || store.Time(s.memory.Worked).After(since)) {
			since = store.Time(s.memory.Worked)
		} else if s.memory.Failures > 0 && s.memory.Since > 0 {
			since = store.Time(s.memory.Since)
		}
		if now.Sub(since) < max(notRunAfter, 3*s.set.rule.Every) {
			continue
		}
		why := "it fails: " + cut(s.memory.Error, 300)
		switch {
		case s.memory.Failures > 0:
		case s.running:
			why = "its run has not come to an end"
		default:
			why = "it waits for its turn, for there is more to run than can be"
		}
		if at := working[source]; s.memory.Failures > 0 && !at.IsZero() && now.Sub(at) >= notRunAfter {
			asleep[source] = true
			add(ailment{What: noRuleRuns, Source: source, Since: at, Reason: fmt.Sprintf("No rule has run on source %s since %s: %s", source, at.Format(time.RFC3339), cut(s.memory.Error, 300))})
			continue
		}
		add(ailment{What: hasNotRun, Source: source, Rule: id, Name: name, Since: since, Reason: fmt.Sprintf("Rule %s has not run since %s: %s", name, since.Format(time.RFC3339), why)})
	}
	for name, h := range d.health {
		if !h.seen.IsZero() && now.Sub(h.reached) < 3*watchEvery && now.Sub(h.seen) >= d.options.Silence {
			add(ailment{What: sourceSilent, Source: name, Since: h.seen, Reason: fmt.Sprintf("Source %s has brought no event since %s: rules find nothing there", name, h.seen.Format(time.RFC3339))})
		}
	}
	for id, list := range w.gone {
		if s := d.states[id]; s == nil || s.set == nil {
			continue
		}
		for _, a := range list {
			add(a)
		}
	}
	r.unsure = w.unsure(now, asleep, working)
	return r
}

// unsure tells of which ailments nothing can be said at now. Its caller holds d.mu; that of what it gives need not.
func (w *ward) unsure(now time.Time, asleep map[string]bool, working map[string]time.Time) func(*ailment) bool {
	unreached := map[string]bool{}
	for name, h := range w.d.health {
		unreached[name] = h.seen.IsZero() || now.Sub(h.reached) >= 3*watchEvery
	}
	runs, used, behind, worked := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]time.Time{}
	for id, s := range w.d.states {
		runs[id] = s.set != nil || s.wrong != nil
		if s.set != nil {
			used[s.set.source.Name] = true
			worked[id] = store.Time(s.memory.Worked)
			behind[id] = s.memory.Since > 0 && len(s.set.timing.missed(s.memory.Covered, s.memory.Older, s.memory.Since, now.UnixMicro())) > 0
		}
	}
	return func(a *ailment) bool {
		switch a.What {
		case sourceSilent:
			return unreached[a.Source]
		case hasNotRun: // it is over when it has run
			return runs[a.Rule] && (asleep[a.Source] || !worked[a.Rule].After(a.Since))
		case noRuleRuns:
			return used[a.Source] && !working[a.Source].After(a.Since)
		case isBehind: // after a restart it has to be seen first
			return runs[a.Rule] && behind[a.Rule]
		case fieldGone, indexGone:
			return runs[a.Rule] && w.blind[a.Rule]
		}
		return false
	}
}

// columns are the ailment as it is stored.
func (a *ailment) columns() []Column {
	return []Column{{"what", quoted(a.What)}, {"source", quoted(a.Source)}, {"rule", quoted(a.Rule)}, {"name", quoted(a.Name)}, {"more", quoted(a.More)}, {"reason", quoted(a.Reason)}}
}

func ailmentOf(s *Stored) ailment {
	of := func(name string) string { return column(s.Best.Row, name) }
	return ailment{
		What: of("what"), Source: of("source"), Rule: of("rule"), Name: of("name"), More: of("more"), Reason: of("reason"),
		Since: time.Unix(0, s.First).UTC(),
	}
}

// alert is that of the ailment, open or over.
func (a *ailment) alert(s *Stored, ended time.Time) alert.Alert {
	body, err := json.Marshal(map[string]any{"tocsin": map[string]any{"ailment": a.What, "source": a.Source, "rule": a.Rule, "of": a.More}})
	if err != nil {
		body = nil
	}
	out := alert.Alert{
		ID: alert.ID(s.ID), Source: a.Source, SourceID: s.ID, Time: time.Unix(0, s.FirstEnd).UTC(), Updated: store.Time(s.Updated), Event: a.Since.UTC(),
		Rule: alert.Rule{Name: "Tocsin: " + a.What, ID: "tocsin/" + a.What, Type: "health"}, Severity: alert.SeverityHigh,
		Reason: a.Reason, Status: alert.StatusOpen, Tags: []string{"tocsin", "health"}, Document: body,
	}
	if !ended.IsZero() {
		out.Status, out.Ended = alert.StatusClosed, ended.UTC()
		out.Reason = "Resolved after " + inWords(ended.Sub(a.Since).Round(time.Minute)) + ": " + a.Reason
	}
	return out
}
