package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// writeBackMigration notes for each alert of our own rules the revision that was last written back. What is
// not written yet is found through an index that holds nothing else, and that recording or updating an alert
// keeps by itself: position and alert change in one commit.
var writeBackMigration = store.Migration{ID: "ledger/2", SQL: `
ALTER TABLE alerts ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN written TEXT NOT NULL DEFAULT '';
CREATE INDEX alerts_unwritten ON alerts (seq) WHERE own = 1 AND written <> revision;
`}

// ownAlert is 1 for an alert of our own rules. Alerts of others have the id that follows from their
// document's, ours one that follows from rule and episode.
func ownAlert(a *alert.Alert) int {
	if a.ID != alert.NewID(a.Source, a.SourceID) {
		return 1
	}
	return 0
}

// Unwritten is an alert of our own rules whose content has not been written back.
type Unwritten struct {
	Alert    alert.Alert // with its document
	Seq      int64
	Revision string // of the content
	Before   bool   // an older content was written back
}

// Unwritten reads what has not been written back, in the order of recording, after a sequence number: at most
// limit alerts, and no more once their contents come to size bytes. It gives one at least where there is one.
func (l *Ledger) Unwritten(ctx context.Context, after int64, limit, size int) (out []Unwritten, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		total := 0
		// One by one, so that documents beyond the size are not read.
		for len(out) < limit && (len(out) == 0 || total < size) {
			var (
				u              Unwritten
				head, document []byte
				written        string
				found          bool
			)
			err := tx.Query(func(r *sql.Rows) error {
				found = true
				return r.Scan(&u.Seq, &u.Revision, &written, &u.Alert.Late, &u.Alert.Index, &head, &document)
			}, `SELECT a.seq, a.revision, a.written, a.late, a.idx, a.head, d.document FROM alerts a LEFT JOIN documents d ON d.seq = a.seq
				WHERE a.own = 1 AND a.written <> a.revision AND a.seq > ? ORDER BY a.seq LIMIT 1`, after)
			if err != nil || !found {
				return err
			}
			if err := json.Unmarshal(head, &u.Alert); err != nil {
				return err
			}
			u.Alert.Document, u.Before = document, written != ""
			out, after, total = append(out, u), u.Seq, total+len(head)+len(document)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts to write back: %w", err)
	}
	return out, nil
}

// SetWritten notes which contents have been written back, by sequence number. An alert that has changed since
// stays to be written.
func (l *Ledger) SetWritten(ctx context.Context, revisions map[int64]string) error {
	if len(revisions) == 0 {
		return nil
	}
	err := l.db.Update(ctx, func(tx *store.Tx) error {
		for seq, revision := range revisions {
			if err := tx.Exec(`UPDATE alerts SET written = ? WHERE seq = ?`, revision, seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note alerts written back: %w", err)
	}
	return nil
}
