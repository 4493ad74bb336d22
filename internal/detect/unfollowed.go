package detect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// Why the condition of an alert is no longer followed.
const (
	rulePaused  = "its rule was paused"
	ruleRemoved = "its rule was removed"
)

// text is a rule as it was written when it found what is open: what is said of that when the rule runs no more.
type text struct {
	revision string
	content  []byte
}

// keep writes the text.
func (w *text) keep(tx *store.Tx, rule string) error {
	return tx.Exec(`INSERT INTO detect_wordings (rule, revision, content) VALUES (?, ?, ?)
		ON CONFLICT (rule) DO UPDATE SET revision = excluded.revision, content = excluded.content`, rule, w.revision, w.content)
}

// unfollow ends in place the alerts of conditions that nobody follows any more, for their rules are paused or gone, and
// takes up again those of rules that run again. A rule that is gone for a moment, as while its file is replaced, is
// not gone: only what was so in the last round too counts.
func (w *ward) unfollow(ctx context.Context) error {
	open, unfollowed, err := w.d.conditions(ctx)
	if err != nil {
		return fmt.Errorf("read which conditions hold: %w", err)
	}
	entries := w.d.options.Rules()
	stands := make(map[string]string, len(entries)) // why a rule does not run; empty where it does or should
	for i := range entries {
		switch e := &entries[i]; {
		case e.Rule == nil || e.Rule.Enabled.Runs():
			stands[e.ID] = ""
		default:
			stands[e.ID] = rulePaused
		}
	}
	stopped := map[string]string{}
	for _, id := range open {
		why, there := stands[id]
		if !there {
			why = ruleRemoved
		}
		if why == "" {
			continue
		}
		if stopped[id] = why; w.stopped[id] != why {
			continue
		}
		if err := w.d.change(ctx, id, func(s *Stored) bool { return s.open() }, func(s *Stored) {
			s.Ended, s.Unfollowed = w.d.now().UnixNano(), why
		}); err != nil {
			return fmt.Errorf("end the conditions of rule %s: %w", id, err)
		}
	}
	w.stopped = stopped
	for _, id := range unfollowed {
		switch why, there := stands[id]; {
		case !there:
			err := w.d.db.Update(ctx, func(tx *store.Tx) error {
				return tx.Exec(`DELETE FROM detect_open WHERE rule = ? AND unfollowed = 1`, id)
			})
			if err != nil {
				return fmt.Errorf("forget the conditions of rule %s: %w", id, err)
			}
			continue
		case why != "":
			continue
		}
		runs, misses := w.d.misses(id)
		if !runs {
			continue
		}
		// A window that belongs to it takes it up by itself; a key that is missing has to be looked for.
		if err := w.d.change(ctx, id, func(s *Stored) bool { return misses && s.Unfollowed != "" && s.standing() }, func(s *Stored) {
			s.Ended, s.Unfollowed = 0, ""
		}); err != nil {
			return fmt.Errorf("take up the conditions of rule %s again: %w", id, err)
		}
	}
	return nil
}

// conditions are the rules that have some open, and those that have some that are no longer followed.
func (d *Detector) conditions(ctx context.Context) (open, unfollowed []string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				id string
				is bool
			)
			if err := r.Scan(&id, &is); err != nil {
				return err
			}
			if is {
				unfollowed = append(unfollowed, id)
			} else {
				open = append(open, id)
			}
			return nil
		}, `SELECT DISTINCT rule, unfollowed FROM detect_open ORDER BY rule`)
	})
	return open, unfollowed, err
}

// misses reports whether a rule runs, and whether it looks for what is missing.
func (d *Detector) misses(id string) (runs, is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.states[id]
	runs = s != nil && s.set != nil
	return runs, runs && s.set.search.commanded.Name == "missing"
}

// change changes the conditions of a rule that are chosen, and says so in their alerts. Those of a rule that is gone
// are worded as they were.
func (d *Detector) change(ctx context.Context, id string, choose func(*Stored) bool, to func(*Stored)) error {
	d.mu.Lock()
	s := d.states[id]
	if s == nil {
		s = &state{id: id}
		d.states[id] = s
	}
	if s.handing == nil {
		s.handing = make(chan struct{}, 1)
	}
	d.mu.Unlock()
	select {
	case s.handing <- struct{}{}:
		defer func() { <-s.handing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for after := int64(0); ; {
		var (
			some []Stored
			set  *ruleset
		)
		err := d.db.View(ctx, func(tx *store.Tx) (err error) {
			if some, err = followed(tx, id, after, mostEnds); err != nil || len(some) == 0 {
				return err
			}
			set, err = d.worded(tx, s)
			return err
		})
		if err != nil || len(some) == 0 {
			return err
		}
		after = some[len(some)-1].Serial
		d.mu.Lock()
		out := result{rule: id, memory: s.memory}
		d.mu.Unlock()
		var alerts []alert.Alert
		for i := range some {
			one := &some[i]
			if !choose(one) {
				if one.Unfollowed != "" && one.Ended != 0 {
					out.forgotten = append(out.forgotten, one.ID)
				}
				continue
			}
			to(one)
			one.Updated = max(one.Updated+1, store.Micros(d.now()))
			a, err := set.ofWindow(one)
			if err != nil {
				return err
			}
			a.Held, a.Again, a.Updated = one.Held, one.Again, store.Time(one.Updated)
			older(&a)
			out.episodes, alerts = append(out.episodes, *one), append(alerts, a)
		}
		if len(alerts)+len(out.forgotten) == 0 {
			continue
		}
		if err := d.hand(ctx, out, alerts); err != nil {
			return err
		}
	}
}

// followed are conditions of a rule that are open, or were when it ran, by when they were found.
func followed(tx *store.Tx, rule string, after int64, most int) (out []Stored, err error) {
	return readEpisodes(tx, episodeColumns+`serial > ? AND rule = ? AND id IN (SELECT id FROM detect_open WHERE rule = ?) ORDER BY serial LIMIT ?`, after, rule, rule, most)
}

// worded is a rule as it runs, or ran last.
func (d *Detector) worded(tx *store.Tx, s *state) (*ruleset, error) {
	d.mu.Lock()
	set := s.set
	d.mu.Unlock()
	if set != nil {
		return set, nil
	}
	var w text
	err := tx.Row(`SELECT revision, content FROM detect_wordings WHERE rule = ?`, []any{s.id}, &w.revision, &w.content)
	if errors.Is(err, sql.ErrNoRows) { // of a version before this was kept: as it is written now, if it is
		entries := d.options.Rules()
		i := slices.IndexFunc(entries, func(e rule.Entry) bool { return e.ID == s.id && e.Rule != nil })
		if i < 0 {
			return nil, errors.New("the rule is gone, and how it was written is not known")
		}
		w, err = text{revision: entries[i].Revision(), content: entries[i].Content}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read how the rule was written: %w", err)
	}
	lookups := d.options.Lookups()
	r, err := rule.Parse(w.content, rule.ParseOptions{ID: s.id, Lookups: lookups})
	if err != nil {
		return nil, fmt.Errorf("read the rule as it was: %w", err)
	}
	source, err := d.source(r.Source)
	if err != nil { // it went with its source
		source = &Source{Name: r.Source}
	}
	r.ID = s.id
	return newRuleset(r, w.revision, source, lookups)
}
