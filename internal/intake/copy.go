package intake

import (
	"slices"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
)

// copies has every further route that takes the alert say it too, in its own channel.
func (c *commit) copies(seq int64, a *alert.Alert, also []policy.Verdict) error {
	for _, v := range also {
		one := ledger.Copy{Channel: v.Channel, Path: v.Path, Group: v.Group, Reason: v.Reason}
		if v.AtOnce() {
			n := c.alone(policy.CopyKey(a.ID, v.Channel), v, a)
			one.Notice, one.Revision, one.Reason = n.Key, n.Revision, "sent to "+v.Channel+" on its own"
			if err := outbox.Put(c.tx, n, c.now); err != nil {
				return err
			}
			c.queued++
		}
		if err := ledger.AddCopy(c.tx, seq, one); err != nil {
			return err
		}
		if one.Notice != "" {
			continue
		}
		if err := c.open.enter(c.policy, c.now, v, a.Severity); err != nil {
			return err
		}
	}
	return nil
}

// recopy follows a change of an alert: messages that name a copy of it are revised, and copies that wait become
// those that its routes make now. Routes that only now take it say it while the alert itself is still to be said.
func (c *commit) recopy(seq int64, a *alert.Alert, also []policy.Verdict, waits bool) error {
	have, err := ledger.Copies(c.tx, seq)
	if err != nil {
		return err
	}
	var fresh []policy.Verdict
	for _, v := range also {
		if !slices.ContainsFunc(have, func(h ledger.Copy) bool { return h.Channel == v.Channel && (h.Notice != "" || h.Group == v.Group) }) {
			fresh = append(fresh, v)
		}
	}
	for _, h := range have {
		if h.Notice != "" {
			c.revised[h.Notice] = true
			continue
		}
		if slices.ContainsFunc(also, func(v policy.Verdict) bool { return v.Channel == h.Channel && v.Group == h.Group }) {
			continue
		}
		if err := c.open.leave(h.Group); err != nil {
			return err
		}
		if err := ledger.DropCopy(c.tx, seq, h.Channel); err != nil {
			return err
		}
	}
	if !waits {
		return nil
	}
	return c.copies(seq, a, fresh)
}
