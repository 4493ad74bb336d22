package outbox

import (
	"database/sql"
	"encoding/json"
	"strings"
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

// open is what the index notices_open holds. Where it is said, SQLite looks there; it does not see that open
// follows from a state.
const open = `state IN ('queued', 'sending', 'doubt')`

// lease marks up to n ready notices as sending, oldest first: posts of one channel, or with channel ""
// edits of all.
func lease(tx *store.Tx, channel string, n int, now, clock time.Time) ([]task, error) {
	where, args := open+` AND `+ready+` AND channel = ? AND `+toPost, []any{store.Micros(now), store.Micros(now), channel, n}
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
	return tasks, mark(tx, tasks, clock)
}

// sendingIs is what becomes of a leased notice's row; its parameter is the time of the attempt.
const sendingIs = `state = 'sending', sending_revision = revision, attempt_at = ?, held_at = 0, not_before = 0`

// mark makes tasks sending, as far as can be in one statement: it is done for every message.
func mark(tx *store.Tx, tasks []task, clock time.Time) error {
	args := []any{store.Micros(clock)}
	for _, t := range tasks {
		if t.attempt.Equal(clock) {
			args = append(args, t.seq)
		} else if err := tx.Exec(`UPDATE notices SET `+sendingIs+` WHERE seq = ?`, store.Micros(t.attempt), t.seq); err != nil {
			return err
		}
	}
	if len(args) == 1 {
		return nil
	}
	return tx.Exec(`UPDATE notices SET `+sendingIs+` WHERE seq IN (`+places(len(args)-1)+`)`, args...)
}

// places are n parameters of a statement.
func places(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// take notes which notice of a lease is posted now. Where nothing tells what was said, it is written down
// before each post: whatever happens then, only that one is in doubt.
func take(tx *store.Tx, t task, now time.Time) error {
	return tx.Exec(`INSERT INTO turns (channel, seq, at) VALUES (?, ?, ?)
		ON CONFLICT (channel) DO UPDATE SET seq = excluded.seq, at = excluded.at`, t.notice.Channel, t.seq, store.Micros(now))
}

// waiting lists the channels that have ready posts and are not busy, whether there are ready edits, whether anything is
// in doubt, and whether anything at all is left to do now or later.
func waiting(tx *store.Tx, now time.Time, busy func(channel string) bool) (channels []string, edits, doubts, left bool, err error) {
	at := store.Micros(now)
	// From each channel to the next: many notices of one may be waiting.
	var all []string
	err = tx.Query(func(r *sql.Rows) error {
		var c string
		defer func() { all = append(all, c) }()
		return r.Scan(&c)
	}, `WITH RECURSIVE c (channel) AS (
			SELECT MIN(channel) FROM notices WHERE `+open+` AND state = 'queued'
			UNION ALL SELECT (SELECT MIN(channel) FROM notices WHERE `+open+` AND state = 'queued' AND channel > c.channel) FROM c WHERE c.channel IS NOT NULL
		) SELECT channel FROM c WHERE channel IS NOT NULL`)
	for _, c := range all {
		var has bool
		if err == nil && !busy(c) {
			err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE `+open+` AND `+ready+` AND channel = ? AND `+toPost+`)`, []any{at, at, c}, &has)
		}
		if has {
			channels = append(channels, c)
		}
	}
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE `+ready+` AND `+toEdit+`)`, []any{at, at}, &edits)
	}
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE state = 'doubt')`, nil, &doubts)
	}
	if err == nil {
		err = tx.Row(`SELECT EXISTS (SELECT 1 FROM notices WHERE `+open+`)`, nil, &left)
	}
	return channels, edits, doubts, left, err
}

// recoverSending settles what a process that died left as sending: a post is in doubt, an edit is repeated.
// Of a lease that was worked through in turn, only the notice whose turn it was is in doubt.
func recoverSending(tx *store.Tx, now time.Time) (posts, edits int64, err error) {
	type turn struct {
		channel string
		seq, at int64
	}
	var turns []turn
	err = tx.Query(func(r *sql.Rows) error {
		var t turn
		defer func() { turns = append(turns, t) }()
		return r.Scan(&t.channel, &t.seq, &t.at)
	}, `SELECT channel, seq, at FROM turns`)
	if err != nil {
		return 0, 0, err
	}
	for _, t := range turns {
		err = tx.Exec(`UPDATE notices SET `+saidIs+` WHERE `+open+` AND state = 'sending' AND channel = ? AND seq < ? AND `+toPost,
			0, 0, 0, 0, t.at, t.at, t.channel, "", t.channel, t.seq)
		if err == nil {
			err = tx.Exec(`UPDATE notices SET state = 'queued' WHERE `+open+` AND state = 'sending' AND channel = ? AND seq > ? AND `+toPost, t.channel, t.seq)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if err := tx.Exec(`DELETE FROM turns`); err != nil {
		return 0, 0, err
	}
	posts, err = tx.Change(`UPDATE notices SET state = 'doubt', doubt_at = ?, looks = 0, reason = ? WHERE `+open+` AND state = 'sending' AND `+toPost,
		store.Micros(now), "in doubt: tocsin stopped while sending it; looking it up")
	if err == nil {
		edits, err = tx.Change(`UPDATE notices SET state = 'queued' WHERE ` + open + ` AND state = 'sending'`)
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
