package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Which chooses alerts to be decided about again.
type Which string

// The choices. Each is found by an index that holds little else.
const (
	StillWaiting  Which = `notice IS NULL AND decision = 'forward'`              // to be said, and no notice names them
	StillSilenced Which = `decision = 'silence' AND ongoing = 1 AND handled = 0` // silenced, and they go on
	CopiesWaiting Which = `seq IN (SELECT seq FROM copies WHERE notice IS NULL)` // some copies of them are still to be said
)

// Again calls each for every alert that which chooses, with its document, in the order of recording; each may change how
// it stands.
func Again(tx *store.Tx, which Which, each func(*alert.Alert, Standing) error) error {
	var all []int64
	err := tx.Query(func(r *sql.Rows) error {
		var seq int64
		defer func() { all = append(all, seq) }()
		return r.Scan(&seq)
	}, `SELECT seq FROM alerts WHERE `+string(which))
	if err != nil {
		return fmt.Errorf("look for alerts to decide about again: %w", err)
	}
	slices.Sort(all)
	for _, seq := range all {
		var (
			a              alert.Alert
			s              = Standing{Seq: seq}
			head, document []byte
			key            sql.NullString
		)
		err := tx.Row(`SELECT head, late, idx, (SELECT document FROM documents d WHERE d.seq = alerts.seq), decision, reason, channel, grp, notice,
			notice_revision, place, ongoing FROM alerts WHERE seq = ?`, []any{seq},
			&head, &a.Late, &a.Index, &document, &s.Decision, &s.Reason, &s.Channel, &s.Group, &key, &s.Revision, &s.Place, &s.Ongoing)
		if err == nil {
			err = json.Unmarshal(head, &a)
		}
		if err != nil {
			return fmt.Errorf("read an alert to decide about again: %w", err)
		}
		a.Document, s.Notice = document, notice.Key(key.String)
		if err := each(&a, s); err != nil {
			return err
		}
	}
	return nil
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
