package detect

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// The bounds of looking for what has ended.
const (
	mostEnds   = 1000 // conditions looked at in one run; the others wait for the next
	mostExact  = 100  // keys that came back of which the first event is looked for
	keysAtOnce = 200  // keys of one search
	endsWithin = 30 * time.Second
)

// ongoing reports whether what the rule finds is a condition that ends: too many events in a window, a spike, a key
// that is missing.
func (r *ruleset) ongoing() bool {
	return r.rule.MessagePer != rule.PerRun && (r.search.joins > 0 || r.search.commanded.Name == "missing")
}

// open reports whether its condition still holds, as far as is known.
func (s *Stored) open() bool { return s.Ongoing && s.standing() && s.Ended == 0 }

// keepOpen notes whether an episode's condition still holds.
func (s *Stored) keepOpen(tx *store.Tx, rule string) error {
	switch {
	case !s.Ongoing:
		return nil
	case s.open(), s.Unfollowed == rulePaused && s.standing():
		return tx.Exec(`INSERT INTO detect_open (rule, id, unfollowed) VALUES (?, ?, ?) ON CONFLICT (rule, id) DO UPDATE SET unfollowed = excluded.unfollowed`,
			rule, s.ID, s.Unfollowed != "")
	}
	return tx.Exec(`DELETE FROM detect_open WHERE rule = ? AND id = ?`, rule, s.ID)
}

// openEpisodes are those of a rule whose condition still holds, the oldest first.
func openEpisodes(tx *store.Tx, rule string, most int) (out []Stored, err error) {
	var ids []string
	err = tx.Query(func(r *sql.Rows) error {
		ids = append(ids, "")
		return r.Scan(&ids[len(ids)-1])
	}, `SELECT o.id FROM detect_open o JOIN detect_episodes e ON e.id = o.id WHERE o.rule = ? AND o.unfollowed = 0 ORDER BY e.last_end, e.serial LIMIT ?`, rule, most)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		s, ok, err := episode(tx, id)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// ends closes the conditions that are over, with what the run knows. What cannot be looked up now is looked up by the
// next run: a condition that seems to last a little longer is no failure of this one.
func (d *Detector) ends(ctx context.Context, e *evaluation, b query.Backend) error {
	if !e.lasting {
		return nil
	}
	var open []Stored
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		open, err = openEpisodes(tx, e.rule.rule.ID, mostEnds)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the conditions of rule %s that hold: %w", e.rule.rule.ID, err)
	}
	open = slices.DeleteFunc(open, func(s Stored) bool { // this run has just seen it
		return slices.ContainsFunc(e.result.episodes, func(o Stored) bool { return o.ID == s.ID })
	})
	if len(open) == 0 {
		return nil
	}
	over := map[string]int64{} // the times at which they ended, by id
	if e.rule.search.joins > 0 {
		judged := e.result.memory.judged()
		for i := range open {
			s := &open[i]
			// No window follows that is near enough to belong to it.
			if end := s.LastEnd + e.rule.search.joins; judged.Contains(Span{floor(s.LastEnd, 1000) / 1000, ceil(end, 1000) / 1000}) {
				over[s.ID] = end
			}
		}
	} else {
		ctx, cancel := context.WithTimeout(ctx, endsWithin)
		defer cancel()
		if over, err = e.rule.search.returned(ctx, b, open, e.now); err != nil {
			d.log.Debug("whether what was missing is back could not be seen", "rule", e.rule.rule.Name, "error", err)
		}
	}
	for i := range open {
		s := &open[i]
		end, ok := over[s.ID]
		if !ok {
			continue
		}
		s.Ended, s.Unfollowed = end, ""
		s.Updated = max(s.Updated+1, store.Micros(e.now))
		a, err := e.rule.ofWindow(s)
		if err != nil {
			return err
		}
		a.Held, a.Again = s.Held, s.Again
		e.stamp(s, &a)
	}
	return nil
}

// judged is all of the time of which nothing is left to be judged.
func (m *Memory) judged() Set {
	return m.Covered.Add(Span{math.MinInt64, m.Since}).Without(m.Older)
}

// returned are the times at which keys that were missing had an event again, by the ids of their episodes.
func (s *search) returned(ctx context.Context, b query.Backend, open []Stored, now time.Time) (map[string]int64, error) {
	out := map[string]int64{}
	for some := range slices.Chunk(open, keysAtOnce) {
		first := some[0].First
		var asks []string
		for i := range some {
			first = min(first, some[i].First)
			if ask, ok := s.ofKey(&some[i]); ok && ask != "" {
				asks = append(asks, "("+ask+")")
			}
		}
		text := s.events
		if len(asks) > 0 {
			text += " | search " + strings.Join(asks, " or ")
		} else if len(s.by) > 0 {
			continue // keys that no filter can ask for
		}
		by := ""
		if len(s.by) > 0 {
			by = " by " + strings.Join(s.by, ", ")
		}
		q, err := s.past(text+" | stats max("+s.timeField+") as newest"+by, first, now)
		if err != nil {
			return nil, err
		}
		newest := map[string]int64{}
		err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(names []string, r *query.Row) error {
			var key []Column
			for i, n := range names {
				if slices.Contains(s.by, n) {
					key = append(key, Column{n, string(r.Get(i).AppendJSON(nil))})
				}
			}
			if t, ok := r.Get(len(names) - 1).AsTime(); ok {
				newest[keyOf(key)] = t
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i := range some {
			one := &some[i]
			t, there := newest[one.Key]
			if !there || t <= one.First {
				continue
			}
			if len(out) < mostExact {
				if t, err = s.firstAfter(ctx, b, one, t, now); err != nil {
					return nil, err
				}
			}
			out[one.ID] = t
		}
	}
	return out, nil
}

// firstAfter is the time of a key's first event after the one that it was missing since; otherwise where the source
// says none.
func (s *search) firstAfter(ctx context.Context, b query.Backend, of *Stored, otherwise int64, now time.Time) (int64, error) {
	text := s.events
	if ask, ok := s.ofKey(of); ok && ask != "" {
		text += " | search " + ask
	}
	q, err := s.past(text+" | stats min("+s.timeField+") as first", of.First+1, now)
	if err != nil {
		return 0, err
	}
	at := int64(0)
	err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(_ []string, r *query.Row) error {
		at, _ = r.Get(0).AsTime()
		return nil
	})
	return cmp.Or(at, otherwise), err
}

// past is a search from a time on, in nanoseconds, until now.
func (s *search) past(text string, from int64, now time.Time) (*query.Query, error) {
	return query.Compile(text, query.Options{TimeField: s.timeField, Now: now, Earliest: time.Unix(0, from).UTC(), Latest: now.Add(time.Hour), Lookups: s.lookups})
}

// ofKey asks for the documents of an episode's key; ok is false where no filter can.
func (s *search) ofKey(of *Stored) (ask string, ok bool) {
	var all []string
	for _, name := range s.by {
		one, ok := clause(name, column(of.Best.Row, name))
		if !ok {
			return "", false
		}
		all = append(all, one)
	}
	return strings.Join(all, " and "), true
}

// clause asks in KQL for a value of a field; ok is false where that cannot be asked for.
func clause(name, value string) (ask string, ok bool) {
	if value == "" || strings.ContainsAny(name, " ()*:\"\\") {
		return "", false
	}
	return name + ":" + query.QuoteValue(value), true
}
