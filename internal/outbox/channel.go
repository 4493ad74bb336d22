package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Channel is how a channel stands.
type Channel struct {
	Name                           string
	Queued, Sending, Doubt, Failed int
	// Last is what was posted there last; nil for nothing.
	Last *Message
	// Waits is why the oldest of what waits does, and Refused why the newest of what was given up was, at RefusedAt.
	Waits     string
	Refused   string
	RefusedAt time.Time
	// Until is when the service, which told us to wait, may be asked again; zero for now.
	Until time.Time
}

// Fails reports whether the service's last word was no.
func (c *Channel) Fails() bool {
	return c.Refused != "" && (c.Last == nil || c.RefusedAt.After(c.Last.PostedAt))
}

// Pends reports whether something waits to be said longer than it takes.
func (c *Channel) Pends(now time.Time) bool {
	return c.Waits != "" || c.Doubt > 0 || c.Until.After(now)
}

// Message is a notice with where its message stands.
type Message struct {
	notice.Notice
	State    State
	Reason   string
	Created  time.Time
	PostedAt time.Time // zero while it was not
	SaidAt   time.Time // when it was last posted or edited
	TS       string
	Said     int // the revision that the message shows; 0 for none
}

// Channels tells of every channel that has notices, by its name.
func (r *Reader) Channels(ctx context.Context, now time.Time) (out map[string]*Channel, err error) {
	out = map[string]*Channel{}
	err = r.db.View(ctx, func(tx *store.Tx) error {
		if err := countChannels(tx, out); err != nil {
			return err
		}
		limited := map[string]time.Time{}
		if err := keptLimits(tx, now, func(channel string, until time.Time) { limited[channel] = until }); err != nil {
			return err
		}
		for name, c := range out {
			if c.Until = limited[name]; limited[everything].After(c.Until) {
				c.Until = limited[everything]
			}
			last, err := messages(tx, `channel = ? AND posted_at > 0 ORDER BY posted_at DESC LIMIT 1`, name)
			if err != nil {
				return err
			}
			if len(last) > 0 {
				c.Last = &last[0]
			}
			if err := tx.Row(`SELECT reason FROM notices WHERE state IN ('queued', 'sending', 'doubt') AND channel = ? AND reason <> '' ORDER BY seq LIMIT 1`,
				[]any{name}, &c.Waits); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			var at int64
			if c.Failed > 0 {
				if err := tx.Row(`SELECT reason, MAX(attempt_at, created_at) FROM notices WHERE state = 'failed' AND channel = ? ORDER BY seq DESC LIMIT 1`,
					[]any{name}, &c.Refused, &at); err != nil {
					return err
				}
				c.RefusedAt = store.Time(at)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how channels stand: %w", err)
	}
	return out, nil
}

// countChannels counts by indices alone, however many notices were said.
func countChannels(tx *store.Tx, out map[string]*Channel) error {
	of := func(name string) *Channel {
		if out[name] == nil {
			out[name] = &Channel{Name: name}
		}
		return out[name]
	}
	count := func(r *sql.Rows) error {
		var (
			name  string
			state State
			n     int
		)
		if err := r.Scan(&name, &state, &n); err != nil {
			return err
		}
		switch c := of(name); state {
		case Queued:
			c.Queued = n
		case Sending:
			c.Sending = n
		case Doubt:
			c.Doubt = n
		case Failed:
			c.Failed = n
		case Said:
		}
		return nil
	}
	for _, query := range []string{
		`SELECT channel, 'said', 0 FROM notices WHERE posted_at > 0 GROUP BY channel`,
		`SELECT channel, state, COUNT(*) FROM notices WHERE state IN ('queued', 'sending', 'doubt') GROUP BY channel, state`,
		`SELECT channel, state, COUNT(*) FROM notices WHERE state = 'failed' GROUP BY channel, state`,
	} {
		if err := tx.Query(count, query); err != nil {
			return err
		}
	}
	return nil
}

// Posted is how many messages were posted in a channel since then, and how many more wait to be.
func (r *Reader) Posted(ctx context.Context, channel string, since time.Time) (posted, unsaid int, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		var at []time.Time
		at, unsaid, err = Traffic(tx, channel, since)
		posted = len(at)
		return err
	})
	return posted, unsaid, err
}

// Newest gives the newest notices of a kind, newest first.
func (r *Reader) Newest(ctx context.Context, kind notice.Kind, most int) (out []Message, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		out, err = messages(tx, `kind = ? ORDER BY seq DESC LIMIT ?`, kind, most)
		return err
	})
	return out, err
}

// Message gives a notice with where its message stands; ok is false where there is none.
func (r *Reader) Message(ctx context.Context, key notice.Key) (m Message, ok bool, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		found, err := messages(tx, `key = ?`, key)
		if len(found) == 1 {
			m, ok = found[0], true
		}
		return err
	})
	return m, ok, err
}

func messages(tx *store.Tx, where string, args ...any) (out []Message, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			m                     Message
			body                  []byte
			created, posted, said int64
		)
		if err := r.Scan(&body, &m.State, &m.Reason, &created, &posted, &said, &m.TS, &m.Said); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &m.Notice); err != nil {
			return err
		}
		m.Created, m.PostedAt, m.SaidAt = store.Time(created), store.Time(posted), store.Time(said)
		out = append(out, m)
		return nil
	}, `SELECT body, state, reason, created_at, posted_at, said_at, ts, said_revision FROM notices WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return out, nil
}
