// Package ledger owns the record of every alert seen, what was decided about it and why, which notice
// names it, and the sources' state. It decides nothing and sends nothing. An alert's fate is never
// stored: it follows from the decision and the notice, so that settling a notice writes one row.
package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Migrations are the ledger's tables. The fate is read with a join to the outbox's notices; the
// columns key, kind, state, reason, said_revision, channel, said_channel and ts of that table are a
// contract between the two rooms. Blobs stand last in both, and alerts_notice holds all that a fate
// needs, so that counting fates reads no blob.
var Migrations = []store.Migration{{ID: "ledger/1", SQL: `
CREATE TABLE alerts (
	seq             INTEGER PRIMARY KEY,
	id              TEXT NOT NULL UNIQUE,
	source          TEXT NOT NULL,
	source_id       TEXT NOT NULL,
	rule            TEXT NOT NULL,
	severity        INTEGER NOT NULL,
	time            BIGINT NOT NULL,
	updated         BIGINT NOT NULL,
	seen_at         BIGINT NOT NULL,
	revision        TEXT NOT NULL,
	ongoing         INTEGER NOT NULL,
	late            INTEGER NOT NULL,
	idx             TEXT NOT NULL,
	decision        TEXT NOT NULL,
	reason          TEXT NOT NULL,
	channel         TEXT NOT NULL,
	grp             TEXT NOT NULL,
	notice          TEXT,
	notice_revision INTEGER NOT NULL DEFAULT 0,
	place           INTEGER NOT NULL DEFAULT 0,
	head            BLOB NOT NULL
);
CREATE INDEX alerts_time ON alerts (time);
CREATE INDEX alerts_waiting ON alerts (grp) WHERE notice IS NULL AND decision = 'forward';
CREATE INDEX alerts_notice ON alerts (notice, place, notice_revision, decision);
CREATE INDEX alerts_ongoing ON alerts (grp) WHERE ongoing = 1;
CREATE TABLE documents (
	seq      INTEGER PRIMARY KEY,
	document BLOB NOT NULL
);
CREATE TABLE sources (
	name       TEXT PRIMARY KEY,
	state      BLOB NOT NULL,
	updated_at BIGINT NOT NULL
);
`}, writeBackMigration, suppressionMigration, retentionMigration}

// Decision is what policy decided about an alert. All but Forward is also its fate.
type Decision string

// The decisions.
const (
	Forward  Decision = "forward"
	Exclude  Decision = "exclude"
	Silence  Decision = "silence"
	Suppress Decision = "suppress"
	Shadow   Decision = "shadow"
)

// Change tells what recording an alert changed.
type Change int

// The changes.
const (
	Same    Change = iota // known, with equal content or an older version: nothing was written
	Fresh                 // seen for the first time
	Updated               // known, now with other content
)

// Standing is what the ledger holds of an alert beside the alert itself.
type Standing struct {
	Seq      int64
	Decision Decision
	Reason   string
	Channel  string
	Group    string     // the key of the group it waits in or was said with; "" without one
	Notice   notice.Key // "" while none names it
	Revision int        // the notice's revision that first names it
	Place    int        // its place in the notice; 0 is first
	Cause    alert.Cause
	Ongoing  bool // its condition was open when it was last recorded, and nobody has taken it up
}

// Waiting reports whether it is to be said and no notice holds it yet.
func (s Standing) Waiting() bool { return s.Decision == Forward && s.Notice == "" }

// Look says what recording the alert would change, and for a known alert how it stands. Nothing is written.
func Look(tx *store.Tx, c Content) (Change, Standing, error) {
	var (
		s       Standing
		stored  string
		updated int64
		key     sql.NullString
	)
	err := tx.Row(`SELECT seq, revision, updated, decision, reason, channel, grp, notice, notice_revision, place, ongoing
		FROM alerts WHERE id = ?`, []any{c.ID},
		&s.Seq, &stored, &updated, &s.Decision, &s.Reason, &s.Channel, &s.Group, &key, &s.Revision, &s.Place, &s.Ongoing)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		forgotten, err := Forgotten(tx, c.ID)
		if err != nil || forgotten {
			return Same, Standing{}, err
		}
		return Fresh, Standing{}, nil
	case err != nil:
		return Same, Standing{}, fmt.Errorf("look up alert %s: %w", c.ID, err)
	}
	s.Notice = notice.Key(key.String)
	if stored == c.revision || store.Micros(c.Alert.Updated) < updated {
		return Same, s, nil
	}
	return Updated, s, nil
}

// Content is an alert made ready to be recorded.
type Content struct {
	*alert.Alert
	head     []byte
	revision string
}

// Prepare encodes an alert; it is done outside the transaction, which holds up every other.
func Prepare(a *alert.Alert) (Content, error) {
	head, revision, err := a.Encode()
	return Content{Alert: a, head: head, revision: revision}, err
}

// Add writes a fresh alert with what was decided about it, and tells its number.
func Add(tx *store.Tx, c Content, s Standing, now time.Time) (seq int64, err error) {
	var key any
	if s.Notice != "" {
		key = string(s.Notice)
	}
	err = tx.Row(`INSERT INTO alerts (id, source, source_id, rule, severity, time, updated, seen_at, revision, ongoing, late, idx, head,
		decision, reason, channel, grp, notice, notice_revision, place, own, cause, hostname, username, status, over)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		[]any{
			c.ID, c.Source, c.SourceID, c.Rule.Name, c.Severity, store.Micros(c.Time), store.Micros(c.Alert.Updated), store.Micros(now),
			c.revision, ongoing(c.Alert), c.Late, c.Index, c.head, s.Decision, s.Reason, s.Channel, s.Group, key, s.Revision, s.Place, ownAlert(c.Alert),
			s.Cause.Text(), c.Host, c.User, handledBy(c.Alert), over(c.Alert),
		}, &seq)
	if err == nil && len(c.Document) > 0 {
		err = tx.Exec(`INSERT INTO documents (seq, document) VALUES (?, ?)`, seq, []byte(c.Document))
	}
	if err != nil {
		return 0, fmt.Errorf("record alert %s: %w", c.ID, err)
	}
	return seq, nil
}

// Update replaces the content of a known alert; how it stands stays.
func Update(tx *store.Tx, c Content, seq int64) error {
	err := tx.Exec(`UPDATE alerts SET rule = ?, severity = ?, time = ?, updated = ?, revision = ?, ongoing = ?, idx = ?, head = ?,
		hostname = ?, username = ?, status = ?, over = ? WHERE seq = ?`,
		c.Rule.Name, c.Severity, store.Micros(c.Time), store.Micros(c.Alert.Updated), c.revision, ongoing(c.Alert), c.Index, c.head,
		c.Host, c.User, handledBy(c.Alert), over(c.Alert), seq)
	if err == nil && len(c.Document) > 0 {
		err = tx.Exec(`INSERT INTO documents (seq, document) VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET document = excluded.document`,
			seq, []byte(c.Document))
	}
	if err != nil {
		return fmt.Errorf("update alert %s: %w", c.ID, err)
	}
	return nil
}

// ongoing is 1 for a condition that is still open and nobody has taken up.
func ongoing(a *alert.Alert) int {
	if a.Ongoing && (a.Status == "" || a.Status == alert.StatusOpen) {
		return 1
	}
	return 0
}

// Decide rewrites the decision about a known alert that no notice names.
func Decide(tx *store.Tx, seq int64, s Standing) error {
	if err := tx.Exec(`UPDATE alerts SET decision = ?, reason = ?, cause = ?, channel = ?, grp = ? WHERE seq = ?`,
		s.Decision, s.Reason, s.Cause.Text(), s.Channel, s.Group, seq); err != nil {
		return fmt.Errorf("decide alert: %w", err)
	}
	return nil
}

// SourceState reads what the source's last committed batch carried; nil when there was none.
func SourceState(tx *store.Tx, source string) (json.RawMessage, error) {
	var state []byte
	err := tx.Row(`SELECT state FROM sources WHERE name = ?`, []any{source}, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state of %s: %w", source, err)
	}
	return state, nil
}

// SetSourceState keeps a source's state. It belongs into the transaction that records its alerts.
func SetSourceState(tx *store.Tx, source string, state json.RawMessage, now time.Time) error {
	err := tx.Exec(`INSERT INTO sources (name, state, updated_at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`, source, []byte(state), store.Micros(now))
	if err != nil {
		return fmt.Errorf("keep state of %s: %w", source, err)
	}
	return nil
}

// Missing gives those of the source's own ids that the ledger does not hold, in the order given.
func Missing(tx *store.Tx, source string, sourceIDs []string) ([]string, error) {
	var out []string
	for _, id := range sourceIDs {
		var n int
		err := tx.Row(`SELECT 1 FROM alerts WHERE id = ?`, []any{alert.NewID(source, id)}, &n)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			forgotten, err := Forgotten(tx, alert.NewID(source, id))
			if err != nil {
				return nil, err
			}
			if !forgotten {
				out = append(out, id)
			}
		case err != nil:
			return nil, fmt.Errorf("look up alerts of %s: %w", source, err)
		}
	}
	return out, nil
}

// Live gives the source's own ids of alerts that wait, or that a notice said or written since then
// names; newest first, at most limit.
func Live(tx *store.Tx, source string, since time.Time, limit int) ([]string, error) {
	var out []string
	err := tx.Query(func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	}, `SELECT source_id FROM alerts WHERE source = ? AND decision = 'forward' AND seen_at >= ? ORDER BY seq DESC LIMIT ?`,
		source, store.Micros(since), limit)
	if err != nil {
		return nil, fmt.Errorf("read live alerts of %s: %w", source, err)
	}
	return out, nil
}
