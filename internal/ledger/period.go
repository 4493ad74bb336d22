package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// Seen is what a report tells of one alert.
type Seen struct {
	Rule     string
	Severity alert.Severity
	Fate     alert.Fate
	Reason   string
	Cause    alert.Cause
	Host     string
	User     string
	Source   string
	Channel  string // where it was or will be said; "" for nowhere
	Handled  Handled
	Verdict  string
	// Alert is the whole alert, with its document; nil unless it was asked for.
	Alert *alert.Alert
}

// Period calls each for every alert recorded from one time to before another, in the order of recording; whole asks for
// the alerts themselves.
func Period(tx *store.Tx, from, to time.Time, whole bool, each func(*Seen) error) error {
	columns, join := `NULL, NULL`, ``
	if whole {
		columns, join = `a.head, d.document`, ` LEFT JOIN documents d ON d.seq = a.seq`
	}
	var s Seen
	err := tx.Query(func(r *sql.Rows) error {
		var (
			cause          string
			head, document []byte
			err            error
		)
		if err := r.Scan(&s.Rule, &s.Severity, &s.Fate, &s.Reason, &cause, &s.Host, &s.User, &s.Source, &s.Channel, &s.Handled, &s.Verdict, &head, &document); err != nil {
			return err
		}
		if s.Cause, err = alert.ParseCause(cause); err != nil {
			return err
		}
		if whole {
			s.Alert = &alert.Alert{}
			if err := json.Unmarshal(head, s.Alert); err != nil {
				return err
			}
			s.Alert.Document = document
		}
		return each(&s)
	}, `SELECT a.rule, a.severity, `+fate+`, a.reason, a.cause, a.hostname, a.username, a.source, COALESCE(n.channel, a.channel), `+handledMost+`, a.verdict, `+columns+
		` FROM alerts a LEFT JOIN notices n ON n.key = a.notice`+join+` WHERE a.seen_at >= ? AND a.seen_at < ? ORDER BY a.seen_at, a.seq`, store.Micros(from), store.Micros(to))
	if err != nil {
		return fmt.Errorf("read the alerts from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	return nil
}

// Judged counts, for each rule, the alerts that people closed from one time to before another, and those of them that they
// called false positives. With a match only those that it takes are counted.
func Judged(tx *store.Tx, from, to time.Time, match func(*alert.Alert) (bool, error)) (closed, wrong map[string]int, err error) {
	closed, wrong = map[string]int{}, map[string]int{}
	columns, join, group := `COUNT(*), SUM(CASE WHEN a.verdict = 'false_positive' THEN 1 ELSE 0 END), NULL, NULL`, ``, ` GROUP BY a.rule`
	if match != nil {
		columns, join, group = `1, CASE WHEN a.verdict = 'false_positive' THEN 1 ELSE 0 END, a.head, d.document`, ` LEFT JOIN documents d ON d.seq = a.seq`, ``
	}
	err = tx.Query(func(r *sql.Rows) error {
		var (
			rule           string
			n, f           int
			head, document []byte
		)
		if err := r.Scan(&rule, &n, &f, &head, &document); err != nil {
			return err
		}
		if match != nil {
			a := alert.Alert{}
			if err := json.Unmarshal(head, &a); err != nil {
				return err
			}
			a.Document = document
			if ok, err := match(&a); err != nil || !ok {
				return err
			}
		}
		closed[rule] += n
		wrong[rule] += f
		return nil
	}, `SELECT a.rule, `+columns+` FROM alerts a`+join+` WHERE a.handled = 2 AND a.handled_at >= ? AND a.handled_at < ?`+group, store.Micros(from), store.Micros(to))
	if err != nil {
		return nil, nil, fmt.Errorf("read what was closed: %w", err)
	}
	return closed, wrong, nil
}

// Newest gives, by rule or by source, when the newest alert was recorded.
func Newest(tx *store.Tx, by string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	column := map[string]string{"rule": "rule", "source": "source"}[by]
	err := tx.Query(func(r *sql.Rows) error {
		var (
			name string
			at   int64
		)
		if err := r.Scan(&name, &at); err != nil {
			return err
		}
		out[name] = store.Time(at)
		return nil
	}, `SELECT `+column+`, MAX(seen_at) FROM alerts GROUP BY `+column)
	if err != nil {
		return nil, fmt.Errorf("read the newest alerts by %s: %w", by, err)
	}
	return out, nil
}
