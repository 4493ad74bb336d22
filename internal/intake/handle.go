package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// ErrNoAlert means that no alert has that id.
var ErrNoAlert = errors.New("there is no such alert")

// Handle takes in what somebody did about an alert, in one transaction: it is kept, messages that name the alert
// say it, repeats and escalations stop. One that was closed before it was said is said no more.
func (i *Intake) Handle(ctx context.Context, a tuning.Acknowledgement) error {
	_, err := i.commit(ctx, alert.Batch{}, nil, func(c *commit) error { return c.handle(a) })
	if err != nil {
		return fmt.Errorf("%s alert %s: %w", a.Action, a.Alert, err)
	}
	return nil
}

func (c *commit) handle(what tuning.Acknowledgement) error {
	a, stands, ok, err := ledger.Stand(c.tx, what.Alert)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoAlert
	}
	what.At = c.now.UTC().Truncate(time.Microsecond)
	if err := tuning.Record(c.tx, what); err != nil {
		return err
	}
	handled := map[tuning.Action]ledger.Handled{tuning.Acknowledge: ledger.Acknowledged, tuning.Close: ledger.Closed}[what.Action]
	who := what.Who
	if handled == ledger.Unhandled {
		who = ""
	}
	if err := ledger.Handle(c.tx, stands.Seq, handled, who, string(what.Verdict), store.Micros(c.now)); err != nil {
		return err
	}
	if handled == ledger.Closed {
		if err := c.uninhibit(a.ID); err != nil {
			return err
		}
	}
	if stands.Notice != "" {
		c.revised[stands.Notice] = true
	}
	if handled != ledger.Closed || !stands.Waiting() {
		return c.recopy(stands.Seq, &a, nil, false)
	}
	if err := c.recopy(stands.Seq, &a, nil, false); err != nil {
		return err
	}
	if err := c.open.leave(stands.Group); err != nil {
		return err
	}
	return ledger.Decide(c.tx, stands.Seq, ledger.Standing{
		Decision: ledger.Exclude, Channel: stands.Channel, Group: stands.Group,
		Reason: "closed by " + what.Who + " before it was said", Cause: alert.NewCause(alert.CauseClosed, "by", what.Who),
	})
}
