package ledger

import (
	"database/sql"
	"errors"
	"fmt"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// suppressionMigration adds what routes that continue, people and digests need. A copy is one more saying of an
// alert, in another channel: its state follows from its notice as an alert's fate does, and no fate follows
// from it. members are all sayings. handled is what people did about an alert here; status what its source
// says of it, in the same numbers; over is 1 where its condition ended or was undone.
var suppressionMigration = store.Migration{ID: "ledger/3", SQL: `
ALTER TABLE alerts ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN hostname TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN username TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN status INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN handled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN handled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN handled_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
UPDATE alerts SET
	hostname = COALESCE(json_extract(CAST(head AS TEXT), '$.host'), ''),
	username = COALESCE(json_extract(CAST(head AS TEXT), '$.user'), ''),
	status = CASE json_extract(CAST(head AS TEXT), '$.status') WHEN 'acknowledged' THEN 1 WHEN 'closed' THEN 2 ELSE 0 END,
	over = CASE WHEN json_extract(CAST(head AS TEXT), '$.withdrawn') OR json_extract(CAST(head AS TEXT), '$.merged_into') <> '' THEN 1 ELSE 0 END;
CREATE INDEX alerts_seen ON alerts (seen_at);
CREATE INDEX alerts_silenced ON alerts (seq) WHERE decision = 'silence' AND ongoing = 1;
CREATE TABLE copies (
	seq             BIGINT NOT NULL, -- of its alert
	channel         TEXT NOT NULL,
	path            TEXT NOT NULL,
	grp             TEXT NOT NULL,
	notice          TEXT,
	notice_revision INTEGER NOT NULL DEFAULT 0,
	place           INTEGER NOT NULL DEFAULT 0,
	reason          TEXT NOT NULL,
	PRIMARY KEY (seq, channel)
);
CREATE INDEX copies_waiting ON copies (grp) WHERE notice IS NULL;
CREATE INDEX copies_group ON copies (grp);
CREATE INDEX copies_notice ON copies (notice, place);
CREATE VIEW members AS
	SELECT seq, grp, notice, notice_revision, place FROM alerts WHERE decision = 'forward'
	UNION ALL
	SELECT seq, grp, notice, notice_revision, place FROM copies;
`}

// Copy is one more saying of an alert, in the channel of another route.
type Copy struct {
	Channel  string     // where it was or will be said
	Path     string     // of its route
	Group    string     // the key of the group it waits in or was said with
	Notice   notice.Key // "" while none names it
	Revision int        // the notice's revision that first names it
	Fate     alert.Fate // Sent, Grouped, Pending or Failed; set where copies are read
	Reason   string
	TS       string // the message's id; "" while not said and where the service tells none
}

// AddCopy writes a copy of an alert.
func AddCopy(tx *store.Tx, seq int64, c Copy) error {
	var key any
	if c.Notice != "" {
		key = string(c.Notice)
	}
	err := tx.Exec(`INSERT INTO copies (seq, channel, path, grp, notice, notice_revision, reason) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		seq, c.Channel, c.Path, c.Group, key, c.Revision, c.Reason)
	if err != nil {
		return fmt.Errorf("record a copy of an alert for %s: %w", c.Channel, err)
	}
	return nil
}

// DropCopy forgets a copy that waits.
func DropCopy(tx *store.Tx, seq int64, channel string) error {
	if err := tx.Exec(`DELETE FROM copies WHERE seq = ? AND channel = ? AND notice IS NULL`, seq, channel); err != nil {
		return fmt.Errorf("drop the copy of an alert for %s: %w", channel, err)
	}
	return nil
}

// copyFate derives what became of a copy, as fate does for alerts.
const copyFate = `CASE
	WHEN c.notice IS NULL THEN 'pending'
	WHEN n.said_revision >= c.notice_revision THEN CASE WHEN c.place = 0 AND n.kind <> 'digest' THEN 'sent' ELSE 'grouped' END
	WHEN n.state = 'failed' THEN 'failed'
	ELSE 'pending' END`

// Copies reads the copies of an alert, in the order of their channels.
func Copies(tx *store.Tx, seq int64) (out []Copy, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			c      Copy
			key    sql.NullString
			reason string
		)
		if err := r.Scan(&c.Channel, &c.Path, &c.Group, &key, &c.Revision, &c.Reason, &c.Fate, &c.TS, &reason); err != nil {
			return err
		}
		c.Notice = notice.Key(key.String)
		if reason != "" && (c.Fate == alert.Pending || c.Fate == alert.Failed) {
			c.Reason = reason
		}
		if c.Fate != alert.Sent && c.Fate != alert.Grouped {
			c.TS = ""
		}
		out = append(out, c)
		return nil
	}, `SELECT c.channel, c.path, c.grp, c.notice, c.notice_revision, c.reason, `+copyFate+`, COALESCE(n.ts, ''), COALESCE(n.reason, '')
		FROM copies c LEFT JOIN notices n ON n.key = c.notice WHERE c.seq = ? ORDER BY c.channel`, seq)
	if err != nil {
		return nil, fmt.Errorf("read the copies of an alert: %w", err)
	}
	return out, nil
}

// CopyCounts counts the copies by what became of them.
func CopyCounts(tx *store.Tx) (map[alert.Fate]int, error) {
	out := map[alert.Fate]int{}
	err := tx.Query(func(r *sql.Rows) error {
		var (
			f alert.Fate
			n int
		)
		if err := r.Scan(&f, &n); err != nil {
			return err
		}
		out[f] += n
		return nil
	}, `SELECT `+copyFate+`, COUNT(*) FROM copies c LEFT JOIN notices n ON n.key = c.notice GROUP BY 1`)
	if err != nil {
		return nil, fmt.Errorf("count copies: %w", err)
	}
	return out, nil
}

// Handled is what people did about an alert.
type Handled int

// What people can do.
const (
	Unhandled Handled = iota
	Acknowledged
	Closed
)

// handledMost is what was done about alert a, here or in its source.
const handledMost = `CASE WHEN a.handled > a.status THEN a.handled ELSE a.status END`

func (h Handled) status() alert.Status {
	switch h {
	case Acknowledged:
		return alert.StatusAcknowledged
	case Closed:
		return alert.StatusClosed
	default:
		return alert.StatusOpen
	}
}

// handledBy is what the alert's source says people did.
func handledBy(a *alert.Alert) Handled {
	switch a.Status {
	case alert.StatusAcknowledged:
		return Acknowledged
	case alert.StatusClosed:
		return Closed
	default:
		return Unhandled
	}
}

// over is 1 for a condition that ended or was undone.
func over(a *alert.Alert) int {
	if !a.Ended.IsZero() || a.Withdrawn || a.MergedInto != "" {
		return 1
	}
	return 0
}

// Handle notes what somebody did about an alert. verdict is what a closed one was: "false_positive",
// "true_positive", "benign", or "" where nobody says.
func Handle(tx *store.Tx, seq int64, h Handled, who, verdict string, at int64) error {
	if err := tx.Exec(`UPDATE alerts SET handled = ?, handled_by = ?, handled_at = ?, verdict = ? WHERE seq = ?`, h, who, at, verdict, seq); err != nil {
		return fmt.Errorf("note what was done about an alert: %w", err)
	}
	return nil
}

// HandledOf tells what was done about an alert, here or in its source.
func HandledOf(tx *store.Tx, seq int64) (h Handled, err error) {
	if err = tx.Row(`SELECT `+handledMost+` FROM alerts a WHERE a.seq = ?`, []any{seq}, &h); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, fmt.Errorf("read what was done about an alert: %w", err)
	}
	return h, nil
}
