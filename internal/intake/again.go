package intake

import (
	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
)

// again says once more an alert that its source finds still going on. The alert stays with the message that said
// it first; the new one has a key of its own for each time, so that no repeat of the batch puts it twice. What
// policy keeps back now, or the channel has no room for, is looked at again when the alert changes again; what is over
// by then is not.
func (c *commit) again(a ledger.Content, stands ledger.Standing, v policy.Verdict) error {
	over := !a.Ended.IsZero() || a.Status == alert.StatusClosed
	if a.Again == 0 || over || decision(v) != ledger.Forward {
		return nil
	}
	key := policy.AgainKey(a.ID, a.Again)
	if _, _, there, err := outbox.Get(c.tx, key); err != nil || there {
		return err
	}
	if _, tried, there, err := outbox.Get(c.tx, stands.Notice); err != nil || there && !tried {
		return err // it is yet to be said, as it is now
	}
	traffic, err := c.traffic(v.Channel, v.Rate())
	if err != nil || !c.policy.Again(c.now, v, traffic) {
		return err
	}
	n := c.alone(key, v, a.Alert)
	n.Repeat = true
	c.queued++
	return outbox.Put(c.tx, n, c.now)
}
