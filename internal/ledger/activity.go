package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// Day is what a rule's alerts of one day, in UTC, became.
type Day struct {
	Start    time.Time
	Alerts   int // all of them
	Said     int // those a message names or counts
	Messages int // the messages that do
}

// Activity tells for each rule, by its name, of its days from since on that had alerts, oldest first.
func (l *Ledger) Activity(ctx context.Context, since time.Time) (map[string][]Day, error) {
	const day = 24 * int64(time.Hour/time.Microsecond)
	out := map[string][]Day{}
	err := l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				name string
				at   int64
				d    Day
			)
			if err := r.Scan(&name, &at, &d.Alerts, &d.Said, &d.Messages); err != nil {
				return err
			}
			d.Start = store.Time(at * day)
			out[name] = append(out[name], d)
			return nil
		}, `SELECT rule, time / ? AS day, COUNT(*), COUNT(notice), COUNT(DISTINCT notice) FROM alerts WHERE time >= ? GROUP BY rule, day ORDER BY rule, day`,
			day, store.Micros(since))
	})
	if err != nil {
		return nil, fmt.Errorf("read what rules said: %w", err)
	}
	return out, nil
}

// Copies reads the sayings of an entry in other channels.
func (l *Ledger) Copies(ctx context.Context, seq int64) (out []Copy, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		out, err = Copies(tx, seq)
		return err
	})
	return out, err
}
