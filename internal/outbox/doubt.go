package outbox

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// How posts in doubt are looked up. The service may store a request some time after our side gave it
// up, so only the last of two looks, settled later than any post of ours can last, proves absence.
const (
	firstLook  = 2 * time.Second
	settleTime = 12 * time.Second
	// skew is how far before the attempt a message found may lie: the service's clock is read to the
	// second and drifts against ours between answers.
	skew = 2 * time.Minute
	// resendAfter is the wait before the first resend where nothing can be looked up; it doubles each time.
	resendAfter = 5 * time.Second
	// lookMost bounds the notices of one look.
	lookMost = 500
)

type doubtful struct {
	seq      int64
	key      notice.Key
	looks    int
	attempts int
	attempt  time.Time
	doubt    time.Time
}

// due tells when a notice in doubt is looked up next. A clock that stepped back makes it due.
func (d doubtful) due(now time.Time) bool {
	if now.Before(d.doubt) {
		return true
	}
	wait := firstLook
	if d.looks > 0 {
		wait = settleTime
	}
	return !now.Before(d.doubt.Add(wait))
}

// resolve looks up what is in doubt and due, channel by channel. It reports whether it looked at any.
func (o *Outbox) resolve(ctx context.Context) (done bool, err error) {
	byChannel := map[string][]doubtful{}
	err = o.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				d              doubtful
				channel        string
				attempt, doubt int64
			)
			if err := r.Scan(&d.seq, &d.key, &channel, &d.looks, &d.attempts, &attempt, &doubt); err != nil {
				return err
			}
			d.attempt, d.doubt = store.Time(attempt), store.Time(doubt)
			if d.due(time.Now()) && len(byChannel[channel]) < lookMost {
				byChannel[channel] = append(byChannel[channel], d)
			}
			return nil
		}, `SELECT seq, key, channel, looks, attempts, attempt_at, doubt_at FROM notices WHERE state = 'doubt' ORDER BY seq`)
	})
	if err != nil {
		return false, err
	}
	for channel, doubts := range byChannel {
		if o.holds.until(lookups(channel), time.Now()) > 0 {
			continue
		}
		if err := o.look(ctx, channel, doubts); err != nil {
			return done, err
		}
		done = true
	}
	return done, nil
}

// lookups names the hold on reading a channel's history, apart from the hold on posting to it.
func lookups(channel string) string { return "history of " + channel }

func (o *Outbox) look(ctx context.Context, channel string, doubts []doubtful) error {
	found, err := o.find(ctx, channel, doubts)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, notice.ErrNoHistory):
		if o.sender.History(channel) { // of a webhook nothing else is to be expected
			o.report("history of "+channel, err, "posts without an answer are handled by slack.in_doubt ("+string(o.inDoubt)+")")
		}
		return o.db.Update(ctx, func(tx *store.Tx) error { return o.guess(tx, doubts, err) })
	case err != nil:
		o.unreadable(channel, err)
		return nil //nolint:nilerr // reported, and looked at again later
	}
	o.report("history of "+channel, nil, "")
	return o.db.Update(ctx, func(tx *store.Tx) error { return o.conclude(tx, doubts, found) })
}

// unreadable keeps looks into a channel's history back for a while, which it returns.
func (o *Outbox) unreadable(channel string, err error) time.Duration {
	wait := backoff(2)
	var retry *notice.RetryError
	if errors.As(err, &retry) && retry.After > 0 {
		wait = retry.After
	}
	o.holds.set(lookups(channel), time.Now().Add(wait))
	o.report("history of "+channel, err, "posts without a clear answer wait until it can be read")
	return wait
}

func (o *Outbox) find(ctx context.Context, channel string, doubts []doubtful) (map[notice.Key]notice.Receipt, error) {
	if !o.sender.History(channel) {
		return nil, notice.ErrNoHistory
	}
	since := doubts[0].attempt
	keys := make([]notice.Key, 0, len(doubts))
	for _, d := range doubts {
		keys = append(keys, d.key)
		if d.attempt.Before(since) {
			since = d.attempt
		}
	}
	if err := o.pace.scarce(ctx); err != nil {
		return nil, err
	}
	return o.sender.Find(ctx, channel, since.Add(-skew), keys)
}

// conclude adopts what was found, counts a look at the rest, and queues again what the last look did
// not find.
func (o *Outbox) conclude(tx *store.Tx, doubts []doubtful, found map[notice.Key]notice.Receipt) error {
	now := time.Now()
	for _, d := range doubts {
		receipt, ok := found[d.key]
		var err error
		switch {
		case ok:
			o.metrics.resolved.WithLabelValues("adopted").Inc()
			err = adopt(tx, d.seq, receipt, now)
		case d.looks == 0:
			err = tx.Exec(`UPDATE notices SET looks = 1 WHERE seq = ?`, d.seq)
		default:
			o.metrics.resolved.WithLabelValues("resent").Inc()
			err = tx.Exec(`UPDATE notices SET state = 'queued', looks = 0, reason = 'it was not said; sending it again' WHERE seq = ?`, d.seq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// guess does what slack.in_doubt says where nothing can be looked up.
func (o *Outbox) guess(tx *store.Tx, doubts []doubtful, why error) error {
	now := time.Now()
	for _, d := range doubts {
		var err error
		if o.inDoubt == Drop {
			o.metrics.resolved.WithLabelValues("dropped").Inc()
			err = tx.Exec(`UPDATE notices SET state = 'failed', reason = ? WHERE seq = ?`,
				"given up: it may have been said or not, "+why.Error()+", and slack.in_doubt is drop", d.seq)
		} else {
			o.metrics.resolved.WithLabelValues("resent_unseen").Inc()
			// Each time later: a service whose answers get lost may have stored every one of them.
			err = tx.Exec(`UPDATE notices SET state = 'queued', looks = 0, held_at = ?, not_before = ?, reason = ? WHERE seq = ?`,
				store.Micros(now), store.Micros(now.Add(resendAfter<<min(d.attempts, 7))),
				"sending it again: it may have been said or not, "+why.Error()+", and slack.in_doubt is resend", d.seq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
