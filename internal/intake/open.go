package intake

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
	"tocsin/internal/store"
)

// Migrations are the tables of what is open: the groups and digests that policy keeps between commits.
var Migrations = []store.Migration{{ID: "intake/1", SQL: `
CREATE TABLE open_groups (
	key  TEXT PRIMARY KEY,
	due  BIGINT NOT NULL,
	body BLOB NOT NULL
);
CREATE INDEX open_groups_due ON open_groups (due);
CREATE TABLE open_digests (
	channel TEXT PRIMARY KEY,
	due     BIGINT NOT NULL,
	serial  BIGINT NOT NULL,
	body    BLOB
);
`}, {ID: "intake/2", SQL: `
CREATE TABLE inhibitors (
	key   TEXT NOT NULL,
	alert TEXT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (key, alert)
);
CREATE INDEX inhibitors_alert ON inhibitors (alert);
CREATE TABLE escalations (
	notice TEXT NOT NULL,
	grp    TEXT NOT NULL,
	due    BIGINT NOT NULL,
	body   BLOB NOT NULL,
	PRIMARY KEY (notice, grp)
);
CREATE INDEX escalations_due ON escalations (due);
CREATE TABLE looks (
	name    TEXT PRIMARY KEY,
	at      BIGINT NOT NULL,
	changes BIGINT NOT NULL
);
`}, {ID: "intake/3", SQL: `
CREATE TABLE escalated (
	notice TEXT NOT NULL,
	grp    TEXT NOT NULL,
	key    TEXT NOT NULL,
	PRIMARY KEY (notice, grp, key)
);
`}, owedMigration}

// open reads and writes the open groups and digests within one commit. Only what the commit touches is
// read, so that the cost of a batch does not grow with all that is open.
type open struct {
	tx      *store.Tx
	groups  map[string]*policy.Group // nil: it is not, or no longer, open
	digests map[string]*policy.Digest
	serials map[string]int
}

func newOpen(tx *store.Tx) *open {
	return &open{tx: tx, groups: map[string]*policy.Group{}, digests: map[string]*policy.Digest{}, serials: map[string]int{}}
}

func (o *open) group(key string) (*policy.Group, error) {
	if g, ok := o.groups[key]; ok {
		return g, nil
	}
	var body []byte
	err := o.tx.Row(`SELECT body FROM open_groups WHERE key = ?`, []any{key}, &body)
	if errors.Is(err, sql.ErrNoRows) {
		o.groups[key] = nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read open group: %w", err)
	}
	return o.decode(body)
}

func (o *open) decode(body []byte) (*policy.Group, error) {
	g := &policy.Group{}
	if err := json.Unmarshal(body, g); err != nil {
		return nil, fmt.Errorf("read open group: %w", err)
	}
	if have, ok := o.groups[g.Key]; ok {
		return have, nil
	}
	o.groups[g.Key] = g
	return g, nil
}

func (o *open) enter(p *policy.Policy, now time.Time, v policy.Verdict, s alert.Severity) error {
	g, err := o.group(v.Group)
	if err != nil {
		return err
	}
	o.groups[v.Group] = p.Enter(now, g, v, s)
	return nil
}

func (o *open) leave(key string) error {
	g, err := o.group(key)
	if err == nil && g != nil {
		g.Leave()
	}
	return err
}

func (o *open) end(key string) { o.groups[key] = nil }

// dueGroups gives the groups due at now, the worst first, then the longest due. Where the clock may
// have stepped back, all groups are read: policy sets right those that were left far in the future.
func (o *open) dueGroups(now time.Time, stepped bool) ([]*policy.Group, error) {
	latest := store.Micros(now)
	if stepped {
		latest = math.MaxInt64
	}
	var bodies [][]byte
	err := o.tx.Query(func(r *sql.Rows) error {
		var body []byte
		if err := r.Scan(&body); err != nil {
			return err
		}
		bodies = append(bodies, body)
		return nil
	}, `SELECT body FROM open_groups WHERE due <= ?`, latest)
	if err != nil {
		return nil, fmt.Errorf("read due groups: %w", err)
	}
	for _, body := range bodies {
		if _, err := o.decode(body); err != nil {
			return nil, err
		}
	}
	var due []*policy.Group
	for _, g := range o.groups {
		if g != nil && (!g.Due.After(now) || now.Before(g.Touched)) {
			due = append(due, g)
		}
	}
	slices.SortFunc(due, func(a, b *policy.Group) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.Due.Compare(b.Due), cmp.Compare(a.Key, b.Key))
	})
	return due, nil
}

func (o *open) digest(channel string) (*policy.Digest, error) {
	if d, ok := o.digests[channel]; ok {
		return d, nil
	}
	var (
		body   []byte
		serial int
	)
	err := o.tx.Row(`SELECT body, serial FROM open_digests WHERE channel = ?`, []any{channel}, &body, &serial)
	if errors.Is(err, sql.ErrNoRows) {
		o.digests[channel] = nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read open digest of %s: %w", channel, err)
	}
	return o.decodeDigest(channel, body, serial)
}

func (o *open) decodeDigest(channel string, body []byte, serial int) (*policy.Digest, error) {
	if d, ok := o.digests[channel]; ok {
		return d, nil
	}
	o.serials[channel] = serial
	o.digests[channel] = nil
	if body == nil {
		return nil, nil
	}
	d := &policy.Digest{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, fmt.Errorf("read open digest of %s: %w", channel, err)
	}
	o.digests[channel] = d
	return d, nil
}

// serial is the number of the channel's next digest.
func (o *open) serial(channel string) (int, error) {
	if _, err := o.digest(channel); err != nil {
		return 0, err
	}
	return o.serials[channel] + 1, nil
}

func (o *open) setDigest(d *policy.Digest) {
	o.digests[d.Channel] = d
	o.serials[d.Channel] = max(o.serials[d.Channel], d.Serial)
}

func (o *open) endDigest(channel string) { o.digests[channel] = nil }

func (o *open) dueDigests(now time.Time) ([]*policy.Digest, error) {
	type row struct {
		channel string
		body    []byte
		serial  int
	}
	var rows []row
	err := o.tx.Query(func(r *sql.Rows) error {
		var w row
		if err := r.Scan(&w.channel, &w.body, &w.serial); err != nil {
			return err
		}
		rows = append(rows, w)
		return nil
	}, `SELECT channel, body, serial FROM open_digests WHERE body IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("read open digests: %w", err)
	}
	for _, w := range rows {
		if _, err := o.decodeDigest(w.channel, w.body, w.serial); err != nil {
			return nil, err
		}
	}
	var due []*policy.Digest
	for _, d := range o.digests {
		if d != nil && (!d.Due.After(now) || now.Before(d.Touched)) {
			due = append(due, d)
		}
	}
	slices.SortFunc(due, func(a, b *policy.Digest) int { return cmp.Compare(a.Channel, b.Channel) })
	return due, nil
}

// save writes back what was read or made, and tells when the first of all that is open is due.
func (o *open) save() (next time.Time, err error) {
	for key, g := range o.groups {
		if g == nil {
			err = o.tx.Exec(`DELETE FROM open_groups WHERE key = ?`, key)
		} else {
			var body []byte
			if body, err = json.Marshal(g); err == nil {
				err = o.tx.Exec(`INSERT INTO open_groups (key, due, body) VALUES (?, ?, ?)
					ON CONFLICT (key) DO UPDATE SET due = excluded.due, body = excluded.body`, key, store.Micros(g.Due), body)
			}
		}
		if err != nil {
			return next, fmt.Errorf("keep open group: %w", err)
		}
	}
	for channel, d := range o.digests {
		var body []byte
		due := int64(0)
		if d != nil {
			due = store.Micros(d.Due)
			if body, err = json.Marshal(d); err != nil {
				return next, fmt.Errorf("keep open digest: %w", err)
			}
		}
		err = o.tx.Exec(`INSERT INTO open_digests (channel, due, serial, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (channel) DO UPDATE SET due = excluded.due, serial = excluded.serial, body = excluded.body`,
			channel, due, o.serials[channel], body)
		if err != nil {
			return next, fmt.Errorf("keep open digest: %w", err)
		}
	}
	var due sql.NullInt64
	err = o.tx.Row(`SELECT MIN(due) FROM (SELECT MIN(due) AS due FROM open_groups UNION ALL SELECT MIN(due) FROM open_digests WHERE body IS NOT NULL)`, nil, &due)
	if err != nil {
		return next, fmt.Errorf("read what is due next: %w", err)
	}
	if due.Valid {
		next = store.Time(due.Int64)
	}
	return next, nil
}
