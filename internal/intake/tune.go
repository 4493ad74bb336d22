package intake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// tuned keeps policy with what people set, compiled once after each change.
type tuned struct {
	mu      sync.Mutex
	policy  *policy.Policy
	set     *policy.Set
	changes int64
}

// with gives policy with what is set in the state of the database that tx sees.
func (t *tuned) with(tx *store.Tx, base *policy.Policy, now time.Time) (*policy.Policy, *policy.Set, int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changes, err := tuning.Changes(tx)
	if err != nil {
		return nil, nil, 0, err
	}
	if t.policy == nil || changes != t.changes {
		live, err := tuning.Live(tx, now)
		if err != nil {
			return nil, nil, 0, err
		}
		t.set = policy.NewSet(live)
		t.policy, t.changes = base.With(t.set), changes
	}
	return t.policy, t.set, changes, nil
}

// Explain says which routes an alert would take now, and why, with all that people set.
func (i *Intake) Explain(ctx context.Context, a *alert.Alert) (e policy.Explanation, err error) {
	now := time.Now()
	err = i.db.View(ctx, func(tx *store.Tx) error {
		p, _, _, err := i.tuned.with(tx, i.policy, now)
		if err != nil {
			return err
		}
		active, err := hiding(tx, p, now, a)
		if err != nil {
			return err
		}
		e, err = p.Explain(now, a, active...)
		return err
	})
	if err != nil {
		return e, fmt.Errorf("explain an alert: %w", err)
	}
	return e, nil
}

// Nudge has everything that is open looked at soon: what people set about alerts has changed.
func (i *Intake) Nudge() {
	select {
	case i.timer <- struct{}{}:
	default:
	}
}

// judge asks policy, with the alerts that could hide this one.
func (c *commit) judge(a *alert.Alert) (policy.Verdict, error) {
	active, err := hiding(c.tx, c.policy, c.now, a)
	if err != nil {
		return policy.Verdict{}, err
	}
	return c.policy.Judge(c.now, a, active...)
}

// inhibiting is the condition of a row of inhibitors that it hides others at a time: its alert was taken in not
// long ago or its condition is still open, and nobody closed it.
const inhibiting = ` (i.until > ? OR EXISTS (SELECT 1 FROM alerts a WHERE a.id = i.alert AND a.ongoing = 1))
	AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.id = i.alert AND (a.over = 1 OR a.handled = 2 OR a.status = 2))`

// hiding are the alerts that hide this one now.
func hiding(tx *store.Tx, p *policy.Policy, now time.Time, a *alert.Alert) (out []policy.Inhibitor, err error) {
	keys, err := p.HiddenBy(now, a)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		in := policy.Inhibitor{Key: key}
		err := tx.Row(`SELECT i.alert FROM inhibitors i WHERE i.key = ? AND i.alert <> ? AND`+inhibiting+` ORDER BY i.until DESC, i.alert LIMIT 1`,
			[]any{key, a.ID, store.Micros(now)}, &in.Alert)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, fmt.Errorf("look for what hides alert %s: %w", a.ID, err)
		default:
			out = append(out, in)
		}
	}
	return out, nil
}

// inhibit notes what an alert hides from now on, before the alerts of its own batch are judged.
func (c *commit) inhibit(a ledger.Content) error {
	hides, err := c.policy.Inhibits(c.now, a.Alert)
	if err != nil || len(hides) == 0 {
		return err
	}
	change, _, err := ledger.Look(c.tx, a)
	if err != nil || change != ledger.Fresh {
		return err
	}
	for _, h := range hides {
		if err := c.tx.Exec(`INSERT INTO inhibitors (key, alert, until) VALUES (?, ?, ?) ON CONFLICT (key, alert) DO NOTHING`,
			h.Key, a.ID, store.Micros(c.now.Add(h.For))); err != nil {
			return fmt.Errorf("note what alert %s hides: %w", a.ID, err)
		}
		c.turned = true
	}
	return nil
}

// uninhibit has what an alert hid looked at again where it hides nothing any more.
func (c *commit) uninhibit(id alert.ID) error {
	var n int
	if err := c.tx.Row(`SELECT COUNT(*) FROM inhibitors WHERE alert = ?`, []any{id}, &n); err != nil {
		return fmt.Errorf("look for what alert %s hid: %w", id, err)
	}
	c.turned = c.turned || n > 0
	return nil
}

// turn judges again what waits and what is silenced while it still goes on, where something that silences or hides
// alerts began or ended since the last look.
func (c *commit) turn() error {
	var at, changes int64
	err := c.tx.Row(`SELECT at, changes FROM looks WHERE name = 'tuning'`, nil, &at, &changes)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read when alerts were looked at: %w", err)
	}
	var ended int
	if err := c.tx.Row(`SELECT COUNT(*) FROM inhibitors WHERE until > ? AND until <= ?`, []any{at, store.Micros(c.now)}, &ended); err != nil {
		return fmt.Errorf("read what hides alerts: %w", err)
	}
	over, err := tuning.Ended(c.tx, store.Time(at), c.now)
	if err != nil {
		return err
	}
	back := store.Time(at).After(c.now) // a clock that stepped back passes its ends again
	if !c.turned && !back && changes == c.changes && ended == 0 && !over && !c.set.Turned(store.Time(at), c.now) {
		return nil
	}
	for _, which := range []ledger.Which{ledger.StillWaiting, ledger.StillSilenced, ledger.CopiesWaiting} {
		if err := ledger.Again(c.tx, which, c.rejudge); err != nil {
			return err
		}
	}
	if err := c.tx.Exec(`DELETE FROM inhibitors WHERE NOT EXISTS (SELECT 1 FROM inhibitors i WHERE i.key = inhibitors.key AND i.alert = inhibitors.alert AND`+
		inhibiting+`)`, store.Micros(c.now)); err != nil {
		return fmt.Errorf("forget what hides nothing: %w", err)
	}
	if err := c.tx.Exec(`INSERT INTO looks (name, at, changes) VALUES ('tuning', ?, ?)
		ON CONFLICT (name) DO UPDATE SET at = excluded.at, changes = excluded.changes`, store.Micros(c.now), c.changes); err != nil {
		return fmt.Errorf("keep when alerts were looked at: %w", err)
	}
	return nil
}

// rejudge decides anew about an alert that was decided about before.
func (c *commit) rejudge(a *alert.Alert, stands ledger.Standing) error {
	v, err := c.judge(a)
	if err != nil {
		return err
	}
	switch now := decision(v); {
	case stands.Notice != "": // only its copies wait
		if now != ledger.Forward {
			return c.recopy(stands.Seq, a, nil, false)
		}
		return nil
	case now == stands.Decision && now != ledger.Forward:
		if v.Reason == stands.Reason {
			return nil
		}
		return ledger.Decide(c.tx, stands.Seq, decided(v))
	default:
		return c.decide(a, stands, v)
	}
}

// nextTurn is when something that silences or hides alerts begins or ends next.
func (c *commit) nextTurn() (time.Time, error) {
	next := c.set.Next(c.now)
	var until sql.NullInt64
	if err := c.tx.Row(`SELECT MIN(until) FROM inhibitors WHERE until > ?`, []any{store.Micros(c.now)}, &until); err != nil {
		return next, fmt.Errorf("read what hides alerts: %w", err)
	}
	if until.Valid {
		next = sooner(next, store.Time(until.Int64))
	}
	return next, nil
}

// sooner is the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
