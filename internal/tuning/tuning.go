// Package tuning owns what people set about alerts: silences, exceptions, switches of what is forwarded, and
// acknowledgements; with who set what, when and why, and every version of it. It decides about no alert itself:
// policy does, by the set that Active gives it.
package tuning

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/store"
)

// Migrations are the tables of this room. The seq of the newest version tells whether anything changed.
var Migrations = []store.Migration{{ID: "tuning/1", SQL: `
CREATE TABLE tunings (
	id      TEXT PRIMARY KEY,
	kind    TEXT NOT NULL,
	version BIGINT NOT NULL,
	made_at BIGINT NOT NULL,
	ends    BIGINT NOT NULL, -- 0 is never
	body    BLOB NOT NULL
);
CREATE INDEX tunings_ends ON tunings (ends);
CREATE TABLE tuning_versions (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	id      TEXT NOT NULL,
	version BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	action  TEXT NOT NULL,
	note    TEXT NOT NULL,
	body    BLOB NOT NULL,
	UNIQUE (id, version)
);
CREATE TABLE acknowledgements (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	alert   TEXT NOT NULL,
	action  TEXT NOT NULL,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	why     TEXT NOT NULL,
	verdict TEXT NOT NULL
);
CREATE INDEX acknowledgements_alert ON acknowledgements (alert);
`}}

// State is where a tuning stands in time.
type State string

// The states.
const (
	Pending State = "pending" // not yet begun
	Active  State = "active"
	Expired State = "expired"
)

// Entry is one tuning as it stands.
type Entry struct {
	ID    string            `json:"id"`
	Kind  policy.TuningKind `json:"kind" enum:"silence,exception,forwarding"`
	State State             `json:"state" enum:"pending,active,expired"`
	Match string            `json:"match" doc:"KQL on the alert: all parts of what was asked for."`
	// Rule, Tag and Severity are the parts of Match that were given on their own.
	Rule     string    `json:"rule,omitempty"`
	Tag      string    `json:"tag,omitempty"`
	Severity string    `json:"severity,omitempty"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until,omitzero" doc:"Absent for ever."`
	Forward  *bool     `json:"forward,omitempty" doc:"Of forwarding: whether such alerts are forwarded."`
	Who      string    `json:"who"`
	Why      string    `json:"why"`
	Version  int64     `json:"version"`
	Made     time.Time `json:"made_at"`
}

// Draft is what a tuning is made or changed with.
type Draft struct {
	Kind     policy.TuningKind
	Match    string
	Rule     string
	Tag      string
	Severity string
	From     time.Time // zero is now
	Until    time.Time
	Forever  bool // it has no end
	Forward  bool // of forwarding
	Who      string
	Why      string
}

// Version is one version of a tuning.
type Version struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Action  string    `json:"action" enum:"made,changed,expired"`
	Note    string    `json:"note,omitempty"`
	Entry   Entry     `json:"entry"`
}

// InputError is a draft that is wrong, and where.
type InputError struct {
	Field string // the part of the draft
	// Line and Column are the place in a match, both from 1; 0 where it is no match that is wrong.
	Line, Column int
	Text         string
}

func (e *InputError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.Field, e.Line, e.Column, e.Text)
	}
	return e.Field + ": " + e.Text
}

// NotFoundError is a tuning that is not there.
type NotFoundError struct {
	Kind policy.TuningKind
	ID   string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no %s called %q", e.Kind, e.ID) }

// ConflictError is a change of a version that somebody else has changed since, or of something that is over.
type ConflictError struct{ Text string }

func (e *ConflictError) Error() string { return e.Text }

// Book keeps what people set. Its methods may be called from several goroutines.
type Book struct {
	db      *store.DB
	changed func()
	now     func() time.Time
}

// Options say where it is kept.
type Options struct {
	DB *store.DB
	// Changed is called after each change; nil is none.
	Changed func()
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// New makes a Book.
func New(o Options) (*Book, error) {
	if o.DB == nil {
		return nil, errors.New("tuning: DB is required")
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Book{db: o.DB, changed: o.Changed, now: o.Now}, nil
}

// AnyVersion as the base of a change accepts whatever there is.
const AnyVersion = -1

// Add makes a tuning.
func (b *Book) Add(ctx context.Context, d Draft) (Entry, error) {
	now := b.now().UTC().Truncate(time.Microsecond)
	e, err := d.entry(now)
	if err != nil {
		return Entry{}, err
	}
	if e.ID, err = newID(d.Kind); err != nil {
		return Entry{}, err
	}
	e.Version, e.Made = 1, now
	err = b.db.Update(ctx, func(tx *store.Tx) error { return write(tx, e, now, d.Who, "made", d.Why) })
	if err != nil {
		return Entry{}, fmt.Errorf("make %s: %w", d.Kind, err)
	}
	b.changed()
	return e.at(now), nil
}

// Change replaces a tuning; base is the version the caller saw.
func (b *Book) Change(ctx context.Context, id string, base int64, d Draft) (out Entry, err error) {
	now := b.now().UTC().Truncate(time.Microsecond)
	err = b.db.Update(ctx, func(tx *store.Tx) error {
		old, err := get(tx, d.Kind, id)
		if err != nil {
			return err
		}
		if err := old.accepts(base, now); err != nil {
			return err
		}
		if d.From.IsZero() {
			d.From = old.From
		}
		if out, err = d.entry(now); err != nil {
			return err
		}
		out.ID, out.Made, out.Version = old.ID, old.Made, old.Version+1
		return write(tx, out, now, d.Who, "changed", d.Why)
	})
	if err != nil {
		return Entry{}, err
	}
	b.changed()
	return out.at(now), nil
}

// Expire ends a tuning now.
func (b *Book) Expire(ctx context.Context, kind policy.TuningKind, id, who, note string) (out Entry, err error) {
	now := b.now().UTC().Truncate(time.Microsecond)
	err = b.db.Update(ctx, func(tx *store.Tx) error {
		if out, err = get(tx, kind, id); err != nil {
			return err
		}
		if err := out.accepts(AnyVersion, now); err != nil {
			return err
		}
		out.Until, out.Version = now, out.Version+1
		if out.From.After(now) {
			out.From = now
		}
		return write(tx, out, now, who, "expired", note)
	})
	if err != nil {
		return Entry{}, err
	}
	b.changed()
	return out.at(now), nil
}

func (e *Entry) accepts(base int64, now time.Time) error {
	switch {
	case base != AnyVersion && base != e.Version:
		return &ConflictError{fmt.Sprintf("%s %s was changed since: it is version %d now", e.Kind, e.ID, e.Version)}
	case e.at(now).State == Expired:
		return &ConflictError{fmt.Sprintf("%s %s is over since %s: make a new one", e.Kind, e.ID, e.Until.Format(time.RFC3339))}
	}
	return nil
}

// Get reads one tuning.
func (b *Book) Get(ctx context.Context, kind policy.TuningKind, id string) (e Entry, history []Version, err error) {
	err = b.db.View(ctx, func(tx *store.Tx) error {
		if e, err = get(tx, kind, id); err != nil {
			return err
		}
		history, err = versions(tx, e.ID)
		return err
	})
	now := b.now()
	for i := range history {
		history[i].Entry = history[i].Entry.at(history[i].At)
	}
	return e.at(now), history, err
}

// List reads the tunings of a kind that stand so, newest first; "" is any state.
func (b *Book) List(ctx context.Context, kind policy.TuningKind, state State) ([]Entry, error) {
	var all []Entry
	err := b.db.View(ctx, func(tx *store.Tx) (err error) {
		all, err = list(tx, `SELECT body FROM tunings WHERE kind = ? ORDER BY made_at DESC, id`, kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind, err)
	}
	now := b.now()
	out := all[:0]
	for _, e := range all {
		if e = e.at(now); state == "" || e.State == state {
			out = append(out, e)
		}
	}
	return out, nil
}

// OfRule is the match of what is set for a rule and nothing else.
func OfRule(name string) string { return clause("rule.name", name) }

func clause(field, value string) string { return field + ": " + query.QuoteValue(value) }

// entry checks a draft.
func (d *Draft) entry(now time.Time) (Entry, error) {
	wrong := func(field, text string, args ...any) (Entry, error) {
		return Entry{}, &InputError{Field: field, Text: fmt.Sprintf(text, args...)}
	}
	e := Entry{
		Kind: d.Kind, Rule: d.Rule, Tag: d.Tag, Severity: d.Severity, Who: strings.TrimSpace(d.Who), Why: strings.TrimSpace(d.Why),
		From: d.From.UTC().Truncate(time.Microsecond), Until: d.Until.UTC().Truncate(time.Microsecond),
	}
	if d.From.IsZero() {
		e.From = now
	}
	if d.Until.IsZero() {
		e.Until = time.Time{}
	}
	switch {
	case e.Who == "":
		return wrong("who", "say who sets it")
	case e.Why == "":
		return wrong("why", "say why, for those who look at it later")
	case len(e.Why) > 2000 || len(d.Match) > 20_000:
		return wrong("match", "it is too long")
	case d.Forever && !e.Until.IsZero():
		return wrong("until", "it cannot have an end and be for ever")
	case e.Until.IsZero() && !d.Forever && d.Kind != policy.Forwarding:
		return wrong("until", "say until when, for how long (--for 4h), or that it is for ever (--forever)")
	case !e.Until.IsZero() && !e.Until.After(e.From):
		return wrong("until", "it ends before it begins")
	case !e.Until.IsZero() && !e.Until.After(now):
		return wrong("until", "that is over already")
	}
	parts := []string{}
	for _, p := range [][2]string{{"rule.name", d.Rule}, {"tags", d.Tag}, {"severity", d.Severity}} {
		if p[1] != "" {
			parts = append(parts, clause(p[0], p[1]))
		}
	}
	if strings.TrimSpace(d.Match) != "" {
		f, err := query.CompileFilter(d.Match)
		var syntax *query.Error
		switch {
		case errors.As(err, &syntax):
			line, column := syntax.Position()
			return Entry{}, &InputError{Field: "match", Line: line, Column: column, Text: syntax.Error()}
		case err != nil:
			return wrong("match", "%v", err)
		}
		if (f.Everything() || strings.TrimSpace(d.Match) == "*") && len(parts) == 0 && d.Kind == policy.Exception {
			return wrong("match", "it would except every alert for good: say which")
		}
		text := d.Match
		if len(parts) > 0 {
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return wrong("match", "say which alerts, in KQL; * is all of them")
	}
	e.Match = strings.Join(parts, " and ")
	if _, err := query.CompileFilter(e.Match); err != nil {
		return wrong("match", "%v", err)
	}
	if d.Kind == policy.Forwarding {
		e.Forward = &d.Forward
	}
	return e, nil
}

// at is the entry with its state at a time.
func (e Entry) at(now time.Time) Entry {
	switch {
	case !e.Until.IsZero() && !now.Before(e.Until):
		e.State = Expired
	case now.Before(e.From):
		e.State = Pending
	default:
		e.State = Active
	}
	return e
}

// tuning is the entry as policy wants it.
func (e *Entry) tuning() (policy.Tuning, error) {
	f, err := query.CompileFilter(e.Match)
	if err != nil {
		return policy.Tuning{}, fmt.Errorf("%s %s: %w", e.Kind, e.ID, err)
	}
	return policy.Tuning{
		ID: e.ID, Kind: e.Kind, Match: f, From: e.From, Until: e.Until, Off: e.Forward != nil && !*e.Forward, Who: e.Who, Why: e.Why,
	}, nil
}

func newID(kind policy.TuningKind) (string, error) {
	b := make([]byte, 5)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return string(kind[0]) + "-" + hex.EncodeToString(b), nil
}

// Changes is a number that grows with every change.
func Changes(tx *store.Tx) (n int64, err error) {
	if err := tx.Row(`SELECT COALESCE(MAX(seq), 0) FROM tuning_versions`, nil, &n); err != nil {
		return 0, fmt.Errorf("read what changed about alerts: %w", err)
	}
	return n, nil
}

// Live gives all that is not over at a time, ready for policy. The newest stand first, so that a switch made
// later decides.
func Live(tx *store.Tx, now time.Time) ([]policy.Tuning, error) {
	entries, err := list(tx, `SELECT body FROM tunings WHERE ends = 0 OR ends > ? ORDER BY made_at DESC, id`, store.Micros(now))
	if err != nil {
		return nil, fmt.Errorf("read what is set about alerts: %w", err)
	}
	out := make([]policy.Tuning, 0, len(entries))
	for i := range entries {
		t, err := entries[i].tuning()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Ended reports whether something ended after the first time and up to the second; Live does not give it then.
func Ended(tx *store.Tx, after, now time.Time) (bool, error) {
	var n int
	if err := tx.Row(`SELECT COUNT(*) FROM tunings WHERE ends > ? AND ends <= ?`, []any{store.Micros(after), store.Micros(now)}, &n); err != nil {
		return false, fmt.Errorf("read what ended: %w", err)
	}
	return n > 0, nil
}

func write(tx *store.Tx, e Entry, at time.Time, who, action, note string) error {
	e.State = ""
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = tx.Exec(`INSERT INTO tunings (id, kind, version, made_at, ends, body) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, ends = excluded.ends, body = excluded.body`,
		e.ID, e.Kind, e.Version, store.Micros(e.Made), store.Micros(e.Until), body)
	if err == nil {
		err = tx.Exec(`INSERT INTO tuning_versions (id, version, at, who, action, note, body) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			e.ID, e.Version, store.Micros(at), who, action, note, body)
	}
	if err != nil {
		return fmt.Errorf("keep %s %s: %w", e.Kind, e.ID, err)
	}
	return nil
}

// get finds a tuning by its id or the beginning of it.
func get(tx *store.Tx, kind policy.TuningKind, id string) (Entry, error) {
	found, err := list(tx, `SELECT body FROM tunings WHERE kind = ? AND id >= ? AND id < ? ORDER BY id LIMIT 2`, kind, id, id+"\U0010ffff")
	switch {
	case err != nil:
		return Entry{}, err
	case id == "" || len(found) == 0:
		return Entry{}, &NotFoundError{kind, id}
	case len(found) > 1 && found[0].ID != id:
		return Entry{}, &ConflictError{fmt.Sprintf("%q begins the ids of several: write one out, such as %s", id, found[0].ID)}
	}
	return found[0], nil
}

func list(tx *store.Tx, query string, args ...any) (out []Entry, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			body []byte
			e    Entry
		)
		if err := r.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		out = append(out, e)
		return nil
	}, query, args...)
	return out, err
}

func versions(tx *store.Tx, id string) (out []Version, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			v    Version
			at   int64
			body []byte
		)
		if err := r.Scan(&v.Version, &at, &v.Who, &v.Action, &v.Note, &body); err != nil {
			return err
		}
		v.At = store.Time(at)
		if err := json.Unmarshal(body, &v.Entry); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	}, `SELECT version, at, who, action, note, body FROM tuning_versions WHERE id = ? ORDER BY version DESC`, id)
	return out, err
}
