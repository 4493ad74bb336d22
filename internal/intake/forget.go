package intake

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/sleep"
	"tocsin/internal/store"
)

// Keep is how long what was taken in is kept; zero is for ever.
type Keep struct {
	Alerts, Documents time.Duration
	// Unwritten keeps alerts of our own rules until they are written back.
	Unwritten bool
}

// How what is old is forgotten: seldom, and a little at a time, so that nothing waits for it.
const (
	forgetEvery = time.Hour
	forgetFirst = time.Minute
	forgetMost  = 200
	forgetPause = 50 * time.Millisecond
)

// forget forgets what is old until ctx ends.
func (i *Intake) forget(ctx context.Context) error {
	if i.keep.Alerts == 0 && i.keep.Documents == 0 {
		return nil
	}
	for wait := forgetFirst; sleep.For(ctx, wait) == nil; {
		done, err := i.forgetSome(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			i.state(err)
			wait = retryMost
		case done:
			wait = forgetEvery
		default:
			wait = forgetPause
		}
	}
	return nil
}

// usedNotice is whether a notice n is still named by an alert, a copy or what is open.
const usedNotice = `EXISTS (SELECT 1 FROM alerts a WHERE a.notice = n.key) OR EXISTS (SELECT 1 FROM copies c WHERE c.notice = n.key)
	OR EXISTS (SELECT 1 FROM escalations e WHERE e.notice = n.key)`

// forgetSome forgets a little, and tells whether nothing old is left.
func (i *Intake) forgetSome(ctx context.Context) (done bool, err error) {
	i.once.Lock() // groups that are open name notices: nothing may be decided meanwhile
	defer i.once.Unlock()
	now := time.Now()
	r := ledger.Retention{Unwritten: i.keep.Unwritten}
	if i.keep.Alerts > 0 {
		r.Alerts = now.Add(-i.keep.Alerts)
	}
	if i.keep.Documents > 0 {
		r.Documents = now.Add(-i.keep.Documents)
	}
	err = i.db.Update(ctx, func(tx *store.Tx) error {
		alerts, documents, err := ledger.Forget(tx, r, forgetMost)
		if err != nil {
			return err
		}
		notices := 0
		if !r.Alerts.IsZero() {
			if notices, err = outbox.Forget(tx, r.Alerts, usedNotice, forgetMost); err != nil {
				return err
			}
		}
		if err := tx.Exec(`DELETE FROM escalated WHERE NOT EXISTS (SELECT 1 FROM notices n WHERE n.key = escalated.notice)`); err != nil {
			return fmt.Errorf("forget what escalated: %w", err)
		}
		done = max(alerts, documents, notices) < forgetMost
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("forget what is old: %w", err)
	}
	return done, nil
}
