package intake

import (
	"fmt"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/store"
)

// Keeper is a Source whose memory is larger than one opaque text. Keep writes, in the transaction that takes
// a batch in, what the source remembers of it in tables of its own; it must have no other effect. The batch
// is one that the source's Fetch gave.
type Keeper interface {
	Source
	Keep(tx *store.Tx, b alert.Batch) error
}

// keep lets the batch's source write its own tables.
func (c *commit) keep(b alert.Batch) error {
	for _, s := range c.sources {
		if k, ok := s.(Keeper); ok && s.Name() == b.Source {
			if err := k.Keep(c.tx, b); err != nil {
				return fmt.Errorf("keep what source %s remembers: %w", b.Source, err)
			}
		}
	}
	return nil
}

// merge follows an alert that turned out to be part of another one. What was said stays said; one that waits
// goes the way of the other, and is never said alone.
func (c *commit) merge(a ledger.Content, stands ledger.Standing) error {
	if stands.Notice != "" {
		c.revised[stands.Notice] = true
		return nil
	}
	if !stands.Waiting() {
		return nil
	}
	whole, into, ok, err := ledger.Stand(c.tx, a.MergedInto)
	if err != nil {
		return err
	}
	if !ok {
		if gone, err := ledger.Forgotten(c.tx, a.MergedInto); err != nil || gone { // it speaks for itself
			return err
		}
		return fmt.Errorf("alert %s is merged into %s, which is not recorded", a.ID, a.MergedInto)
	}
	if into.Seq == stands.Seq || into.Waiting() && into.Group == stands.Group {
		return nil
	}
	if err := c.open.leave(stands.Group); err != nil {
		return err
	}
	if err := c.recopy(stands.Seq, a.Alert, nil, false); err != nil {
		return err
	}
	reason := "part of the longer alert " + string(a.MergedInto)
	if into.Notice != "" {
		c.revised[into.Notice] = true
		return ledger.Attach(c.tx, stands.Seq, into, reason)
	}
	if err := ledger.Decide(c.tx, stands.Seq, ledger.Standing{Decision: into.Decision, Reason: reason, Cause: alert.NewCause(alert.CauseMerged, "into", string(a.MergedInto)), Channel: into.Channel, Group: into.Group}); err != nil {
		return err
	}
	if !into.Waiting() {
		return nil
	}
	verdict, err := c.judge(&whole)
	if err != nil {
		return err
	}
	verdict.Group = into.Group
	return c.open.enter(c.policy, c.now, verdict, a.Severity)
}
