// Package saved owns searches that people keep by name: the table saved_searches. It does not read or run them.
package saved

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// Migrations are the tables of saved searches.
var Migrations = []store.Migration{{ID: "saved/1", SQL: `
CREATE TABLE saved_searches (
	name   TEXT PRIMARY KEY,
	query  TEXT NOT NULL,
	source TEXT NOT NULL,
	begins TEXT NOT NULL,
	ends   TEXT NOT NULL,
	who    TEXT NOT NULL,
	at     BIGINT NOT NULL
);`}}

// Search is a search that was given a name. Source, From and To are as the search was run with, and may be empty.
type Search struct {
	Name   string    `json:"name"`
	Query  string    `json:"query"`
	Source string    `json:"source,omitempty"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Who    string    `json:"saved_by"`
	At     time.Time `json:"saved_at"`
}

// Options say where searches are kept.
type Options struct{ DB *store.DB }

// Searches are the saved searches. Methods may be called concurrently.
type Searches struct{ db *store.DB }

// New checks the options.
func New(o Options) (*Searches, error) {
	if o.DB == nil {
		return nil, errors.New("saved: DB is required")
	}
	return &Searches{o.DB}, nil
}

// All are the saved searches, by name.
func (s *Searches) All(ctx context.Context) ([]Search, error) {
	out := []Search{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var (
				one Search
				at  int64
			)
			if err := rows.Scan(&one.Name, &one.Query, &one.Source, &one.From, &one.To, &one.Who, &at); err != nil {
				return err
			}
			one.At = store.Time(at)
			out = append(out, one)
			return nil
		}, `SELECT name, query, source, begins, ends, who, at FROM saved_searches ORDER BY name`)
	})
	if err != nil {
		return nil, fmt.Errorf("read saved searches: %w", err)
	}
	return out, nil
}

// Put keeps a search under its name, instead of one that has it.
func (s *Searches) Put(ctx context.Context, one Search) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`DELETE FROM saved_searches WHERE name = ?`, one.Name); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO saved_searches (name, query, source, begins, ends, who, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			one.Name, one.Query, one.Source, one.From, one.To, one.Who, store.Micros(one.At))
	})
	if err != nil {
		return fmt.Errorf("save the search %q: %w", one.Name, err)
	}
	return nil
}

// Delete forgets a search, and reports whether there was one of the name.
func (s *Searches) Delete(ctx context.Context, name string) (there bool, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		there = false
		err := tx.Query(func(rows *sql.Rows) error {
			there = true
			return nil
		}, `SELECT 1 FROM saved_searches WHERE name = ?`, name)
		if err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM saved_searches WHERE name = ?`, name)
	})
	if err != nil {
		return false, fmt.Errorf("delete the search %q: %w", name, err)
	}
	return there, nil
}
