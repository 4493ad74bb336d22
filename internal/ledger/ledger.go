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
`}, writeBackMigration}

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
	err := tx.Row(`SELECT seq, revision, updated, decision, reason, channel, grp, notice, notice_revision, place
		FROM alerts WHERE id = ?`, []any{c.ID},
		&s.Seq, &stored, &updated, &s.Decision, &s.Reason, &s.Channel, &s.Group, &key, &s.Revision, &s.Place)
	switch {
	case errors.Is(err, sql.ErrNoRows):
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

// Add writes a fresh alert with what was decided about it.
func Add(tx *store.Tx, c Content, s Standing, now time.Time) error {
	var key any
	if s.Notice != "" {
		key = string(s.Notice)
	}
	var seq int64
	err := tx.Row(`INSERT INTO alerts (id, source, source_id, rule, severity, time, updated, seen_at, revision, ongoing, late, idx, head,
		decision, reason, channel, grp, notice, notice_revision, place, own) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		[]any{
			c.ID, c.Source, c.SourceID, c.Rule.Name, c.Severity, store.Micros(c.Time), store.Micros(c.Alert.Updated), store.Micros(now),
			c.revision, ongoing(c.Alert), c.Late, c.Index, c.head, s.Decision, s.Reason, s.Channel, s.Group, key, s.Revision, s.Place, ownAlert(c.Alert),
		}, &seq)
	if err == nil && len(c.Document) > 0 {
		err = tx.Exec(`INSERT INTO documents (seq, document) VALUES (?, ?)`, seq, []byte(c.Document))
	}
	if err != nil {
		return fmt.Errorf("record alert %s: %w", c.ID, err)
	}
	return nil
}

// Update replaces the content of a known alert; how it stands stays.
func Update(tx *store.Tx, c Content, seq int64) error {
	err := tx.Exec(`UPDATE alerts SET rule = ?, severity = ?, time = ?, updated = ?, revision = ?, ongoing = ?, idx = ?, head = ? WHERE seq = ?`,
		c.Rule.Name, c.Severity, store.Micros(c.Time), store.Micros(c.Alert.Updated), c.revision, ongoing(c.Alert), c.Index, c.head, seq)
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
	if err := tx.Exec(`UPDATE alerts SET decision = ?, reason = ?, channel = ?, grp = ? WHERE seq = ?`,
		s.Decision, s.Reason, s.Channel, s.Group, seq); err != nil {
		return fmt.Errorf("decide alert: %w", err)
	}
	return nil
}

// Assign gives every waiting alert of a group to a notice, to be said by its revision. Where first is
// true the worst and earliest of them takes place 0, the first of the message. It tells how many it gave.
func Assign(tx *store.Tx, group string, key notice.Key, revision int, first bool, reason string) (int, error) {
	const waiting = `grp = ? AND notice IS NULL AND decision = 'forward'`
	n := int64(0)
	if first {
		got, err := tx.Change(`UPDATE alerts SET notice = ?, notice_revision = ?, place = 0, reason = ? WHERE seq =
			(SELECT seq FROM alerts WHERE `+waiting+` ORDER BY severity DESC, time, seq LIMIT 1)`, key, revision, reason, group)
		if err != nil {
			return 0, fmt.Errorf("assign alerts to notice %s: %w", key, err)
		}
		n += got
	}
	got, err := tx.Change(`UPDATE alerts SET notice = ?, notice_revision = ?, place = 1, reason = ? WHERE `+waiting, key, revision, reason, group)
	if err != nil {
		return 0, fmt.Errorf("assign alerts to notice %s: %w", key, err)
	}
	return int(n + got), nil
}

// Named reads the alerts a notice names, first to last: the first of the message, then by severity and time.
func Named(tx *store.Tx, key notice.Key, limit int) ([]alert.Alert, error) {
	return heads(tx, `SELECT head, late, idx, `+shownDocument+` FROM alerts a WHERE notice = ? ORDER BY place, severity DESC, time, seq LIMIT ?`, key, limit)
}

// Open reads the alerts of a group whose condition is still open and that have been given to a notice.
func Open(tx *store.Tx, group string, limit int) ([]alert.Alert, error) {
	return heads(tx, `SELECT head, late, idx, `+shownDocument+` FROM alerts a WHERE grp = ? AND ongoing = 1 AND notice IS NOT NULL AND decision = 'forward'
		ORDER BY severity DESC, time, seq LIMIT ?`, group, limit)
}

// OpenCount counts what Open reads.
func OpenCount(tx *store.Tx, group string) (n int, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM alerts WHERE grp = ? AND ongoing = 1 AND notice IS NOT NULL AND decision = 'forward'`, []any{group}, &n)
	return n, err
}

// shownDocument is the document of an alert that a message names, which tells fields of it. One that is far
// larger than alerts are is not read.
const shownDocument = "(SELECT d.document FROM documents d WHERE d.seq = a.seq AND LENGTH(d.document) <= 262144)"

func heads(tx *store.Tx, query string, args ...any) ([]alert.Alert, error) {
	var out []alert.Alert
	err := tx.Query(func(r *sql.Rows) error {
		var (
			head, document []byte
			a              alert.Alert
		)
		if err := r.Scan(&head, &a.Late, &a.Index, &document); err != nil {
			return err
		}
		a.Document = document
		if err := json.Unmarshal(head, &a); err != nil {
			return err
		}
		out = append(out, a)
		return nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return out, nil
}

// Sum is what all alerts of a notice come to.
type Sum struct {
	Count        int
	Severity     alert.Severity
	Since, Until time.Time
	Tallies      []notice.Tally // by rule, worst first
}

// SumUp sums up all alerts of a notice, named or not.
func SumUp(tx *store.Tx, key notice.Key) (Sum, error) {
	var (
		s            Sum
		since, until int64
	)
	byRule := map[string]*notice.Tally{}
	var order []string
	err := tx.Query(func(r *sql.Rows) error {
		var (
			t        notice.Tally
			from, to int64
		)
		if err := r.Scan(&t.Rule, &t.Severity, &t.Count, &from, &to); err != nil {
			return err
		}
		if s.Count == 0 || from < since {
			since = from
		}
		until = max(until, to)
		s.Count += t.Count
		s.Severity = max(s.Severity, t.Severity)
		if have := byRule[t.Rule]; have != nil {
			have.Count += t.Count
			have.Severity = max(have.Severity, t.Severity)
			return nil
		}
		byRule[t.Rule] = &t
		order = append(order, t.Rule)
		return nil
	}, `SELECT rule, severity, COUNT(*), MIN(time), MAX(time) FROM alerts WHERE notice = ? GROUP BY rule, severity`, key)
	if err != nil {
		return Sum{}, fmt.Errorf("sum up notice %s: %w", key, err)
	}
	for _, rule := range order {
		s.Tallies = append(s.Tallies, *byRule[rule])
	}
	notice.SortTallies(s.Tallies)
	s.Since, s.Until = store.Time(since), store.Time(until)
	return s, nil
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
			out = append(out, id)
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
