package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// attachMost is how many messages wait for what stands beside them; what comes on top is lost.
const attachMost = 100

// attachWithin is how soon after its message what stands beside it is added, or it is lost.
const attachWithin = 45 * time.Second

// besidesKept is how long it is remembered what was added to messages: longer than the time of any rate.
const besidesKept = 7 * 24 * time.Hour

// attachment is a message that was said, and what stands beside it.
type attachment struct {
	notice notice.Notice
	said   notice.Receipt
	first  bool
	until  time.Time
}

// allowBeside decides of messages just said whether what stands beside them may be added, and writes it down: it
// counts for the rate of the channel as messages do. It gets what the rate has to spare, two thirds of it at most, so
// that no alert waits for a picture.
func (o *Outbox) allowBeside(tx *store.Tx, results []result, now time.Time) error {
	if o.attach == nil {
		return nil
	}
	for i := range results {
		r := &results[i]
		r.beside = time.Time{}
		n := &r.notice
		posts := besides(n, !r.edit)
		if r.untouched || r.err != nil || posts == 0 || r.said().TS == "" {
			continue
		}
		until := now.Add(attachWithin)
		if rate := n.Rate; rate.Count > 0 {
			posted, unsaid, err := Traffic(tx, n.Channel, now.Add(-rate.Per-time.Second))
			if err != nil {
				return err
			}
			if len(posted)+unsaid+posts > rate.Count*2/3 {
				continue
			}
			for range posts {
				if err := tx.Exec(`INSERT INTO besides (channel, at) VALUES (?, ?)`, n.Channel, store.Micros(until)); err != nil {
					return fmt.Errorf("keep what is added to a message: %w", err)
				}
			}
			if err := tx.Exec(`DELETE FROM besides WHERE channel = ? AND at < ?`, n.Channel, store.Micros(now.Add(-max(besidesKept, rate.Per)))); err != nil {
				return fmt.Errorf("forget what was added to messages: %w", err)
			}
		}
		r.beside = until
	}
	return nil
}

// said is where the message of a result is.
func (r *result) said() notice.Receipt {
	if r.edit {
		return r.task.receipt
	}
	return r.receipt
}

// attachLater has what stands beside messages added once these are written down as said. It is kept in memory
// alone: a crash, a full queue or a refusal loses it, and the message says all that matters without.
func (o *Outbox) attachLater(results []result) {
	if o.attach == nil {
		return
	}
	for _, r := range results {
		if r.beside.IsZero() {
			continue
		}
		select {
		case o.beside <- attachment{r.notice, r.said(), !r.edit, r.beside}:
		default:
			o.log.Warn("too much waits to be added to messages: their charts and threads are left out", "channel", r.notice.Channel)
		}
	}
}

// besides is how many messages stand beside one.
func besides(n *notice.Notice, first bool) (posts int) {
	if len(n.Thread) > 0 {
		posts++
	}
	if first && len(n.Items) == 1 && n.Items[0].Chart != nil {
		posts++
	}
	return posts
}

// runAttach adds what waits, one message at a time and at the pace of its channel, until ctx ends.
func (o *Outbox) runAttach(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-o.beside:
			adding, cancel := context.WithDeadline(ctx, a.until)
			err := o.pace.post(adding, a.notice.Channel)
			if err == nil && o.holds.until(a.notice.Channel, time.Now()) > 0 {
				err = errors.New("messages wait: nothing may be added in between")
			}
			if err == nil {
				err = o.attach(adding, a.notice, a.said, a.first)
			}
			cancel()
			if err != nil && ctx.Err() == nil {
				o.log.Info("what stands beside a message was not added", "channel", a.notice.Channel, "error", err)
			}
		}
	}
}
