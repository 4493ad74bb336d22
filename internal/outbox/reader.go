package outbox

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tocsin/internal/store"
)

// Reader reads the notices for those who only look, with or without an Outbox that runs.
type Reader struct{ db *store.DB }

// ReaderOptions say where the notices are.
type ReaderOptions struct{ DB *store.DB }

// NewReader makes a Reader.
func NewReader(o ReaderOptions) (*Reader, error) {
	if o.DB == nil {
		return nil, errors.New("outbox: DB is required")
	}
	return &Reader{db: o.DB}, nil
}

// Depth is how much is left to say.
func (r *Reader) Depth(ctx context.Context) (d Depth, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		d, err = Measure(tx)
		return err
	})
	return d, err
}

// Records gives every notice queued or said since then, oldest first.
func (r *Reader) Records(ctx context.Context, since time.Time) (out []Record, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		return Records(tx, since, func(rec Record) error {
			out = append(out, rec)
			return nil
		})
	})
	return out, err
}

// ChannelID is the service's own id of a channel that was posted to under this name; "" when it never was.
func (r *Reader) ChannelID(ctx context.Context, channel string) (id string, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		err := tx.Row(`SELECT said_channel FROM notices WHERE channel = ? AND said_channel <> '' AND posted_at > 0 ORDER BY posted_at DESC LIMIT 1`, []any{channel}, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return id, err
}
