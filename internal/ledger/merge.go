package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Stand tells how an alert stands; ok is false for one that is not recorded.
func Stand(tx *store.Tx, id alert.ID) (a alert.Alert, s Standing, ok bool, err error) {
	var (
		head []byte
		key  sql.NullString
	)
	err = tx.Row(`SELECT head, seq, decision, reason, channel, grp, notice, notice_revision, place, ongoing FROM alerts WHERE id = ?`, []any{id},
		&head, &s.Seq, &s.Decision, &s.Reason, &s.Channel, &s.Group, &key, &s.Revision, &s.Place, &s.Ongoing)
	if errors.Is(err, sql.ErrNoRows) {
		return alert.Alert{}, Standing{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(head, &a)
	}
	if err != nil {
		return alert.Alert{}, Standing{}, false, fmt.Errorf("look up alert %s: %w", id, err)
	}
	s.Notice = notice.Key(key.String)
	return a, s, true, nil
}

// Attach gives one waiting alert to a notice that is there, as a member of it: it counts as said with the
// revision in which the notice's first alert was.
func Attach(tx *store.Tx, seq int64, to Standing, reason string) error {
	if err := tx.Exec(`UPDATE alerts SET decision = ?, channel = ?, grp = ?, notice = ?, notice_revision = ?, place = 1, reason = ? WHERE seq = ?`,
		to.Decision, to.Channel, to.Group, to.Notice, to.Revision, reason, seq); err != nil {
		return fmt.Errorf("attach alert to notice %s: %w", to.Notice, err)
	}
	return nil
}
