package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// fate derives an alert's fate from its decision and its notice. An alert whose notice is unknown to
// the outbox cannot exist: both are written in one transaction.
const fate = `CASE a.decision
	WHEN 'exclude' THEN 'excluded'
	WHEN 'silence' THEN 'silenced'
	WHEN 'suppress' THEN 'suppressed'
	WHEN 'shadow' THEN 'shadow'
	ELSE CASE
		WHEN a.notice IS NULL THEN 'pending'
		WHEN n.said_revision >= a.notice_revision THEN CASE WHEN a.place = 0 AND n.kind <> 'digest' THEN 'sent' ELSE 'grouped' END
		WHEN n.state = 'failed' THEN 'failed'
		ELSE 'pending' END
	END`

const from = ` FROM alerts a LEFT JOIN notices n ON n.key = a.notice`

const countQuery = `SELECT ` + fate + `, COUNT(*)` + from + ` GROUP BY 1`

// Entry is one alert with what became of it.
type Entry struct {
	Seq      int64 // its place in the record: a page before it goes on from here
	Alert    alert.Alert
	Fate     alert.Fate
	Reason   string // why this fate; for a pending alert, what it waits for
	Decision Decision
	Channel  string // where it was or will be said, the service's own id once known; "" when it will not
	TS       string // the message's id; "" while not said and where the service tells none
	Notice   notice.Key
	SeenAt   time.Time
	Group    string
	Attempts int
	Cause    alert.Cause // the reason as data
	Handled  Handled     // what people did about it here
	By       string      // who did
	At       time.Time   // when
	Verdict  string      // what a closed one was
	Copies   []Copy      // its sayings in other channels; List leaves them out, and only says by not nil that there are any
}

// Filter chooses entries. Zero values choose all.
type Filter struct {
	IDs    []string // ids of ours, ids of the source, or beginnings of either
	Fates  []alert.Fate
	Since  time.Time // by the alert's own time
	Limit  int       // 0 is all
	Before int64     // only alerts recorded before this one's sequence number; for paging
	Source string
	Rule   string // by its name
	Notice notice.Key
	// Documents has the alerts come with their documents.
	Documents bool
}

// List calls each for every chosen alert, newest recorded first, until it fails.
func List(tx *store.Tx, f Filter, each func(seq int64, e Entry) error) error {
	where, args := f.where()
	document, join := `NULL`, ``
	if f.Documents {
		document, join = `d.document`, ` LEFT JOIN documents d ON d.seq = a.seq`
	}
	query := `SELECT a.seq, a.head, a.late, a.idx, ` + fate + `, a.reason, a.decision, a.channel, a.notice, a.seen_at, a.grp,
		COALESCE(n.said_channel, ''), COALESCE(n.channel, ''), COALESCE(n.ts, ''), COALESCE(n.reason, ''), COALESCE(n.attempts, 0),
		a.cause, a.handled, a.handled_by, a.handled_at, a.verdict, EXISTS (SELECT 1 FROM copies c WHERE c.seq = a.seq), ` + document +
		from + join + where + ` ORDER BY a.seq DESC`
	if f.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	err := tx.Query(func(r *sql.Rows) error {
		var (
			e                              Entry
			seq, seen                      int64
			head, doc                      []byte
			key                            sql.NullString
			saidChannel, toChannel, reason string
			cause                          string
			handledAt                      int64
			copied                         bool
		)
		if err := r.Scan(&seq, &head, &e.Alert.Late, &e.Alert.Index, &e.Fate, &e.Reason, &e.Decision, &e.Channel, &key, &seen, &e.Group,
			&saidChannel, &toChannel, &e.TS, &reason, &e.Attempts, &cause, &e.Handled, &e.By, &handledAt, &e.Verdict, &copied, &doc); err != nil {
			return err
		}
		e.Seq, e.At = seq, store.Time(handledAt)
		var err error
		if e.Cause, err = alert.ParseCause(cause); err != nil {
			return err
		}
		if copied {
			e.Copies = make([]Copy, 0, 1)
		}
		if err := json.Unmarshal(head, &e.Alert); err != nil {
			return err
		}
		e.Alert.Document = doc
		e.Notice, e.SeenAt = notice.Key(key.String), store.Time(seen)
		switch e.Fate {
		case alert.Sent, alert.Grouped:
			if toChannel != "" && e.Channel != "" && toChannel != e.Channel {
				e.Reason = "said in " + toChannel + ", because " + e.Channel + " refused it; " + e.Reason
			}
			e.Channel = firstOf(saidChannel, toChannel, e.Channel)
		case alert.Pending, alert.Failed:
			if toChannel != "" {
				e.Channel, e.Reason = toChannel, firstOf(reason, "queued to be sent to "+toChannel)
			}
			e.TS = ""
		default:
			e.Channel, e.TS = "", ""
		}
		return each(seq, e)
	}, query, args...)
	if err != nil {
		return fmt.Errorf("list alerts: %w", err)
	}
	return nil
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

func (f Filter) where() (string, []any) {
	var (
		clauses []string
		args    []any
	)
	and := func(clause string, values ...any) {
		clauses = append(clauses, clause)
		args = append(args, values...)
	}
	if len(f.IDs) > 0 {
		var or []string
		for _, id := range f.IDs {
			or = append(or, `a.id = ? OR a.source_id = ? OR (a.id >= ? AND a.id < ?) OR (a.source_id >= ? AND a.source_id < ?)`)
			args = append(args, id, id, id, id+"\U0010ffff", id, id+"\U0010ffff")
		}
		clauses = append(clauses, "("+strings.Join(or, " OR ")+")")
	}
	if len(f.Fates) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?,", len(f.Fates)), ",")
		var values []any
		for _, v := range f.Fates {
			values = append(values, string(v))
		}
		and(fate+` IN (`+marks+`)`, values...)
	}
	if !f.Since.IsZero() {
		and(`a.time >= ?`, store.Micros(f.Since))
	}
	if f.Before > 0 {
		and(`a.seq < ?`, f.Before)
	}
	if f.Source != "" {
		and(`a.source = ?`, f.Source)
	}
	if f.Rule != "" {
		and(`a.rule = ?`, f.Rule)
	}
	if f.Notice != "" {
		and(`a.notice = ?`, f.Notice)
	}
	if clauses == nil {
		return "", nil
	}
	return ` WHERE ` + strings.Join(clauses, " AND "), args
}

// Document reads an alert's document; nil when it has none.
func Document(tx *store.Tx, id alert.ID) (json.RawMessage, error) {
	var doc []byte
	err := tx.Row(`SELECT d.document FROM documents d JOIN alerts a ON a.seq = d.seq WHERE a.id = ?`, []any{id}, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read document of alert %s: %w", id, err)
	}
	return doc, nil
}

// Counts are the number of alerts seen and of each fate.
type Counts struct {
	Seen   int                `json:"seen"`
	ByFate map[alert.Fate]int `json:"by_fate"` // every fate is a key
	// Forgotten are those of Seen that are too old to be kept; ByFate counts them too.
	Forgotten int `json:"forgotten,omitempty"`
}

// Count counts. Seen is counted apart from the fates, so that a caller can prove that they add up.
func Count(tx *store.Tx) (Counts, error) {
	c := Counts{ByFate: map[alert.Fate]int{}}
	for _, f := range alert.Fates {
		c.ByFate[f] = 0
	}
	if err := tx.Row(`SELECT COUNT(*) FROM alerts`, nil, &c.Seen); err != nil {
		return c, fmt.Errorf("count alerts: %w", err)
	}
	if err := c.add(tx, countQuery); err != nil {
		return c, fmt.Errorf("count alerts by fate: %w", err)
	}
	return c, c.countForgotten(tx)
}

// add counts the fates and numbers that a query gives.
func (c *Counts) add(tx *store.Tx, query string) error {
	return tx.Query(func(r *sql.Rows) error {
		var (
			f alert.Fate
			n int
		)
		if err := r.Scan(&f, &n); err != nil {
			return err
		}
		c.ByFate[f] += n
		return nil
	}, query)
}

// ErrSum means that the fates do not add up to the alerts seen: the database is damaged.
var ErrSum = errors.New("alerts seen and their fates do not add up")

// Check proves that every alert has exactly one known fate and that they add up to the alerts seen.
func (c Counts) Check() error {
	sum := 0
	for _, f := range alert.Fates {
		sum += c.ByFate[f]
	}
	if sum != c.Seen || len(c.ByFate) != len(alert.Fates) {
		return fmt.Errorf("%w: %d seen, fates %v", ErrSum, c.Seen, c.ByFate)
	}
	return nil
}
