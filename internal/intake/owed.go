package intake

import (
	"database/sql"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/store"
)

// owedMigration is the table of alerts that were to be said again when their channel had no room, or their route was
// quiet, or a silence held.
var owedMigration = store.Migration{ID: "intake/4", SQL: `
CREATE TABLE owed (
	alert TEXT NOT NULL PRIMARY KEY,
	due   BIGINT NOT NULL
);
CREATE INDEX owed_due ON owed (due);
`}

// When what is owed is looked at again, and how much of it at once.
const (
	owedEvery = 41 * time.Second // no rule's interval: a run tells more than we know
	owedMost  = 200
)

// owe notes that an alert is to be said again as soon as may be.
func (c *commit) owe(id alert.ID) error {
	err := c.tx.Exec(`INSERT INTO owed (alert, due) VALUES (?, ?) ON CONFLICT (alert) DO UPDATE SET due = excluded.due`, id, store.Micros(c.now.Add(owedEvery)))
	if err != nil {
		return fmt.Errorf("note that an alert is to be said again: %w", err)
	}
	return nil
}

// settle notes that an alert is not, or no more.
func (c *commit) settle(id alert.ID) error {
	if err := c.tx.Exec(`DELETE FROM owed WHERE alert = ?`, id); err != nil {
		return fmt.Errorf("note that an alert is not to be said again: %w", err)
	}
	return nil
}

// repay says again what may be said by now. A clock that stepped back stretches no wait.
func (c *commit) repay() error {
	now := store.Micros(c.now)
	late := store.Micros(c.now.Add(2 * owedEvery))
	due := fmt.Sprintf(`SELECT alert FROM owed WHERE due <= %d OR due > %d ORDER BY due, alert LIMIT %d`, now, late, owedMost)
	var gone []alert.ID
	err := c.tx.Query(func(r *sql.Rows) error {
		gone = append(gone, "")
		return r.Scan(&gone[len(gone)-1])
	}, due)
	if err != nil || len(gone) == 0 {
		return err
	}
	there := map[alert.ID]bool{}
	err = ledger.Again(c.tx, ledger.Which(`id IN (`+due+`)`), func(a *alert.Alert, stands ledger.Standing) error {
		there[a.ID] = true
		if stands.Notice == "" {
			return c.settle(a.ID)
		}
		v, err := c.judge(a)
		if err != nil {
			return err
		}
		return c.again(ledger.Content{Alert: a}, stands, v)
	})
	if err != nil {
		return fmt.Errorf("say again what was kept back: %w", err)
	}
	for _, id := range gone {
		if !there[id] { // it was forgotten
			if err := c.settle(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextOwed is when the first is to be looked at again; zero for never.
func (c *commit) nextOwed() (next time.Time, err error) {
	var due sql.NullInt64
	if err := c.tx.Row(`SELECT MIN(due) FROM owed`, nil, &due); err != nil {
		return next, fmt.Errorf("read what is to be said again: %w", err)
	}
	if due.Valid {
		next = store.Time(due.Int64)
	}
	return next, nil
}
