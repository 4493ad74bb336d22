package ledger_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

var now = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

func openDB(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func update(t testing.TB, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func seen(n int) *alert.Alert {
	id := fmt.Sprintf("doc-%03d", n)
	return &alert.Alert{
		ID: alert.NewID("s", id), Source: "s", SourceID: id, Time: now.Add(time.Duration(n) * time.Second), Updated: now,
		Rule: alert.Rule{Name: fmt.Sprint("r", n%3)}, Severity: alert.Severity(1 + n%4), Document: json.RawMessage(`{"n":1}`),
	}
}

func add(tx *store.Tx, a *alert.Alert, s ledger.Standing) error {
	c, err := ledger.Prepare(a)
	if err != nil {
		return err
	}
	_, err = ledger.Add(tx, c, s, now)
	return err
}

func TestLookTellsFreshSameAndUpdated(t *testing.T) {
	db := openDB(t)
	look := func(a *alert.Alert) (got ledger.Change) {
		t.Helper()
		update(t, db, func(tx *store.Tx) error {
			c, err := ledger.Prepare(a)
			if err != nil {
				return err
			}
			var s ledger.Standing
			if got, s, err = ledger.Look(tx, c); err != nil || got != ledger.Updated {
				return err
			}
			return ledger.Update(tx, c, s.Seq)
		})
		return got
	}
	a := seen(1)
	if got := look(a); got != ledger.Fresh {
		t.Errorf("never seen: %d", got)
	}
	update(t, db, func(tx *store.Tx) error { return add(tx, a, ledger.Standing{Decision: ledger.Forward}) })
	newer, older, odd := *a, *a, *a
	newer.Reason, newer.Updated = "changed", now.Add(time.Minute)
	older.Reason, older.Updated = "stale copy", now.Add(-time.Minute)
	odd.Status = alert.StatusClosed // in 7.x a change of status tells no time
	for _, step := range []struct {
		name string
		a    alert.Alert
		want ledger.Change
	}{
		{"again", *a, ledger.Same},
		{"older", older, ledger.Same},
		{"same time, other status", odd, ledger.Updated},
		{"newer", newer, ledger.Updated},
		{"newer again", newer, ledger.Same},
		{"the first version", *a, ledger.Same},
	} {
		if got := look(&step.a); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

func TestFatesFollowFromDecisionAndNotice(t *testing.T) {
	for _, tc := range []struct {
		name   string
		s      ledger.Standing
		notice string // SQL that makes the notice k what it is; "" is none
		kind   notice.Kind
		want   alert.Fate
	}{
		{"excluded", ledger.Standing{Decision: ledger.Exclude}, "", "", alert.Excluded},
		{"silenced", ledger.Standing{Decision: ledger.Silence}, "", "", alert.Silenced},
		{"suppressed", ledger.Standing{Decision: ledger.Suppress}, "", "", alert.Suppressed},
		{"shadow", ledger.Standing{Decision: ledger.Shadow}, "", "", alert.Shadow},
		{"waiting in its group", ledger.Standing{Decision: ledger.Forward, Group: "g"}, "", "", alert.Pending},
		{"in a digest that is not queued", ledger.Standing{Decision: ledger.Forward, Notice: "other", Revision: 1, Place: 1}, "", "", alert.Pending},
		{"queued", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'queued'", notice.KindAlert, alert.Pending},
		{"in doubt", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'doubt'", notice.KindAlert, alert.Pending},
		{"given up", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'failed'", notice.KindAlert, alert.Failed},
		{"said first", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'said', said_revision = 1", notice.KindAlert, alert.Sent},
		{"said after another", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1, Place: 1}, "state = 'said', said_revision = 1", notice.KindAlert, alert.Grouped},
		{"said alone in a digest", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'said', said_revision = 1", notice.KindDigest, alert.Grouped},
		{"of an edit not said yet", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 2, Place: 1}, "state = 'queued', said_revision = 1, revision = 2", notice.KindAlert, alert.Pending},
		{"said, and an edit waits", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 1}, "state = 'queued', said_revision = 1, revision = 2", notice.KindAlert, alert.Sent},
		{"of an edit given up", ledger.Standing{Decision: ledger.Forward, Notice: "k", Revision: 2, Place: 1}, "state = 'failed', said_revision = 1, revision = 2", notice.KindAlert, alert.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := openDB(t)
			update(t, db, func(tx *store.Tx) error {
				if tc.notice != "" {
					if err := outbox.Put(tx, notice.Notice{Key: "k", Revision: 1, Channel: "#a", Kind: tc.kind}, now); err != nil {
						return err
					}
					if err := tx.Exec(`UPDATE notices SET ` + tc.notice); err != nil {
						return err
					}
				}
				return add(tx, seen(1), tc.s)
			})
			l, err := ledger.New(ledger.Options{DB: db})
			if err != nil {
				t.Fatal(err)
			}
			entries, _, err := l.List(t.Context(), ledger.Filter{})
			if err != nil || len(entries) != 1 || entries[0].Fate != tc.want {
				t.Fatalf("%v, %v: want %s", entries, err, tc.want)
			}
			counts, err := l.Count(t.Context())
			if err != nil || counts.ByFate[tc.want] != 1 || counts.Check() != nil {
				t.Errorf("counts %v, %v", counts, err)
			}
		})
	}
}

// Assigning loses no alert, names none twice, and puts the worst first.
func TestAssignTakesAllThatWait(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		db := openDB(t)
		n := rapid.IntRange(1, 40).Draw(rt, "alerts")
		later := rapid.IntRange(0, 10).Draw(rt, "later")
		update(t, db, func(tx *store.Tx) error {
			for i := range n {
				if err := add(tx, seen(i), ledger.Standing{Decision: ledger.Forward, Group: "g"}); err != nil {
					return err
				}
			}
			if err := add(tx, seen(900), ledger.Standing{Decision: ledger.Exclude, Group: "g"}); err != nil {
				return err
			}
			if got, err := ledger.Assign(tx, "g", "k", 1, true, ledger.Why{Reason: "said"}); err != nil || got != n {
				rt.Fatalf("assigned %d of %d: %v", got, n, err)
			}
			for i := range later {
				if err := add(tx, seen(100+i), ledger.Standing{Decision: ledger.Forward, Group: "g"}); err != nil {
					return err
				}
			}
			if got, err := ledger.Assign(tx, "g", "k", 2, false, ledger.Why{Reason: "added"}); err != nil || got != later {
				rt.Fatalf("added %d of %d: %v", got, later, err)
			}
			sum, err := ledger.SumUp(tx, "k")
			if err != nil {
				return err
			}
			tallied := 0
			for _, tally := range sum.Tallies {
				tallied += tally.Count
			}
			if sum.Count != n+later || tallied != sum.Count {
				rt.Errorf("summed %d and tallied %d of %d", sum.Count, tallied, n+later)
			}
			named, _, err := ledger.Named(tx, "k", 20)
			if err != nil {
				return err
			}
			if len(named) != min(20, n+later) {
				rt.Errorf("named %d of %d", len(named), n+later)
			}
			for _, a := range named {
				if a.Severity > named[0].Severity && a.Time.Before(now.Add(100*time.Second)) {
					rt.Errorf("%s is worse than the first", a.SourceID)
				}
			}
			return nil
		})
	})
}

func TestMissingKeepsTheOrderAsked(t *testing.T) {
	db := openDB(t)
	update(t, db, func(tx *store.Tx) error {
		if err := add(tx, seen(2), ledger.Standing{Decision: ledger.Exclude}); err != nil {
			return err
		}
		got, err := ledger.Missing(tx, "s", []string{"doc-003", "doc-002", "doc-001"})
		if diff := cmp.Diff([]string{"doc-003", "doc-001"}, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

// Counting is done for every scrape: it must not read the alerts themselves.
func TestCountingReadsAnIndexOnly(t *testing.T) {
	db := openDB(t)
	var plan []string
	err := db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var id, parent, unused int
			var detail string
			if err := r.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			plan = append(plan, detail)
			return nil
		}, `EXPLAIN QUERY PLAN `+ledger.CountQuery)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan[0], "USING COVERING INDEX alerts_notice") {
		t.Errorf("plan: %q", plan)
	}
}
