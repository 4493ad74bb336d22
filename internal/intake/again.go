package intake

import (
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
)

// again says once more an alert that its source finds still going on. The alert stays with the message that said
// it first; the new one has a key of its own for each time, so that no repeat of the batch puts it twice. What
// a silence, quiet hours or the limit of its channel keep back is said when they no longer do; what is over by then, or what
// somebody has taken up, is not.
func (c *commit) again(a ledger.Content, stands ledger.Standing, v policy.Verdict) error {
	if a.Again == 0 {
		return nil
	}
	handled, err := ledger.HandledOf(c.tx, stands.Seq)
	if err != nil {
		return err
	}
	as := decision(v)
	if over := !a.Ended.IsZero() || a.Withdrawn || handled != ledger.Unhandled; over || a.Held != nil || as != ledger.Forward && as != ledger.Silence {
		return c.settle(a.ID)
	}
	key := policy.AgainKey(a.ID, a.Again)
	for _, named := range []notice.Key{key, stands.Notice} {
		_, tried, there, err := outbox.Get(c.tx, named)
		if err != nil {
			return err
		}
		if there && (named == key || !tried) { // it was said again, or is yet to be said, as it is now
			return c.settle(a.ID)
		}
	}
	if as == ledger.Silence {
		return c.owe(a.ID)
	}
	traffic, err := c.traffic(v.Channel, v.Rate())
	if err != nil {
		return err
	}
	if !c.policy.Again(c.now, v, traffic) {
		return c.owe(a.ID)
	}
	if err := c.settle(a.ID); err != nil {
		return err
	}
	n := c.alone(key, v, a.Alert)
	n.Repeat = true
	c.queued++
	return outbox.Put(c.tx, n, c.now)
}
