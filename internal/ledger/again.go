package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// againMost is how many alerts are read at once to be decided about again.
const againMost = 500

// Again calls each for every alert that a condition of ours chooses, with its document, in the order of recording;
// each may change how it stands.
func Again(tx *store.Tx, which string, each func(*alert.Alert, Standing) error) error {
	type found struct {
		alert  alert.Alert
		stands Standing
	}
	after := int64(0)
	for {
		var some []found
		err := tx.Query(func(r *sql.Rows) error {
			var (
				f              found
				head, document []byte
				key            sql.NullString
			)
			s := &f.stands
			if err := r.Scan(&s.Seq, &head, &f.alert.Late, &f.alert.Index, &document, &s.Decision, &s.Reason, &s.Channel, &s.Group, &key, &s.Revision,
				&s.Place, &s.Ongoing); err != nil {
				return err
			}
			s.Notice = notice.Key(key.String)
			if err := json.Unmarshal(head, &f.alert); err != nil {
				return err
			}
			f.alert.Document = document
			some = append(some, f)
			return nil
		}, `SELECT seq, head, late, idx, (SELECT document FROM documents d WHERE d.seq = alerts.seq), decision, reason, channel, grp, notice,
			notice_revision, place, ongoing FROM alerts WHERE seq > ? AND `+which+` ORDER BY seq LIMIT ?`, after, againMost)
		if err != nil {
			return fmt.Errorf("read alerts to decide about again: %w", err)
		}
		for i := range some {
			after = some[i].stands.Seq
			if err := each(&some[i].alert, some[i].stands); err != nil {
				return err
			}
		}
		if len(some) < againMost {
			return nil
		}
	}
}

// Answered reports whether somebody took up one of the alerts of a group that a notice says, or all of them are
// closed, or over.
func Answered(tx *store.Tx, key notice.Key, group string) (bool, error) {
	var open, acknowledged int
	err := tx.Row(`SELECT COALESCE(SUM(CASE WHEN `+handledMost+` = 0 AND a.over = 0 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN `+handledMost+` = 1 THEN 1 ELSE 0 END), 0)
		FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ? AND m.grp = ?`, []any{key, group}, &open, &acknowledged)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("read whether notice %s was answered: %w", key, err)
	}
	return open == 0 || acknowledged > 0, nil
}

// scanMost is how many alerts a Scan reads at once.
const scanMost = 1000

// Scan calls each for every alert whose time is not before since, oldest recorded first, with its document and its
// fate.
func (l *Ledger) Scan(ctx context.Context, since time.Time, each func(*alert.Alert, alert.Fate) error) error {
	after := int64(0)
	for {
		n := 0
		err := l.db.View(ctx, func(tx *store.Tx) error {
			return tx.Query(func(r *sql.Rows) error {
				var (
					a              alert.Alert
					f              alert.Fate
					head, document []byte
				)
				if err := r.Scan(&after, &head, &document, &f); err != nil {
					return err
				}
				n++
				if err := json.Unmarshal(head, &a); err != nil {
					return err
				}
				a.Document = document
				return each(&a, f)
			}, `SELECT a.seq, a.head, d.document, `+fate+from+` LEFT JOIN documents d ON d.seq = a.seq
				WHERE a.seq > ? AND a.time >= ? ORDER BY a.seq LIMIT ?`, after, store.Micros(since), scanMost)
		})
		if err != nil {
			return fmt.Errorf("read alerts: %w", err)
		}
		if n < scanMost {
			return nil
		}
	}
}
