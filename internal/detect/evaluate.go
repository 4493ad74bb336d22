package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// evaluation makes alerts of what one run of a rule found, by what is stored of earlier runs. It writes
// nothing; the same finding on the same store always makes the same result.
type evaluation struct {
	rule *ruleset
	past past
	now  time.Time
	late bool // its windows are judged after their time
	// lasting says that what is found is followed until its condition ends.
	lasting bool

	result result
	alerts []alert.Alert
	// fresh are the alerts of the run that nothing held back so far.
	fresh int
	over  []alert.ID // beyond the most alerts of a run
	worst alert.Severity
	// recent is what started something last, by what makes two alerts the same: as stored, then as this run
	// leaves it.
	recent map[string]said
	known  map[string]bool // ids this run gave
	// rows are what the run found anew, by its tick, where one alert is made of all of them.
	rows map[int64][]alert.Alert
	// made are the places, in result.episodes and in alerts, of what was found for the first time, grown those of
	// what is known and measures something else now.
	made, grown [][2]int
}

// judged takes in what was found in a span of event time, in microseconds.
func (e *evaluation) judged(span Span, f *found) error {
	e.result.memory.Covered = e.result.memory.Covered.Add(span)
	e.result.memory.Seen = max(e.result.memory.Seen, f.newest)
	var err error
	switch {
	case e.rule.search.kind == rowWise:
		err = e.documents(f.documents)
	case e.rule.search.joins > 0:
		err = e.sliding(span, f.windows)
	default:
		err = e.single(span, f.windows)
	}
	if err != nil {
		return fmt.Errorf("make alerts of rule %s: %w", e.rule.rule.ID, err)
	}
	if err := e.perRun(); err != nil {
		return fmt.Errorf("make alerts of rule %s: %w", e.rule.rule.ID, err)
	}
	return e.summary(span)
}

// documents makes an alert of each document not seen before.
func (e *evaluation) documents(found []document) error {
	slices.SortStableFunc(found, func(a, b document) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Index, b.Index), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Row, b.Row))
	})
	for i := range found {
		d := &found[i]
		if !e.rule.rule.Schedule.Runs.Contains(time.Unix(0, d.At)) {
			continue
		}
		id := e.rule.idOf(d)
		_, known, err := e.past.episode(id)
		if err != nil {
			return err
		}
		if known || e.known[id] {
			continue
		}
		s := Stored{ID: id, Key: id, Episode: Episode{First: d.At, FirstEnd: d.At, LastEnd: d.At, Windows: 1}, Late: e.late, Rule: e.rule.revision}
		a, err := e.rule.ofDocument(&s, d)
		if err != nil {
			return err
		}
		if err := e.add(&s, a); err != nil {
			return err
		}
	}
	return nil
}

// sliding makes alerts of the windows that slide along the events of each key: episodes.
func (e *evaluation) sliding(span Span, windows []Window) error {
	return e.joined(span, Buckets(e.inHours(windows), e.rule.timing.Grid))
}

// joined makes alerts of the windows of a span, summed up by the grid.
func (e *evaluation) joined(span Span, buckets []Bucket) error {
	grid, length := e.rule.timing.Grid, e.rule.search.joins
	dropped := Span{floor(span.From, grid), ceil(span.To, grid)}
	before, err := e.past.bucketKeys(e.rule.rule.ID, dropped)
	if err != nil {
		return err
	}
	byKey := map[string][]Bucket{}
	for _, key := range before {
		byKey[key] = nil
	}
	for _, b := range buckets {
		byKey[b.Key] = append(byKey[b.Key], b)
		e.result.buckets = append(e.result.buckets, b)
	}
	e.result.dropped = e.result.dropped.Add(dropped)
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := e.rejoin(key, dropped, byKey[key], length); err != nil {
			return err
		}
	}
	return nil
}

// rejoin joins the windows of a key anew around a stretch of time of which the buckets are replaced.
func (e *evaluation) rejoin(key string, dropped Span, buckets []Bucket, length int64) error {
	id := e.rule.rule.ID
	from, to := dropped.From*1000-length, dropped.To*1000+length
	stored, err := e.reach(key, &from, &to, length)
	if err != nil {
		return err
	}
	kept, err := e.past.bucketsOf(id, key, Span{floor(from/1000-1, e.rule.timing.Grid), to/1000 + 1})
	if err != nil {
		return err
	}
	kept = slices.DeleteFunc(kept, func(b Bucket) bool {
		return b.At >= dropped.From && b.At < dropped.To || b.LastEnd < from || b.FirstEnd > to // of episodes farther away
	})
	kept = append(kept, buckets...)
	slices.SortFunc(kept, func(a, b Bucket) int { return cmp.Compare(a.At, b.At) })
	name := func(first int64, try int) string { return episodeID(id, key, first, try) }
	return e.changes(key, stored, Episodes(kept, length), length, name)
}

// reach finds the stored episodes of a key near a stretch of time, and makes the stretch as long as they are:
// all windows of an episode are joined again together.
func (e *evaluation) reach(key string, from, to *int64, length int64) ([]Stored, error) {
	for {
		stored, err := e.past.episodesOf(e.rule.rule.ID, key, *from, *to)
		if err != nil {
			return nil, err
		}
		low, high := *from, *to
		for i := range stored {
			low, high = min(low, stored[i].FirstEnd-length), max(high, stored[i].LastEnd+length)
		}
		if low == *from && high == *to {
			e.rule.fix(stored)
			return stored, nil
		}
		*from, *to = low, high
	}
}

// single makes alerts of windows that join no others: those of rules judged at ticks.
func (e *evaluation) single(span Span, windows []Window) error {
	from, to := span.From*1000, span.To*1000
	if e.rule.timing.Ticks { // a tick is the end of its stretch
		from, to = from+1, to+1
	}
	stored, err := e.past.episodesEnding(e.rule.rule.ID, from, to)
	if err != nil {
		return err
	}
	e.rule.fix(stored)
	type place struct {
		key string
		at  int64
	}
	derived, before := map[place][]Episode{}, map[place][]Stored{}
	var places []place
	at := func(p place) {
		if derived[p] == nil && before[p] == nil {
			places = append(places, p)
		}
	}
	for _, w := range e.inHours(windows) {
		p := place{w.Key, w.End}
		at(p)
		derived[p] = append(derived[p], Episode{First: w.First, FirstEnd: w.End, LastEnd: w.End, Windows: 1, Best: w})
	}
	for _, s := range stored {
		p := place{s.Key, s.FirstEnd}
		at(p)
		before[p] = append(before[p], s)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) })
	for _, p := range places {
		name := func(first int64, try int) string {
			if e.rule.search.carries {
				parts := strings.Split(p.key, "\x00")
				row, err := strconv.Atoi(parts[len(parts)-1])
				if err == nil && len(parts) == 3 {
					d := document{Sample: Sample{Index: parts[0], ID: parts[1]}, Row: row + try}
					if try == 0 && len(derived[p]) == 1 {
						d.Columns = derived[p][0].Best.Row
					}
					return e.rule.idOf(&d)
				}
			}
			if e.rule.search.kind == rangeWise {
				return rowID(e.rule.rule.ID, p.at, fmt.Sprint(p.key, "/", try))
			}
			return episodeID(e.rule.rule.ID, p.key, first, try)
		}
		if err := e.changes(p.key, before[p], derived[p], 0, name); err != nil {
			return err
		}
	}
	return nil
}

// inHours leaves out the windows that end outside the rule's hours.
func (e *evaluation) inHours(windows []Window) []Window {
	if e.rule.rule.Schedule.Runs == nil {
		return windows
	}
	return slices.DeleteFunc(slices.Clone(windows), func(w Window) bool { return !e.rule.rule.Schedule.Runs.Contains(time.Unix(0, w.End)) })
}

// changes brings the stored episodes of a key in line with those derived, and makes alerts of what changed.
func (e *evaluation) changes(key string, stored []Stored, derived []Episode, length int64, name func(int64, int) string) error {
	var failed error
	taken := func(id string) bool {
		if e.known[id] {
			return true
		}
		_, there, err := e.past.episode(id)
		failed = cmp.Or(failed, err)
		return there
	}
	before := map[string]Stored{} // Reconcile sorts stored
	for i := range stored {
		before[stored[i].ID] = stored[i]
	}
	for _, s := range Reconcile(stored, derived, length, name, taken) {
		s.Key = key
		if failed != nil {
			return failed
		}
		if known, ok := before[s.ID]; ok {
			if err := e.update(&s, &known); err != nil {
				return err
			}
			continue
		}
		s.Late, s.Rule, s.Ongoing = e.late, e.rule.revision, e.lasting
		a, err := e.rule.ofWindow(&s)
		if err != nil {
			return err
		}
		if err := e.add(&s, a); err != nil {
			return err
		}
	}
	return failed
}

// add takes in an alert seen for the first time, and decides whether the rule holds it back.
func (e *evaluation) add(s *Stored, a alert.Alert) error {
	if e.rule.rule.MessagePer == rule.PerRun {
		return e.collect(s, a)
	}
	if err := e.hold(s, &a, s.FirstEnd); err != nil {
		return err
	}
	s.Updated, s.Definition = store.Micros(e.now), e.rule.definition
	a.Held, a.Late = s.Held, s.Late
	e.known[s.ID] = true
	e.stamp(s, &a)
	e.made = append(e.made, [2]int{len(e.result.episodes) - 1, len(e.alerts) - 1})
	return nil
}

// update takes in a change of an alert that is known. What was decided about it stays, unless it still grows.
func (e *evaluation) update(s *Stored, before *Stored) error {
	if e.rule.rule.MessagePer == rule.PerRun { // what was said of a run stays
		e.result.episodes = append(e.result.episodes, *s)
		return nil
	}
	if s.LastEnd != before.LastEnd {
		s.Ended, s.Unfollowed = 0, "" // it is looked at again
	}
	a, err := e.rule.ofWindow(s)
	if err != nil {
		return err
	}
	if s.standing() && s.LastEnd > before.LastEnd {
		if err := e.stillGrowing(s, &a); err != nil {
			return err
		}
	}
	a.Held, a.Again = s.Held, s.Again
	s.Updated = max(s.Updated+1, store.Micros(e.now)) // a clock that steps back makes no change older
	e.stamp(s, &a)
	if s.LastEnd != before.LastEnd || !sameWindow(&s.Best, &before.Best) {
		e.grown = append(e.grown, [2]int{len(e.result.episodes) - 1, len(e.alerts) - 1})
	}
	return nil
}

func (e *evaluation) stamp(s *Stored, a *alert.Alert) {
	a.Updated = store.Time(s.Updated)
	older(a)
	a.Late = s.Late
	e.result.episodes = append(e.result.episodes, *s)
	e.alerts = append(e.alerts, *a)
}
