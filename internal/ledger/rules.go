package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// RuleOf is what a source's alerts of one rule came to.
type RuleOf struct {
	Source, Rule string
	Alerts       int // recorded since the time asked for
	Said         int // of those, the ones that a message names or counts, or will
	Newest       time.Time
}

// Rules tells of the rules whose alerts were recorded since a time, by source and name, with counts since a later one.
func (l *Ledger) Rules(ctx context.Context, since, counted time.Time) (out []RuleOf, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				of RuleOf
				at int64
			)
			if err := r.Scan(&of.Source, &of.Rule, &of.Alerts, &of.Said, &at); err != nil {
				return err
			}
			of.Newest = store.Time(at)
			out = append(out, of)
			return nil
		}, `SELECT source, rule, SUM(CASE WHEN seen_at >= ? THEN 1 ELSE 0 END), SUM(CASE WHEN seen_at >= ? AND notice IS NOT NULL THEN 1 ELSE 0 END), MAX(seen_at)
			FROM alerts WHERE seen_at >= ? GROUP BY source, rule ORDER BY source, rule`, store.Micros(counted), store.Micros(counted), store.Micros(since))
	})
	if err != nil {
		return nil, fmt.Errorf("read the rules that alerts are of: %w", err)
	}
	return out, nil
}
