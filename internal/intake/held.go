package intake

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/store"
)

// HeldBack counts, by channel, what was held back since a time and why, the most first. What never got so far as to
// have a channel is under "".
func (i *Intake) HeldBack(ctx context.Context, since time.Time) (map[string][]notice.Held, error) {
	type at struct{ channel, key string }
	counts := map[at]*notice.Held{}
	now := time.Now()
	err := i.db.View(ctx, func(tx *store.Tx) error {
		return ledger.Period(tx, since, now.Add(time.Second), false, func(s *ledger.Seen) error {
			key, sentence := why(s)
			if s.Fate == alert.Failed {
				key, sentence = "failed", "given up: it was refused for good"
			}
			if key == "" {
				return nil
			}
			h := counts[at{s.Channel, key}]
			if h == nil {
				h = &notice.Held{Fate: s.Fate, Reason: sentence}
				counts[at{s.Channel, key}] = h
			}
			h.Count++
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	out := map[string][]notice.Held{}
	for of, h := range counts {
		out[of.channel] = append(out[of.channel], *h)
	}
	for _, held := range out {
		slices.SortFunc(held, func(a, b notice.Held) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
		})
	}
	return out, nil
}

// Reports tells of every report.
func (i *Intake) Reports(ctx context.Context) (out []policy.Reported, err error) {
	now := time.Now()
	err = i.db.View(ctx, func(tx *store.Tx) error {
		for _, r := range i.reports {
			said, err := reported(tx, r.Name)
			if err != nil {
				return err
			}
			out = append(out, policy.Reported{Report: r, Said: said, Due: r.Next(now)})
		}
		return nil
	})
	return out, err
}

// reportLook names a report among the looks.
func reportLook(name string) string { return "report " + name }

// reported is the end of what a report last told of; zero before it began.
func reported(tx *store.Tx, name string) (time.Time, error) {
	var at int64
	err := tx.Row(`SELECT at FROM looks WHERE name = ?`, []any{reportLook(name)}, &at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("read when report %s was said: %w", name, err)
	}
	return store.Time(at), nil
}

// Foretell makes the message that a report would be if it were said now: of what came since it was said last, or, where
// it never was, of its last period. ok is false where there is no such report.
func (i *Intake) Foretell(ctx context.Context, name string) (n notice.Notice, ok bool, err error) {
	at := slices.IndexFunc(i.reports, func(r policy.Report) bool { return r.Name == name })
	if at < 0 {
		return n, false, nil
	}
	r, now := &i.reports[at], time.Now()
	err = i.db.View(ctx, func(tx *store.Tx) error {
		from, err := reported(tx, name)
		if err != nil {
			return err
		}
		if from.IsZero() || !from.Before(now) {
			from = now.Add(-map[notice.Period]time.Duration{notice.Hourly: time.Hour, notice.Daily: 24 * time.Hour, notice.Weekly: 7 * 24 * time.Hour}[r.Every])
		}
		c := &commit{Intake: i, tx: tx, now: now}
		n, err = c.told(r, from, now)
		return err
	})
	return n, true, err
}

// told is the message of a report of a stretch of time.
func (c *commit) told(r *policy.Report, from, to time.Time) (notice.Notice, error) {
	s, err := c.summary(r, from, to)
	if err != nil {
		return notice.Notice{}, err
	}
	n := notice.Notice{
		Key: policy.ReportKey(r, to), Revision: 1, Channel: r.Channel, Kind: notice.KindSummary, Count: s.Seen, Prefix: c.prefix,
		Since: s.From, Until: s.To, Summary: s,
	}
	for _, rule := range s.Rules {
		n.Severity = max(n.Severity, rule.Severity)
	}
	return n, nil
}
