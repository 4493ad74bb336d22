package ledger_test

import (
	"database/sql"
	"regexp"
	"strings"
	"testing"

	"tocsin/internal/ledger"
	"tocsin/internal/store"
)

var partial = regexp.MustCompile(`INDEX (alerts_ongoing|alerts_waiting|alerts_silenced|copies_waiting)`)

// What is read of one message or group is found by an index, however many other alerts there are.
func TestReadingAMessageReadsNoOtherAlerts(t *testing.T) {
	db := openDB(t)
	for what, query := range map[string]string{
		"message": `SELECT COUNT(*) FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ?`,
		"order":   `SELECT a.head FROM members m JOIN alerts a ON a.seq = m.seq WHERE m.notice = ? ORDER BY m.place, a.severity DESC, a.time, a.seq LIMIT 20`,
		"ongoing": ledger.StillOpen,
		"old":     ledger.Old,
		"waiting": `SELECT seq FROM alerts WHERE ` + string(ledger.StillWaiting),
		"silent":  `SELECT seq FROM alerts WHERE ` + string(ledger.StillSilenced),
		"copies":  `SELECT seq FROM alerts WHERE ` + string(ledger.CopiesWaiting),
	} {
		var plan []string
		err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.Query(func(r *sql.Rows) error {
				var id, parent, unused int
				var detail string
				defer func() { plan = append(plan, detail) }()
				return r.Scan(&id, &parent, &unused, &detail)
			}, "EXPLAIN QUERY PLAN "+query, []any{"k", "k", "k"}[:strings.Count(query, "?")]...)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			// m is what was found, and these indices hold nothing but what is looked for.
			if strings.HasPrefix(step, "SCAN") && step != "SCAN m" && !partial.MatchString(step) {
				t.Errorf("%s: %s", what, strings.Join(plan, "; "))
				break
			}
		}
	}
}
