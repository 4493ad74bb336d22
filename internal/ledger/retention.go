package ledger

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// retentionMigration keeps of a forgotten alert its id, so that a source that hands it over again brings nothing new, and
// of all of them how many had each fate, so that the sum still holds.
var retentionMigration = store.Migration{ID: "ledger/4", SQL: `
CREATE TABLE forgotten (
	id BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE forgotten_fates (
	fate  TEXT NOT NULL PRIMARY KEY,
	count BIGINT NOT NULL
);
CREATE INDEX alerts_closed ON alerts (handled_at) WHERE handled = 2;
`}

// Retention says what is old.
type Retention struct {
	Alerts    time.Time // alerts recorded before it are forgotten; zero is none
	Documents time.Time // documents of alerts recorded before it are; zero is none
	// Unwritten keeps alerts of our own rules that have not been written back as they are.
	Unwritten bool
}

// finished are alerts that nothing more will be said of: they are decided and said, not still going on, and every message
// that names them is settled and was last said before a time. What a message names later has it said again later.
const finished = ` a.seen_at < ? AND (a.ongoing = 0 OR a.handled > 0)
	AND (a.decision <> 'forward' OR a.notice IS NOT NULL)
	AND NOT EXISTS (SELECT 1 FROM notices n WHERE (n.key = a.notice OR n.key IN (SELECT c.notice FROM copies c WHERE c.seq = a.seq))
		AND (n.state NOT IN ('said', 'failed') OR n.said_at >= ? OR n.created_at >= ?))
	AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.seq = a.seq AND c.notice IS NULL)`

// Forget forgets what is old, at most so many alerts and documents, and tells how many of each. Nothing that is still to be
// said is forgotten.
func Forget(tx *store.Tx, r Retention, most int) (alerts, documents int, err error) {
	if !r.Documents.IsZero() {
		before := store.Micros(r.Documents)
		n, err := tx.Change(`DELETE FROM documents WHERE seq IN (SELECT a.seq FROM alerts a JOIN documents d ON d.seq = a.seq WHERE`+finished+
			` AND (? = 0 OR a.own = 0 OR a.written = a.revision) ORDER BY a.seen_at, a.seq LIMIT ?)`, before, before, before, r.Unwritten, most)
		if err != nil {
			return 0, 0, fmt.Errorf("forget documents: %w", err)
		}
		documents = int(n)
	}
	if r.Alerts.IsZero() {
		return 0, documents, nil
	}
	type old struct {
		seq  int64
		id   alert.ID
		fate alert.Fate
	}
	var all []old
	before := store.Micros(r.Alerts)
	err = tx.Query(func(rows *sql.Rows) error {
		var o old
		defer func() { all = append(all, o) }()
		return rows.Scan(&o.seq, &o.id, &o.fate)
	}, `SELECT a.seq, a.id, `+fate+from+` WHERE`+finished+` AND (? = 0 OR a.own = 0 OR a.written = a.revision) ORDER BY a.seen_at, a.seq LIMIT ?`,
		before, before, before, r.Unwritten, most)
	if err != nil {
		return 0, documents, fmt.Errorf("look for old alerts: %w", err)
	}
	for _, o := range all {
		for _, step := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO forgotten (id) VALUES (?) ON CONFLICT (id) DO NOTHING`, []any{mark(o.id)}},
			{`INSERT INTO forgotten_fates (fate, count) VALUES (?, 1) ON CONFLICT (fate) DO UPDATE SET count = count + 1`, []any{o.fate}},
			{`DELETE FROM documents WHERE seq = ?`, []any{o.seq}},
			{`DELETE FROM copies WHERE seq = ?`, []any{o.seq}},
			{`DELETE FROM alerts WHERE seq = ?`, []any{o.seq}},
		} {
			if err := tx.Exec(step.query, step.args...); err != nil {
				return 0, documents, fmt.Errorf("forget alert %s: %w", o.id, err)
			}
		}
	}
	return len(all), documents, nil
}

// mark is the id of a forgotten alert as it is kept: half as long as its text.
func mark(id alert.ID) []byte {
	if b, err := hex.DecodeString(string(id)); err == nil {
		return b
	}
	return []byte(id)
}

// Forgotten reports whether an alert was recorded once and is too old to be kept.
func Forgotten(tx *store.Tx, id alert.ID) (bool, error) {
	var n int
	err := tx.Row(`SELECT 1 FROM forgotten WHERE id = ?`, []any{mark(id)}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up forgotten alert %s: %w", id, err)
	}
	return true, nil
}

// countForgotten adds what was forgotten to counts.
func (c *Counts) countForgotten(tx *store.Tx) error {
	var n int
	if err := tx.Row(`SELECT COUNT(*) FROM forgotten`, nil, &n); err != nil {
		return fmt.Errorf("count forgotten alerts: %w", err)
	}
	c.Seen += n
	c.Forgotten = n
	if err := c.add(tx, `SELECT fate, count FROM forgotten_fates`); err != nil {
		return fmt.Errorf("count forgotten alerts by fate: %w", err)
	}
	return nil
}
