package detect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// Standing is what is known of a rule's runs. The zero Standing is of a rule that never ran.
type Standing struct {
	// Since is the event time from which on windows are wanted, zero where it has not run yet; Covered are those
	// that were judged.
	Since   time.Time
	Covered Set
	// Ran and Worked are when it ran last, and last without an error; Error is what failed since.
	Ran, Worked time.Time
	Error       string
	// Runs says that it is run now; Wrong is why it cannot be.
	Runs  bool
	Wrong string
	// Warnings are what its last run was told of its search, such as a field that is in no mapping, or that it
	// takes longer than its interval.
	Warnings []string
}

// Standing tells how a rule stands.
func (d *Detector) Standing(_ context.Context, rule string) (Standing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.states[rule]
	if s == nil {
		return Standing{}, nil
	}
	at := func(micros int64) time.Time {
		if micros == 0 {
			return time.Time{}
		}
		return store.Time(micros)
	}
	m := &s.memory
	out := Standing{Since: at(m.Since), Covered: m.Covered, Ran: at(m.Ran), Worked: at(m.Worked), Error: m.Error, Runs: s.set != nil, Warnings: slices.Concat(s.unknown, s.warnings)}
	if s.set != nil && s.took > s.set.rule.Every {
		out.Warnings = append(out.Warnings, fmt.Sprintf("its last run took %s, longer than its interval of %s: it runs as often as it can, and nothing is left out",
			s.took.Round(time.Second/10), inWords(s.set.rule.Every)))
	}
	if s.wrong != nil {
		out.Wrong = s.wrong.Error()
	}
	return out, nil
}

// Made is what a rule made at some time: an episode or a document, and the alert of it.
type Made struct {
	ID alert.ID
	// First and Last are the times of the first and last event.
	First, Last time.Time
	Withdrawn   bool
	MergedInto  alert.ID
}

// Made tells what a rule made of the documents and keys named: ids are those that its alerts may have, keys those
// of windows that hold from one time to another.
func (d *Detector) Made(ctx context.Context, rule string, ids, keys []string, from, to time.Time) (out []Made, err error) {
	seen := map[string]bool{}
	add := func(s *Stored) {
		if seen[s.ID] {
			return
		}
		seen[s.ID] = true
		out = append(out, Made{
			ID: alert.ID(s.ID), First: time.Unix(0, s.First).UTC(), Last: time.Unix(0, s.LastEnd).UTC(),
			Withdrawn: s.Withdrawn, MergedInto: alert.ID(s.MergedInto),
		})
	}
	err = d.db.View(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			s, there, err := episode(tx, id)
			if err != nil {
				return err
			}
			if there {
				add(&s)
			}
		}
		for _, key := range keys {
			list, err := episodesOf(tx, rule, key, from.UnixNano(), to.UnixNano())
			if err != nil {
				return err
			}
			for i := range list {
				add(&list[i])
			}
		}
		return nil
	})
	return out, err
}
