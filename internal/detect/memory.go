package detect

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"tocsin/internal/store"
)

// Migrations are detect's tables. Times of windows are nanoseconds, for episodes are told apart by the exact
// times of events; all others are microseconds.
var Migrations = []store.Migration{{ID: "detect/1", SQL: `
CREATE TABLE detect_rules (
	rule TEXT PRIMARY KEY,
	body BLOB NOT NULL
);
CREATE TABLE detect_buckets (
	rule TEXT NOT NULL,
	key  TEXT NOT NULL,
	at   BIGINT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (rule, key, at)
);
CREATE INDEX detect_buckets_at ON detect_buckets (rule, at);
CREATE TABLE detect_episodes (
	serial    INTEGER PRIMARY KEY,
	id        TEXT NOT NULL UNIQUE,
	rule      TEXT NOT NULL,
	key       TEXT NOT NULL,
	first_end BIGINT NOT NULL,
	last_end  BIGINT NOT NULL,
	body      BLOB NOT NULL
);
CREATE INDEX detect_episodes_key ON detect_episodes (rule, key, last_end);
CREATE INDEX detect_episodes_end ON detect_episodes (rule, last_end);
CREATE TABLE detect_said (
	rule     TEXT NOT NULL,
	same     TEXT NOT NULL,
	at       BIGINT NOT NULL,
	severity INTEGER NOT NULL,
	id       TEXT NOT NULL,
	PRIMARY KEY (rule, same)
);
CREATE TABLE detect_counts (
	rule TEXT NOT NULL,
	at   BIGINT NOT NULL,
	n    BIGINT NOT NULL,
	PRIMARY KEY (rule, at)
);
`}, {ID: "detect/2", SQL: `
CREATE TABLE detect_surroundings (
	rule TEXT PRIMARY KEY,
	body BLOB NOT NULL
);
`}, {ID: "detect/3", SQL: `
CREATE TABLE detect_open (
	rule TEXT NOT NULL,
	id   TEXT NOT NULL,
	PRIMARY KEY (rule, id)
);
`}, {ID: "detect/4", SQL: `
ALTER TABLE detect_episodes ADD COLUMN updated BIGINT NOT NULL DEFAULT 0;
`}, {ID: "detect/5", SQL: `
ALTER TABLE detect_open ADD COLUMN unfollowed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE detect_wordings (
	rule     TEXT PRIMARY KEY,
	revision TEXT NOT NULL,
	content  BLOB NOT NULL
);
`}}

// Memory is what is kept of a rule between runs.
type Memory struct {
	// Definition names what the rule judges; Revision is the version of the rule that ran last.
	Definition string `json:"definition"`
	Revision   string `json:"revision"`
	// Since is the event time from which on windows are wanted, Covered which of them have been judged.
	Since   int64 `json:"since"`
	Covered Set   `json:"covered"`
	// Older are the windows before Since that are wanted too, for events of theirs came after the rule began.
	Older Set `json:"older,omitempty"`
	// Ingested is up to when, by the source's time of ingest, events that came late have been looked for, and
	// Probe names what was found there.
	Ingested int64  `json:"ingested"`
	Probe    string `json:"probe,omitempty"`
	// Began is the time of ingest from which on an event can be late: what was there before the rule ran first is
	// history, which it does not judge. 0 where that is not known.
	Began int64 `json:"began,omitempty"`
	// Swept is when counts were compared last.
	Swept int64 `json:"swept,omitempty"`
	// Ran and Worked are when it ran last, and last without an error.
	Ran    int64 `json:"ran"`
	Worked int64 `json:"worked"`
	// Failures counts failures in a row, of which Error is the last; empty for none.
	Failures int    `json:"failures,omitempty"`
	Error    string `json:"error,omitempty"`
	// Seen is the time of the newest event of its source that the rule knows of; 0 for none.
	Seen int64 `json:"seen,omitempty"`
}

// Result is what a run brought: it is written whole, in the transaction that takes its alerts in.
type result struct {
	rule   string
	memory Memory
	// redefined says that the rule judges something else now, and what it summed up before means nothing.
	redefined bool
	// dropped are the stretches of time whose buckets are replaced by buckets.
	dropped  Set
	buckets  []Bucket
	episodes []Stored
	said     []said
	counts   []count
	// forgotten are conditions that are no longer followed and need not be taken up again.
	forgotten []string
	// text is the rule as it is written, where that is not kept yet.
	text *text
}

// said is the alert of a rule and of what makes two alerts the same that started something last.
type said struct {
	same     string
	at       int64
	severity int
	id       string
}

// count is how many events of a rule lie in a stretch of time.
type count struct{ at, n int64 }

// write writes the result.
func (r *result) write(tx *store.Tx) error {
	body, err := json.Marshal(&r.memory)
	if err != nil {
		return err
	}
	if r.rule != healthRule {
		if err := tx.Exec(`INSERT INTO detect_rules (rule, body) VALUES (?, ?) ON CONFLICT (rule) DO UPDATE SET body = excluded.body`, r.rule, body); err != nil {
			return err
		}
	}
	if r.redefined {
		for _, q := range []string{`DELETE FROM detect_buckets WHERE rule = ?`, `DELETE FROM detect_counts WHERE rule = ?`} {
			if err := tx.Exec(q, r.rule); err != nil {
				return err
			}
		}
	}
	for _, span := range r.dropped {
		if err := tx.Exec(`DELETE FROM detect_buckets WHERE rule = ? AND at >= ? AND at < ?`, r.rule, span.From, span.To); err != nil {
			return err
		}
	}
	for i := range r.buckets {
		b := &r.buckets[i]
		if body, err = json.Marshal(b); err != nil {
			return err
		}
		if err := tx.Exec(`INSERT INTO detect_buckets (rule, key, at, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (rule, key, at) DO UPDATE SET body = excluded.body`, r.rule, b.Key, b.At, body); err != nil {
			return err
		}
	}
	for i := range r.episodes {
		e := &r.episodes[i]
		if body, err = json.Marshal(e); err != nil {
			return err
		}
		if err := tx.Exec(`INSERT INTO detect_episodes (id, rule, key, first_end, last_end, updated, body) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET first_end = excluded.first_end, last_end = excluded.last_end, updated = excluded.updated, body = excluded.body`,
			e.ID, r.rule, e.Key, e.FirstEnd, e.LastEnd, e.Updated, body); err != nil {
			return err
		}
		if err := e.keepOpen(tx, r.rule); err != nil {
			return err
		}
	}
	for _, id := range r.forgotten {
		if err := tx.Exec(`DELETE FROM detect_open WHERE rule = ? AND id = ?`, r.rule, id); err != nil {
			return err
		}
	}
	if r.text != nil {
		if err := r.text.keep(tx, r.rule); err != nil {
			return err
		}
	}
	for _, s := range r.said {
		if err := tx.Exec(`INSERT INTO detect_said (rule, same, at, severity, id) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (rule, same) DO UPDATE SET at = excluded.at, severity = excluded.severity, id = excluded.id`,
			r.rule, s.same, s.at, s.severity, s.id); err != nil {
			return err
		}
	}
	for _, c := range r.counts {
		if err := tx.Exec(`INSERT INTO detect_counts (rule, at, n) VALUES (?, ?, ?) ON CONFLICT (rule, at) DO UPDATE SET n = excluded.n`, r.rule, c.at, c.n); err != nil {
			return err
		}
	}
	return nil
}

// memories reads what is kept of all rules.
func memories(tx *store.Tx) (map[string]Memory, error) {
	out := map[string]Memory{}
	err := tx.Query(func(r *sql.Rows) error {
		var (
			rule string
			body []byte
			m    Memory
		)
		if err := r.Scan(&rule, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &m); err != nil {
			return fmt.Errorf("rule %s: %w", rule, err)
		}
		out[rule] = m
		return nil
	}, `SELECT rule, body FROM detect_rules`)
	if err != nil {
		return nil, fmt.Errorf("read what rules have covered: %w", err)
	}
	return out, nil
}

// bucketKeys are the keys that have buckets in a span.
func bucketKeys(tx *store.Tx, rule string, span Span) (keys []string, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		keys = append(keys, "")
		return r.Scan(&keys[len(keys)-1])
	}, `SELECT DISTINCT key FROM detect_buckets WHERE rule = ? AND at >= ? AND at < ?`, rule, span.From, span.To)
	return keys, err
}

// bucketsOf are the buckets of a key in a span, in order.
func bucketsOf(tx *store.Tx, rule, key string, span Span) (out []Bucket, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			b    = Bucket{Key: key}
			body []byte
		)
		if err := r.Scan(&b.At, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &b); err != nil {
			return err
		}
		b.Best.Key = key
		out = append(out, b)
		return nil
	}, `SELECT at, body FROM detect_buckets WHERE rule = ? AND key = ? AND at >= ? AND at < ? ORDER BY at`, rule, key, span.From, span.To)
	return out, err
}

const episodeColumns = `SELECT serial, id, key, body FROM detect_episodes WHERE `

// episodesOf are the episodes of a key that end at from or later and begin at to or before, in nanoseconds.
func episodesOf(tx *store.Tx, rule, key string, from, to int64) ([]Stored, error) {
	return readEpisodes(tx, episodeColumns+`rule = ? AND key = ? AND last_end >= ? AND first_end <= ?`, rule, key, from, to)
}

// episodesEnding are those of all keys of which the last window ends in [from, to), in nanoseconds.
func episodesEnding(tx *store.Tx, rule string, from, to int64) ([]Stored, error) {
	return readEpisodes(tx, episodeColumns+`rule = ? AND last_end >= ? AND last_end < ?`, rule, from, to)
}

// episode is the one of an id; ok is false without one.
func episode(tx *store.Tx, id string) (s Stored, ok bool, err error) {
	list, err := readEpisodes(tx, episodeColumns+`id = ?`, id)
	if err != nil || len(list) == 0 {
		return Stored{}, false, err
	}
	return list[0], true, nil
}

func readEpisodes(tx *store.Tx, query string, args ...any) (out []Stored, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			s    Stored
			body []byte
		)
		if err := r.Scan(&s.Serial, &s.ID, &s.Key, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &s); err != nil {
			return err
		}
		s.Best.Key = s.Key
		out = append(out, s)
		return nil
	}, query, args...)
	return out, err
}

// lastSaid is what started something last; ok is false for nothing.
func lastSaid(tx *store.Tx, rule, same string) (s said, ok bool, err error) {
	s.same = same
	err = tx.Row(`SELECT at, severity, id FROM detect_said WHERE rule = ? AND same = ?`, []any{rule, same}, &s.at, &s.severity, &s.id)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	return s, err == nil, err
}

// countsOf are the counts of a rule's stretches from a time on.
func countsOf(tx *store.Tx, rule string, from int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	err := tx.Query(func(r *sql.Rows) error {
		var at, n int64
		if err := r.Scan(&at, &n); err != nil {
			return err
		}
		out[at] = n
		return nil
	}, `SELECT at, n FROM detect_counts WHERE rule = ? AND at >= ?`, rule, from)
	return out, err
}

// identity makes an id of parts: equal parts give equal ids, and no other do.
func identity(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(p)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// documentID is the id of an alert about one document: row is the number of its row among those that the
// search makes of the document.
func documentID(rule, source, index, id string, row int) string {
	return identity("document", rule, source, index, id, strconv.Itoa(row))
}

// episodeID is the id of an episode by the time of its first event. try tells apart episodes that had, at
// different times, the same first event.
func episodeID(rule, key string, first int64, try int) string {
	parts := []string{"episode", rule, key, strconv.FormatInt(first, 10)}
	if try > 0 {
		parts = append(parts, strconv.Itoa(try))
	}
	return identity(parts...)
}

// rowID is the id of a row of a search judged at ticks.
func rowID(rule string, tick int64, columns string) string {
	return identity("row", rule, strconv.FormatInt(tick, 10), columns)
}

// runID is the id of the alert of all rows of a tick; later ones are those of rows found afterwards.
func runID(rule string, tick int64, later int) string {
	return identity("run", rule, strconv.FormatInt(tick, 10), strconv.Itoa(later))
}
