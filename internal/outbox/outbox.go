// Package outbox owns the notices until they are said: it keeps them in the database, leases, paces and
// posts them through a Sender, settles what came of it, and looks up what is in doubt. It decides
// neither what is said nor how it looks.
//
// A notice is queued, then sending, then said; a later revision of it makes it queued again. A post
// whose answer never came is in doubt until the channel's history tells. Every step is committed
// before the next begins, so that a crash at any point leaves a notice queued, said, or in doubt:
//
//	queued ──lease──> sending ──answer──> said | queued (later) | failed
//	                     └─no answer, crash──> doubt ──history──> said | queued
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Sender says notices. Post tries once and never again by itself.
type Sender interface {
	// Post says the notice anew. Errors: notice.ErrUnknown, *notice.RetryError, *notice.RejectedError.
	Post(context.Context, notice.Notice) (notice.Receipt, error)
	// Edit replaces what was said; saying the same again is harmless. It may also fail with notice.ErrGone.
	Edit(context.Context, notice.Notice, notice.Receipt) error
	// Find looks in the channel's history, from since on by the service's clock, for what was said
	// under the keys. Errors: notice.ErrNoHistory, *notice.RetryError, or anything else to try later.
	Find(ctx context.Context, channel string, since time.Time, keys []notice.Key) (map[notice.Key]notice.Receipt, error)
	Edits(channel string) bool   // whether Edit can work there at all
	History(channel string) bool // whether Find can work there at all
	// Clock is the service's clock as last heard from it and moved on by ours; zero before it was heard.
	Clock() time.Time
}

// Migrations are the outbox's tables: the notices, how long the service told us to wait, and where a lease
// stands that is worked through in turn. The ledger reads the columns that its own Migrations name.
var Migrations = []store.Migration{{ID: "outbox/1", SQL: `
CREATE TABLE notices (
	seq              INTEGER PRIMARY KEY,
	key              TEXT NOT NULL UNIQUE,
	channel          TEXT NOT NULL,
	kind             TEXT NOT NULL,
	revision         INTEGER NOT NULL,
	needed_revision  INTEGER NOT NULL,
	said_revision    INTEGER NOT NULL DEFAULT 0,
	sending_revision INTEGER NOT NULL DEFAULT 0,
	state            TEXT NOT NULL,
	reason           TEXT NOT NULL DEFAULT '',
	attempts         INTEGER NOT NULL DEFAULT 0,
	anew             INTEGER NOT NULL DEFAULT 0,
	plain            INTEGER NOT NULL DEFAULT 0,
	look_first       INTEGER NOT NULL DEFAULT 0,
	looks            INTEGER NOT NULL DEFAULT 0,
	created_at       BIGINT NOT NULL,
	held_at          BIGINT NOT NULL DEFAULT 0,
	not_before       BIGINT NOT NULL DEFAULT 0,
	attempt_at       BIGINT NOT NULL DEFAULT 0,
	doubt_at         BIGINT NOT NULL DEFAULT 0,
	posted_at        BIGINT NOT NULL DEFAULT 0,
	said_at          BIGINT NOT NULL DEFAULT 0,
	said_channel     TEXT NOT NULL DEFAULT '',
	ts               TEXT NOT NULL DEFAULT '',
	body             BLOB NOT NULL
);
CREATE INDEX notices_open ON notices (state, channel, seq) WHERE state IN ('queued', 'sending', 'doubt');
CREATE INDEX notices_queued ON notices (channel, seq) WHERE state = 'queued';
CREATE INDEX notices_edits ON notices (seq) WHERE state = 'queued' AND said_revision > 0 AND anew = 0;
CREATE INDEX notices_doubt ON notices (seq) WHERE state = 'doubt';
CREATE INDEX notices_failed ON notices (seq) WHERE state = 'failed';
CREATE INDEX notices_posted ON notices (channel, posted_at);
`}, {ID: "outbox/2", SQL: `
CREATE TABLE limits (
	channel TEXT NOT NULL PRIMARY KEY, -- '' is everything
	set_at  BIGINT NOT NULL,
	until   BIGINT NOT NULL
);
`}, {ID: "outbox/3", SQL: `
DROP INDEX notices_queued; -- notices_open finds the same
DROP INDEX notices_posted;
CREATE INDEX notices_posted ON notices (channel, posted_at) WHERE posted_at > 0;
CREATE TABLE turns (
	channel TEXT NOT NULL PRIMARY KEY,
	seq     BIGINT NOT NULL, -- of the channel's notices that are sending, those before it are said and those after it are not
	at      BIGINT NOT NULL
);
`}, {ID: "outbox/4", SQL: `
CREATE TABLE besides (
	channel TEXT NOT NULL,
	at      BIGINT NOT NULL -- by when it was added to a message
);
CREATE INDEX besides_at ON besides (channel, at);
`}}

// State is where a notice stands.
type State string

// The states.
const (
	Queued  State = "queued"
	Sending State = "sending"
	Doubt   State = "doubt"
	Said    State = "said"
	Failed  State = "failed"
)

// Put adds a notice. One that is known by its key already stays as it is.
func Put(tx *store.Tx, n notice.Notice, now time.Time) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice %s: %w", n.Key, err)
	}
	err = tx.Exec(`INSERT INTO notices (key, channel, kind, body, revision, needed_revision, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO NOTHING`, n.Key, n.Channel, n.Kind, body, n.Revision, n.Revision, Queued, store.Micros(now))
	if err != nil {
		return fmt.Errorf("queue notice %s: %w", n.Key, err)
	}
	return nil
}

// Get reads a notice as it stands; ok is false when there is none. tried tells that it was said or is
// being said: what replaces it then is an edit.
func Get(tx *store.Tx, key notice.Key) (n notice.Notice, tried bool, ok bool, err error) {
	var body []byte
	err = tx.Row(`SELECT body, said_revision > 0 OR state IN ('sending', 'doubt') FROM notices WHERE key = ?`, []any{key}, &body, &tried)
	if errors.Is(err, sql.ErrNoRows) {
		return n, false, false, nil
	}
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	if err != nil {
		return n, false, false, fmt.Errorf("read notice %s: %w", key, err)
	}
	return n, tried, true, nil
}

// Revise replaces a notice by a later revision of it, to be said in place of what was said. needed
// tells that the revision names alerts that no earlier one does; where a message can no longer be
// edited, a revision that is not needed is dropped and a needed one is posted anew.
func Revise(tx *store.Tx, n notice.Notice, needed bool) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice %s: %w", n.Key, err)
	}
	from := 0
	if needed {
		from = n.Revision
	}
	err = tx.Exec(`UPDATE notices SET body = ?, revision = ?, needed_revision = MAX(needed_revision, ?), plain = 0,
		state = CASE state WHEN 'said' THEN 'queued' WHEN 'failed' THEN 'queued' ELSE state END,
		attempts = CASE state WHEN 'said' THEN 0 WHEN 'failed' THEN 0 ELSE attempts END
		WHERE key = ?`, body, n.Revision, from, n.Key)
	if err != nil {
		return fmt.Errorf("revise notice %s: %w", n.Key, err)
	}
	return nil
}

// Traffic tells when a channel's messages were posted since then, oldest first, and how many more wait
// to be posted or are in doubt.
func Traffic(tx *store.Tx, channel string, since time.Time) (posted []time.Time, unsaid int, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var at int64
		if err := r.Scan(&at); err != nil {
			return err
		}
		posted = append(posted, store.Time(at))
		return nil
	}, `SELECT posted_at AS at FROM notices WHERE channel = ? AND posted_at > 0 AND posted_at > ?
		UNION ALL SELECT at FROM besides WHERE channel = ? AND at > ? ORDER BY at`, channel, store.Micros(since), channel, store.Micros(since))
	if err == nil {
		err = tx.Row(`SELECT COUNT(*) FROM notices WHERE state IN ('queued', 'sending', 'doubt') AND channel = ? AND (said_revision = 0 OR anew = 1)`,
			[]any{channel}, &unsaid)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read traffic of %s: %w", channel, err)
	}
	return posted, unsaid, nil
}

// Depth is how much is left to say.
type Depth struct {
	Queued, Sending, Doubt, Failed int
	Oldest                         time.Time // when the oldest of the first three was queued; zero when there is none
}

// Measure reads the depth.
func Measure(tx *store.Tx) (Depth, error) {
	var (
		d      Depth
		oldest sql.NullInt64
	)
	err := tx.Query(func(r *sql.Rows) error {
		var (
			s State
			n int
		)
		if err := r.Scan(&s, &n); err != nil {
			return err
		}
		switch s {
		case Queued:
			d.Queued = n
		case Sending:
			d.Sending = n
		case Doubt:
			d.Doubt = n
		default:
		}
		return nil
	}, `SELECT state, COUNT(*) FROM notices WHERE state IN ('queued', 'sending', 'doubt') GROUP BY state`)
	if err == nil {
		err = tx.Row(`SELECT MIN(created_at) FROM notices WHERE state IN ('queued', 'sending', 'doubt')`, nil, &oldest)
	}
	if err == nil {
		err = tx.Row(`SELECT COUNT(*) FROM notices WHERE state = 'failed'`, nil, &d.Failed)
	}
	if err != nil {
		return d, fmt.Errorf("measure outbox: %w", err)
	}
	d.Oldest = store.Time(oldest.Int64)
	return d, nil
}

// Record is one notice as verify and people see it.
type Record struct {
	Key      notice.Key `json:"delivery_key"`
	Channel  string     `json:"channel"`
	TS       string     `json:"ts"`
	State    State      `json:"state"`
	Reason   string     `json:"reason"`
	SaidAt   time.Time  `json:"said_at"` // when it was last posted or edited; zero before
	PostedAt time.Time  `json:"posted_at"`
	Created  time.Time  `json:"created_at"`
}

// Records calls each for every notice queued or said since then, oldest first.
func Records(tx *store.Tx, since time.Time, each func(Record) error) error {
	err := tx.Query(func(r *sql.Rows) error {
		var (
			rec                   Record
			said, posted, created int64
			to                    string
		)
		if err := r.Scan(&rec.Key, &to, &rec.Channel, &rec.TS, &rec.State, &rec.Reason, &said, &posted, &created); err != nil {
			return err
		}
		if rec.Channel == "" {
			rec.Channel = to
		}
		rec.SaidAt, rec.PostedAt, rec.Created = store.Time(said), store.Time(posted), store.Time(created)
		return each(rec)
	}, `SELECT key, channel, said_channel, ts, state, reason, said_at, posted_at, created_at FROM notices
		WHERE created_at >= ? OR said_at >= ? ORDER BY seq`, store.Micros(since), store.Micros(since))
	if err != nil {
		return fmt.Errorf("read notices: %w", err)
	}
	return nil
}
