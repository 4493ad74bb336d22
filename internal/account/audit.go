package account

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"tocsin/internal/store"
)

// Event is one line of the log of changes.
type Event struct {
	ID int64     `json:"id"`
	At time.Time `json:"at"`
	// Who did it, how they were known, and where the request came from.
	Who     string `json:"who"`
	Via     string `json:"via"`
	Address string `json:"address"`
	// Action is what was done, to the object of that name; Detail says more.
	Action string `json:"action"`
	Object string `json:"object"`
	Detail string `json:"detail,omitempty"`
}

// EventFilter chooses of the log of changes.
type EventFilter struct {
	// Who, Action and Object are parts of what stands there, in any case; empty for all.
	Who, Action, Object string
	Since, Until        time.Time
	// Before is the id that a page ends before; 0 for the newest.
	Before int64
	// Limit is how many at most; 100 when 0.
	Limit int
}

// longest bounds each text of an event: what attackers write as their name fills no disk.
const longest = 500

// Record adds to the log of changes within a transaction, so that the change and its line are one.
func (a *Accounts) Record(tx *store.Tx, by Identity, action, object, detail string) error {
	return tx.Exec(`INSERT INTO audit (at, who, via, address, action, object, detail) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		store.Micros(a.now()), cut(by.Name), by.Via, cut(by.Address), cut(action), cut(object), cut(detail))
}

// Note is Record in a transaction of its own.
func (a *Accounts) Note(ctx context.Context, by Identity, action, object, detail string) error {
	return a.db.Update(ctx, func(tx *store.Tx) error { return a.Record(tx, by, action, object, detail) })
}

func cut(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// Events are those of the filter, newest first. before asks for the next page; 0 on the last.
func (a *Accounts) Events(ctx context.Context, f EventFilter) (events []Event, before int64, err error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, arg any) {
		where = append(where, condition)
		args = append(args, arg)
	}
	for column, part := range map[string]string{"who": f.Who, "action": f.Action, "object": f.Object} {
		if part != "" {
			add("instr(lower("+column+"), ?) > 0", strings.ToLower(part))
		}
	}
	if !f.Since.IsZero() {
		add("at >= ?", store.Micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("at <= ?", store.Micros(f.Until))
	}
	if f.Before > 0 {
		add("id < ?", f.Before)
	}
	args = append(args, f.Limit+1)
	err = a.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				e  Event
				at int64
			)
			if err := r.Scan(&e.ID, &at, &e.Who, &e.Via, &e.Address, &e.Action, &e.Object, &e.Detail); err != nil {
				return err
			}
			e.At = store.Time(at)
			events = append(events, e)
			return nil
		}, `SELECT id, at, who, via, address, action, object, detail FROM audit WHERE `+strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`, args...)
	})
	if len(events) > f.Limit {
		events = events[:f.Limit]
		before = events[f.Limit-1].ID
	}
	return events, before, err
}
