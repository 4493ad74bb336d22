package intake_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

func TestAnAlertThatBecomesPartOfAnotherGoesItsWay(t *testing.T) {
	for _, c := range []struct {
		name string
		wait time.Duration // between the whole and the part
		want map[alert.Fate]int
	}{
		{"the whole was said", 20 * time.Second, map[alert.Fate]int{alert.Sent: 1, alert.Grouped: 1}},
		{"both wait", 0, map[alert.Fate]int{alert.Sent: 1, alert.Grouped: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				channel := &channel{}
				route := byRule()
				route.GroupBy = []string{"host.name"}
				h := newHouse(t, t.TempDir(), channel, route)
				defer h.db.Close()
				whole, part := one("r", 1), one("r", 2)
				part.Document = json.RawMessage(`{"host":{"name":"another"}}`)
				h.run(2*time.Minute, func(context.Context) {
					h.take(whole)
					time.Sleep(c.wait)
					h.take(part)
					part.MergedInto, part.Updated = whole.ID, part.Updated.Add(time.Second)
					h.take(part)
				})
				want(t, len(channel.all()), 1)
				want(t, h.fates(), c.want)
			})
		})
	}
}

// rememberer is a source with a table of its own.
type rememberer struct {
	name string
	fail bool
}

func (r *rememberer) Name() string        { return r.name }
func (r *rememberer) Poll() time.Duration { return time.Hour }
func (r *rememberer) Fetch(context.Context, alert.Ask) (alert.Batch, error) {
	return alert.Batch{Source: r.name}, nil
}

func (r *rememberer) Keep(tx *store.Tx, b alert.Batch) error {
	if err := tx.Exec(`CREATE TABLE IF NOT EXISTS remembered (n BIGINT)`); err != nil {
		return err
	}
	if err := tx.Exec(`INSERT INTO remembered (n) VALUES (?)`, len(b.Alerts)); err != nil {
		return err
	}
	if r.fail {
		return errors.New("cannot keep it")
	}
	return nil
}

func TestASourceKeepsItsTablesInTheSameTransaction(t *testing.T) {
	mine, other := &rememberer{name: "s"}, &rememberer{name: "t"}
	h := newHouse(t, t.TempDir(), &channel{}, byRule(), mine, other)
	defer h.db.Close()
	mine.fail = true
	if _, err := h.intake.Commit(t.Context(), alert.Batch{Source: "s", Alerts: []alert.Alert{one("r", 1)}}); err == nil {
		t.Error("a batch was taken in that its source could not keep")
	}
	want(t, h.fates(), map[alert.Fate]int{})
	mine.fail = false
	h.take(one("r", 1), one("r", 2))
	var rows []int
	err := h.db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			rows = append(rows, 0)
			return r.Scan(&rows[len(rows)-1])
		}, `SELECT n FROM remembered`)
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, rows, []int{2})
}
