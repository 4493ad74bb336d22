package tuning

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// Action is what somebody does about an alert.
type Action string

// The actions.
const (
	Acknowledge Action = "acknowledge" // somebody looks after it: nothing repeats or escalates
	Close       Action = "close"       // it is done
	Reopen      Action = "reopen"
)

// Verdict is what a closed alert was.
type Verdict string

// The verdicts; "" is that nobody says.
const (
	FalsePositive Verdict = "false_positive"
	TruePositive  Verdict = "true_positive"
	Benign        Verdict = "benign" // true, and no harm
)

// Verdicts are all that can be said.
var Verdicts = []Verdict{FalsePositive, TruePositive, Benign}

// Acknowledgement is what somebody did about an alert.
type Acknowledgement struct {
	Alert   alert.ID  `json:"alert"`
	Action  Action    `json:"action" enum:"acknowledge,close,reopen"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Why     string    `json:"why,omitempty"`
	Verdict Verdict   `json:"verdict,omitempty" enum:"false_positive,true_positive,benign"`
}

// Record keeps what somebody did about an alert.
func Record(tx *store.Tx, a Acknowledgement) error {
	err := tx.Exec(`INSERT INTO acknowledgements (alert, action, at, who, why, verdict) VALUES (?, ?, ?, ?, ?, ?)`,
		a.Alert, a.Action, store.Micros(a.At), a.Who, a.Why, a.Verdict)
	if err != nil {
		return fmt.Errorf("keep what %s did about alert %s: %w", a.Who, a.Alert, err)
	}
	return nil
}

// Recorded gives all that was done about an alert, oldest first.
func Recorded(tx *store.Tx, id alert.ID) (out []Acknowledgement, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		a := Acknowledgement{Alert: id}
		var at int64
		if err := r.Scan(&a.Action, &at, &a.Who, &a.Why, &a.Verdict); err != nil {
			return err
		}
		a.At = store.Time(at)
		out = append(out, a)
		return nil
	}, `SELECT action, at, who, why, verdict FROM acknowledgements WHERE alert = ? ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read what was done about alert %s: %w", id, err)
	}
	return out, nil
}

// Done gives all that was done about an alert, oldest first.
func (b *Book) Done(ctx context.Context, id alert.ID) (out []Acknowledgement, err error) {
	err = b.db.View(ctx, func(tx *store.Tx) error {
		out, err = Recorded(tx, id)
		return err
	})
	return out, err
}
