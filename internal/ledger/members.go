package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/store"
)

// Why is the reason for a fate: a sentence, and the same as data.
type Why struct {
	Reason string
	Cause  alert.Cause
}

// Assign gives every waiting alert of a group, and every copy that waits in it, to a notice, to be said by its
// revision. Where first is true the worst and earliest of them takes place 0, the first of the message; a copy
// only does where there are copies alone. It tells how many it gave.
func Assign(tx *store.Tx, group string, key notice.Key, revision int, first bool, why Why) (int, error) {
	const (
		waiting = `grp = ? AND notice IS NULL AND decision = 'forward'`
		copied  = `grp = ? AND notice IS NULL`
	)
	n := int64(0)
	change := func(query string, args ...any) error {
		got, err := tx.Change(query, args...)
		if err != nil {
			return fmt.Errorf("assign alerts to notice %s: %w", key, err)
		}
		n += got
		return nil
	}
	cause := why.Cause.Text()
	if first {
		if err := change(`UPDATE alerts SET notice = ?, notice_revision = ?, place = 0, reason = ?, cause = ? WHERE seq =
			(SELECT seq FROM alerts WHERE `+waiting+` ORDER BY severity DESC, time, seq LIMIT 1)`, key, revision, why.Reason, cause, group); err != nil {
			return 0, err
		}
		if n == 0 {
			if err := change(`UPDATE copies SET notice = ?, notice_revision = ?, place = 0, reason = ? WHERE grp = ? AND notice IS NULL AND seq =
				(SELECT c.seq FROM copies c JOIN alerts a ON a.seq = c.seq WHERE c.grp = ? AND c.notice IS NULL
				ORDER BY a.severity DESC, a.time, a.seq LIMIT 1)`, key, revision, why.Reason, group, group); err != nil {
				return 0, err
			}
		}
	}
	if err := change(`UPDATE alerts SET notice = ?, notice_revision = ?, place = 1, reason = ?, cause = ? WHERE `+waiting,
		key, revision, why.Reason, cause, group); err != nil {
		return 0, err
	}
	err := change(`UPDATE copies SET notice = ?, notice_revision = ?, place = 1, reason = ? WHERE `+copied, key, revision, why.Reason, group)
	return int(n), err
}

// Named reads the alerts a notice names, first to last: the first of the message, then by severity and time.
// What people did about them stands in their Status and, by id, in the second value.
func Named(tx *store.Tx, key notice.Key, limit int) ([]alert.Alert, map[alert.ID]Done, error) {
	return heads(tx, `SELECT a.head, a.late, a.idx, a.handled, a.handled_by, a.handled_at, `+shownDocument+` FROM members m JOIN alerts a ON a.seq = m.seq
		WHERE m.notice = ? ORDER BY m.place, a.severity DESC, a.time, a.seq LIMIT ?`, key, limit)
}

// NewIn reads the alerts that a revision of a notice is the first to count, worst and earliest first, and how many
// there are.
func NewIn(tx *store.Tx, key notice.Key, revision, limit int) (named []alert.Alert, count int, err error) {
	const of = ` FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ? AND m.notice_revision = ?`
	if err := tx.Row(`SELECT COUNT(*)`+of, []any{key, revision}, &count); err != nil {
		return nil, 0, fmt.Errorf("count what is new in notice %s: %w", key, err)
	}
	named, _, err = heads(tx, `SELECT a.head, a.late, a.idx, a.handled, a.handled_by, a.handled_at, `+shownDocument+of+` ORDER BY a.severity DESC, a.time, a.seq LIMIT ?`,
		key, revision, limit)
	return named, count, err
}

// stillOpen are the alerts of a group that were said, whose condition holds and that nobody took up. It takes the group
// twice, and reads of the alerts themselves only what is ongoing, not all that ever was in the group.
const stillOpen = ` FROM alerts a WHERE a.seq IN (
		SELECT seq FROM alerts WHERE grp = ? AND ongoing = 1 AND notice IS NOT NULL AND decision = 'forward'
		UNION
		SELECT seq FROM copies WHERE grp = ? AND notice IS NOT NULL
	) AND a.ongoing = 1 AND a.handled = 0`

// Open reads the alerts of a group whose condition is still open and that have been given to a notice.
func Open(tx *store.Tx, group string, limit int) ([]alert.Alert, error) {
	out, _, err := heads(tx, `SELECT a.head, a.late, a.idx, a.handled, a.handled_by, a.handled_at, `+shownDocument+stillOpen+` ORDER BY a.severity DESC, a.time, a.seq LIMIT ?`,
		group, group, limit)
	return out, err
}

// OpenCount counts what Open reads.
func OpenCount(tx *store.Tx, group string) (n int, err error) {
	if err = tx.Row(`SELECT COUNT(*)`+stillOpen, []any{group, group}, &n); err != nil {
		return 0, fmt.Errorf("count what is still open: %w", err)
	}
	return n, nil
}

// shownDocument is the document of an alert that a message names, which tells fields of it. One that is far
// larger than alerts are is not read.
const shownDocument = "(SELECT d.document FROM documents d WHERE d.seq = a.seq AND LENGTH(d.document) <= 262144)"

// Done is who did something about an alert, and when.
type Done struct {
	By string
	At time.Time
}

func heads(tx *store.Tx, query string, args ...any) (out []alert.Alert, by map[alert.ID]Done, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		var (
			head, document []byte
			a              alert.Alert
			handled        Handled
			done           Done
			at             int64
		)
		if err := r.Scan(&head, &a.Late, &a.Index, &handled, &done.By, &at, &document); err != nil {
			return err
		}
		a.Document = document
		if err := json.Unmarshal(head, &a); err != nil {
			return err
		}
		if handled != Unhandled {
			a.Status = handled.status()
			if by == nil {
				by = map[alert.ID]Done{}
			}
			done.At = store.Time(at)
			by[a.ID] = done
		}
		out = append(out, a)
		return nil
	}, query, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("read alerts: %w", err)
	}
	return out, by, nil
}

// Sum is what all alerts of a notice come to.
type Sum struct {
	Count        int
	Severity     alert.Severity
	Since, Until time.Time
	Tallies      []notice.Tally // by rule, worst first
	Standing     notice.Standing
}

// SumUp sums up all alerts of a notice, named or not.
func SumUp(tx *store.Tx, key notice.Key) (Sum, error) {
	var (
		s            Sum
		since, until int64
	)
	byRule := map[string]*notice.Tally{}
	var order []string
	err := tx.Query(func(r *sql.Rows) error {
		var (
			t        notice.Tally
			from, to int64
			handled  Handled
			ended    bool
		)
		if err := r.Scan(&t.Rule, &t.Severity, &handled, &ended, &t.Count, &from, &to); err != nil {
			return err
		}
		if s.Count == 0 || from < since {
			since = from
		}
		until = max(until, to)
		s.Count += t.Count
		s.Severity = max(s.Severity, t.Severity)
		switch {
		case handled == Closed:
			s.Standing.Closed += t.Count
		case ended:
			s.Standing.Resolved += t.Count
		case handled == Acknowledged:
			s.Standing.Acknowledged += t.Count
		default:
			s.Standing.Open += t.Count
		}
		if have := byRule[t.Rule]; have != nil {
			have.Count += t.Count
			have.Severity = max(have.Severity, t.Severity)
			return nil
		}
		byRule[t.Rule] = &t
		order = append(order, t.Rule)
		return nil
	}, `SELECT a.rule, a.severity, `+handledMost+`, a.over, COUNT(*), MIN(a.time), MAX(a.time) FROM members m JOIN alerts a ON a.seq = m.seq
		WHERE m.notice = ? GROUP BY a.rule, a.severity, `+handledMost+`, a.over`, key)
	if err != nil {
		return Sum{}, fmt.Errorf("sum up notice %s: %w", key, err)
	}
	for _, rule := range order {
		s.Tallies = append(s.Tallies, *byRule[rule])
	}
	notice.SortTallies(s.Tallies)
	s.Since, s.Until = store.Time(since), store.Time(until)
	return s, nil
}

// Tops are the most frequent hosts and users of a notice's alerts, at most most of each; a field that no alert
// has is left out.
func Tops(tx *store.Tx, key notice.Key, most int) ([]notice.Top, error) {
	return tops(tx, ` FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ? AND `, []any{key}, most)
}

// tops counts the values of host and user among the alerts a that from and where choose.
func tops(tx *store.Tx, from string, args []any, most int) ([]notice.Top, error) {
	var out []notice.Top
	for _, field := range [][2]string{{"host.name", "a.hostname"}, {"user.name", "a.username"}} {
		top := notice.Top{Field: field[0]}
		column := field[1]
		if err := tx.Row(`SELECT COUNT(*), COUNT(DISTINCT `+column+`)`+from+column+` <> ''`, args, &top.Over, &top.Distinct); err != nil {
			return nil, fmt.Errorf("count %s: %w", field[0], err)
		}
		if top.Over == 0 {
			continue
		}
		err := tx.Query(func(r *sql.Rows) error {
			var s notice.Share
			defer func() { top.Values = append(top.Values, s) }()
			return r.Scan(&s.Value, &s.Count)
		}, `SELECT `+column+`, COUNT(*)`+from+column+` <> '' GROUP BY `+column+` ORDER BY COUNT(*) DESC, `+column+` LIMIT ?`, append(args[:len(args):len(args)], most)...)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", field[0], err)
		}
		out = append(out, top)
	}
	return out, nil
}
