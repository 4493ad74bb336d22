package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// The longest backoff between tries, and the wait where only a person can help.
const (
	longest    = 5 * time.Minute
	forAPerson = time.Minute
)

// result is what came of a task. An untouched task was not tried.
type result struct {
	task
	untouched bool
	receipt   notice.Receipt
	err       error
	// beside is until when what stands beside its message may be added; zero for nothing.
	beside time.Time
}

// settle writes what came of tasks.
func (o *Outbox) settle(tx *store.Tx, results []result, now time.Time) error {
	results, err := settleAlike(tx, results, now)
	if err != nil {
		return fmt.Errorf("settle notices: %w", err)
	}
	for _, r := range results {
		if err := o.settleOne(tx, r, now); err != nil {
			return fmt.Errorf("settle notice %s: %w", r.notice.Key, err)
		}
	}
	return nil
}

// settleAlike writes, in one statement, the posts that were said and of which no more is known than the
// first of them has: what a webhook says. It returns the others.
func settleAlike(tx *store.Tx, results []result, now time.Time) (others []result, err error) {
	var args []any
	for _, r := range results {
		if r.untouched || r.edit || r.err != nil || r.receipt.TS != "" || r.receipt.Revision != 0 || args != nil && args[6] != any(r.receipt.Channel) {
			others = append(others, r)
			continue
		}
		if args == nil {
			args = []any{0, 0, 0, 0, store.Micros(now), store.Micros(now), r.receipt.Channel, ""}
		}
		args = append(args, r.seq)
	}
	if args != nil {
		err = tx.Exec(`UPDATE notices SET `+saidIs+` WHERE seq IN (`+places(len(args)-8)+`)`, args...)
	}
	return others, err
}

func (o *Outbox) settleOne(tx *store.Tx, r result, now time.Time) error {
	if r.untouched {
		return tx.Exec(`UPDATE notices SET state = 'queued' WHERE seq = ?`, r.seq)
	}
	if r.err == nil && r.edit {
		return tx.Exec(`UPDATE notices SET said_revision = sending_revision, said_at = ?, reason = '', attempts = 0,
			state = CASE WHEN revision > sending_revision THEN 'queued' ELSE 'said' END WHERE seq = ?`, store.Micros(now), r.seq)
	}
	if r.err == nil {
		return adopt(tx, r.seq, r.receipt, now)
	}
	var (
		retry    *notice.RetryError
		rejected *notice.RejectedError
	)
	switch {
	case errors.As(r.err, &retry):
		wait := max(retry.After, backoff(r.attempts))
		if retry.After > 0 {
			wait = retry.After
		}
		if err := keepLimit(tx, r, retry, now); err != nil {
			return err
		}
		return o.again(tx, r, now, wait, "waiting to send again: "+r.err.Error(), retry.Doubtful)
	case errors.As(r.err, &rejected):
		return o.rejected(tx, r, rejected, now)
	case r.edit && errors.Is(r.err, notice.ErrGone):
		return anew(tx, r.seq, r.err)
	case r.edit: // repeating an edit does no harm
		return o.again(tx, r, now, backoff(r.attempts), "waiting to update the message again: "+r.err.Error(), false)
	default: // what is not known to have failed may have been said
		return tx.Exec(`UPDATE notices SET state = 'doubt', doubt_at = ?, looks = 0, attempts = attempts + 1, reason = ? WHERE seq = ?`,
			store.Micros(now), "in doubt: "+r.err.Error()+"; looking it up", r.seq)
	}
}

// keepLimit writes down how long the service told us to wait, so that it holds after a restart as well.
func keepLimit(tx *store.Tx, r result, e *notice.RetryError, now time.Time) error {
	channel := r.notice.Channel
	switch {
	case e.After <= 0 || r.edit || e.Scope == notice.ScopeMessage:
		return nil
	case e.Scope == notice.ScopeService:
		channel = everything
	default:
	}
	return tx.Exec(`INSERT INTO limits (channel, set_at, until) VALUES (?, ?, ?)
		ON CONFLICT (channel) DO UPDATE SET set_at = excluded.set_at, until = excluded.until`,
		channel, store.Micros(now), store.Micros(now.Add(e.After)))
}

// keptLimits tells which channels the service told to wait, and until when. A clock that stepped back
// stretches no wait.
func keptLimits(tx *store.Tx, now time.Time, each func(channel string, until time.Time)) error {
	return tx.Query(func(r *sql.Rows) error {
		var (
			channel    string
			set, until int64
		)
		if err := r.Scan(&channel, &set, &until); err != nil {
			return err
		}
		at := store.Time(until)
		if most := now.Add(at.Sub(store.Time(set))); at.After(most) {
			at = most
		}
		each(channel, at)
		return nil
	}, `SELECT channel, set_at, until FROM limits WHERE until > ?`, store.Micros(now))
}

// saidIs is what becomes of a notice's row once it was said. Its parameters are four times the revision, of
// which 0 is the one last tried, twice the time, the channel and the message's id.
const saidIs = `said_revision = CASE WHEN ? > 0 THEN ? ELSE sending_revision END,
	state = CASE WHEN revision > CASE WHEN ? > 0 THEN ? ELSE sending_revision END THEN 'queued' ELSE 'said' END,
	said_at = ?, posted_at = ?, said_channel = ?, ts = ?, reason = '', attempts = 0, anew = 0, look_first = 0, looks = 0`

// adopt records that a notice was said: the revision its message tells, else the one last tried.
func adopt(tx *store.Tx, seq int64, receipt notice.Receipt, now time.Time) error {
	return tx.Exec(`UPDATE notices SET `+saidIs+` WHERE seq = ?`,
		receipt.Revision, receipt.Revision, receipt.Revision, receipt.Revision, store.Micros(now), store.Micros(now), receipt.Channel, receipt.TS, seq)
}

// anew gives up editing a message: what only the edit would have said is posted as a new message, and
// an edit that names nothing new is dropped.
func anew(tx *store.Tx, seq int64, why error) error {
	return tx.Exec(`UPDATE notices SET
		state = CASE WHEN needed_revision > said_revision THEN 'queued' ELSE 'said' END,
		anew = CASE WHEN needed_revision > said_revision THEN 1 ELSE 0 END,
		said_revision = CASE WHEN needed_revision > said_revision THEN said_revision ELSE revision END,
		attempts = 0, reason = ? WHERE seq = ?`, why.Error(), seq)
}

func (o *Outbox) again(tx *store.Tx, r result, now time.Time, wait time.Duration, reason string, look bool) error {
	return tx.Exec(`UPDATE notices SET state = 'queued', attempts = attempts + 1, held_at = ?, not_before = ?, reason = ?,
		look_first = MAX(look_first, ?) WHERE seq = ?`,
		store.Micros(now), store.Micros(now.Add(wait)), reason, look && o.sender.History(r.notice.Channel), r.seq)
}

func (o *Outbox) rejected(tx *store.Tx, r result, e *notice.RejectedError, now time.Time) error {
	switch {
	case e.Scope == notice.ScopeMessage && !r.plain:
		return tx.Exec(`UPDATE notices SET state = 'queued', plain = 1, reason = ? WHERE seq = ?`,
			"the message was "+e.Error()+"; sending its text alone", r.seq)
	case e.Scope == notice.ScopeMessage && r.edit:
		return anew(tx, r.seq, e)
	case e.Scope == notice.ScopeMessage:
		return tx.Exec(`UPDATE notices SET state = 'failed', attempts = attempts + 1, reason = ? WHERE seq = ?`,
			"given up: even its text alone was "+e.Error(), r.seq)
	case e.Scope == notice.ScopeChannel && r.edit:
		return anew(tx, r.seq, e)
	case e.Scope == notice.ScopeChannel && o.fallback != "" && o.fallback != r.notice.Channel:
		return o.divert(tx, r, e)
	default:
		return o.again(tx, r, now, forAPerson, "waiting: "+e.Error(), false)
	}
}

// divert sends to the default channel what its own channel refuses.
func (o *Outbox) divert(tx *store.Tx, r result, e *notice.RejectedError) error {
	n := r.notice
	note := "meant for " + n.Channel + ", which Slack refused: " + e.Code
	if n.Note != "" {
		note = n.Note + "; " + note
	}
	n.Channel, n.Note, n.Plain = o.fallback, note, false
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	diverted, err := tx.Change(`UPDATE notices SET state = 'queued', channel = ?, body = ?, reason = ? WHERE seq = ? AND revision = sending_revision`,
		n.Channel, body, note, r.seq)
	if err != nil || diverted > 0 {
		return err
	}
	return tx.Exec(`UPDATE notices SET state = 'queued' WHERE seq = ?`, r.seq) // revised meanwhile: refused and diverted next time
}

// backoff grows from one second to longest, spread so that many do not come back at once.
func backoff(attempts int) time.Duration {
	wait := min(longest, time.Second<<min(attempts, 9))
	return wait + time.Duration(rand.Int64N(int64(wait)/4+1))
}
