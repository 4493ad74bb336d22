package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// Ledger reads the record for those who only look: pages, the API and verify. Each method sees one state
// of the database.
type Ledger struct{ db *store.DB }

// Options say where the record is.
type Options struct{ DB *store.DB }

// New makes a Ledger.
func New(o Options) (*Ledger, error) {
	if o.DB == nil {
		return nil, errors.New("ledger: DB is required")
	}
	return &Ledger{db: o.DB}, nil
}

// List gives the chosen entries, newest recorded first, and where to go on: the Before of the next
// page, 0 when there is none.
func (l *Ledger) List(ctx context.Context, f Filter) (entries []Entry, before int64, err error) {
	last := int64(0)
	err = l.db.View(ctx, func(tx *store.Tx) error {
		copied := map[int]int64{}
		err := List(tx, f, func(seq int64, e Entry) error {
			if e.Copies != nil {
				copied[len(entries)] = seq
			}
			entries = append(entries, e)
			last = seq
			return nil
		})
		for at, seq := range copied {
			if err != nil {
				break
			}
			entries[at].Copies, err = Copies(tx, seq)
		}
		return err
	})
	if f.Limit == 0 || len(entries) < f.Limit {
		last = 0
	}
	return entries, last, err
}

// Count counts alerts and fates.
func (l *Ledger) Count(ctx context.Context) (c Counts, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		c, err = Count(tx)
		return err
	})
	return c, err
}

// Judged counts, by the name of the rule, the alerts that people closed from one time to before another, and those of them
// that they called false positives.
func (l *Ledger) Judged(ctx context.Context, from, to time.Time) (closed, wrong map[string]int, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		closed, wrong, err = Judged(tx, from, to, nil)
		return err
	})
	return closed, wrong, err
}

// Document reads an alert's document; nil when it has none.
func (l *Ledger) Document(ctx context.Context, id alert.ID) (doc json.RawMessage, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		doc, err = Document(tx, id)
		return err
	})
	return doc, err
}

// SourceState reads a source's state; nil when it has none.
func (l *Ledger) SourceState(ctx context.Context, source string) (state json.RawMessage, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		state, err = SourceState(tx, source)
		return err
	})
	return state, err
}

// Missing gives those of the source's own ids that are not recorded.
func (l *Ledger) Missing(ctx context.Context, source string, sourceIDs []string) (missing []string, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		missing, err = Missing(tx, source, sourceIDs)
		return err
	})
	return missing, err
}

// Names gives, for each notice key, the ids the sources have for the alerts it names.
func (l *Ledger) Names(ctx context.Context, keys []string) (map[string][]string, error) {
	out := map[string][]string{}
	err := l.db.View(ctx, func(tx *store.Tx) error {
		for _, key := range keys {
			err := tx.Query(func(r *sql.Rows) error {
				var id string
				defer func() { out[key] = append(out[key], id) }()
				return r.Scan(&id)
			}, `SELECT a.source_id FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ? ORDER BY m.place, a.seq`, key)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
