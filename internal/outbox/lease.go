package outbox

import (
	"database/sql"
	"encoding/json"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// task is one leased notice: in the database it is sending until the task is settled.
type task struct {
	seq      int64
	notice   notice.Notice
	edit     bool
	receipt  notice.Receipt // where it was said, for an edit
	attempts int
	plain    bool
	look     bool      // look into the history before posting
	attempt  time.Time // by the service's clock, when it was leased; with look, when it was first tried
}

// toPost and toEdit split what is queued by what has to be done.
const (
	toPost = `(said_revision = 0 OR anew = 1)`
	toEdit = `(said_revision > 0 AND anew = 0)`
)

// ready holds while a queued notice may be sent. A clock that stepped back below held_at must not
// stretch the wait.
const ready = `state = 'queued' AND (not_before <= ? OR held_at > ?)`

// lease marks up to n ready notices as sending, oldest first: posts of one channel, or with channel ""
// edits of all.
func lease(tx *store.Tx, channel string, n int, now, clock time.Time) ([]task, error) {
	where, args := ready+` AND channel = ? AND `+toPost, []any{store.Micros(now), store.Micros(now), channel, n}
	if channel == "" {
		where, args = ready+` AND `+toEdit, []any{store.Micros(now), store.Micros(now), n}
	}
	var tasks []task
	err := tx.Query(func(r *sql.Rows) error {
		var (
			t           task
			body        []byte
			rev         int
			said, first int64
		)
		if err := r.Scan(&t.seq, &body, &rev, &t.edit, &t.receipt.Channel, &t.receipt.TS, &said, &t.attempts, &t.plain, &t.look, &first); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &t.notice); err != nil {
			return err
		}
		t.notice.Revision, t.notice.Plain, t.receipt.At, t.attempt = rev, t.plain, store.Time(said), clock
		if t.look && first > 0 { // what the first try may have stored is looked for
			t.attempt = store.Time(first)
		}
		tasks = append(tasks, t)
		return nil
	}, `SELECT seq, body, revision, `+toEdit+`, said_channel, ts, said_at, attempts, plain, look_first, attempt_at FROM notices WHERE `+where+` ORDER BY seq LIMIT ?`, args...)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if err := tx.Exec(`UPDATE notices SET state = 'sending', sending_revision = revision, attempt_at = ?, held_at = 0, not_before = 0 WHERE seq = ?`,
			store.Micros(t.attempt), t.seq); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// waiting lists the channels that have ready posts, whether there are ready edits, whether anything is
// in doubt, and whether anything at all is left to do now or later.
func waiting(tx *store.Tx, now time.Time) (channels []string, edits, doubts, open bool, err error) {
	at := store.Micros(now)
	err = tx.Query(func(r *sql.Rows) error {
		var c string
		if err := r.Scan(&c); err != nil {
			return err
		}
		channels = append(channels, c)
		return nil
	}, `SELECT DISTINCT channel FROM notices WHERE `+ready+` AND `+toPost, at, at)
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE `+ready+` AND `+toEdit+`)`, []any{at, at}, &edits)
	}
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE state = 'doubt')`, nil, &doubts)
	}
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE state IN ('queued', 'sending', 'doubt'))`, nil, &open)
	}
	return channels, edits, doubts, open, err
}

// recoverSending settles what a process that died left as sending: a post is in doubt, an edit is repeated.
func recoverSending(tx *store.Tx, now time.Time) (posts, edits int64, err error) {
	posts, err = tx.Change(`UPDATE notices SET state = 'doubt', doubt_at = ?, looks = 0, reason = ? WHERE state = 'sending' AND `+toPost,
		store.Micros(now), "in doubt: tocsin stopped while sending it; looking it up")
	if err == nil {
		edits, err = tx.Change(`UPDATE notices SET state = 'queued' WHERE state = 'sending'`)
	}
	return posts, edits, err
}

// lastPosts tells when a post to each channel was last tried.
func lastPosts(tx *store.Tx, each func(channel string, at time.Time)) error {
	return tx.Query(func(r *sql.Rows) error {
		var (
			channel string
			at      int64
		)
		if err := r.Scan(&channel, &at); err != nil {
			return err
		}
		each(channel, store.Time(at))
		return nil
	}, `SELECT channel, MAX(MAX(posted_at, attempt_at)) FROM notices WHERE attempt_at > 0 GROUP BY channel`)
}
