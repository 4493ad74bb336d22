package outbox

import (
	"context"
	"time"

	"tocsin/internal/notice"
)

// attachMost is how many messages wait for what stands beside them; what comes on top is lost.
const attachMost = 100

// attachTime bounds the work on one message.
const attachTime = 30 * time.Second

// attachment is a message that was said, and what stands beside it.
type attachment struct {
	notice notice.Notice
	said   notice.Receipt
	first  bool
}

// attachLater has what stands beside messages added once these are written down as said. It is kept in memory
// alone: a crash, a full queue or a refusal loses it, and the message says all that matters without.
func (o *Outbox) attachLater(results []result) {
	if o.attach == nil {
		return
	}
	for _, r := range results {
		said := r.receipt
		if r.edit {
			said = r.task.receipt
		}
		if r.untouched || r.err != nil || said.TS == "" || !beside(&r.notice, !r.edit) {
			continue
		}
		select {
		case o.beside <- attachment{r.notice, said, !r.edit}:
		default:
			o.log.Warn("too much waits to be added to messages: their charts and threads are left out", "channel", r.notice.Channel)
		}
	}
}

// beside reports whether anything stands beside a message.
func beside(n *notice.Notice, first bool) bool {
	return len(n.Thread) > 0 || first && len(n.Items) == 1 && n.Items[0].Chart != nil
}

// runAttach adds what waits, one message at a time and at the pace of its channel, until ctx ends.
func (o *Outbox) runAttach(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-o.beside:
			if o.pace.post(ctx, a.notice.Channel) != nil {
				return nil //nolint:nilerr // told to stop
			}
			if wait := o.holds.until(a.notice.Channel, time.Now()); wait > 0 {
				continue // messages wait: nothing may be added in between
			}
			adding, cancel := context.WithTimeout(ctx, attachTime)
			if err := o.attach(adding, a.notice, a.said, a.first); err != nil {
				o.log.Info("what stands beside a message was not added", "channel", a.notice.Channel, "error", err)
			}
			cancel()
		}
	}
}
