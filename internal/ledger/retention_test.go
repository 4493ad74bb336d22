package ledger_test

import (
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

func TestWhatIsOldIsForgottenAndStaysCounted(t *testing.T) {
	db := openDB(t)
	notices := map[notice.Key]string{"said": "said", "queued": "queued", "failed": "failed", "young": "said", "edited": "said", "copied": "said"}
	standings := []ledger.Standing{
		{Decision: ledger.Exclude},
		{Decision: ledger.Silence},
		{Decision: ledger.Forward, Notice: "said", Revision: 1},
		{Decision: ledger.Forward, Notice: "failed", Revision: 1},
		// none of these may go
		{Decision: ledger.Forward, Group: "g"},
		{Decision: ledger.Forward, Notice: "queued", Revision: 1},
		{Decision: ledger.Forward, Notice: "young", Revision: 1},
		{Decision: ledger.Forward, Notice: "edited", Revision: 1},
		{Decision: ledger.Silence},                              // still going on
		{Decision: ledger.Forward, Notice: "said", Revision: 1}, // a copy of it waits
	}
	count := func() (c ledger.Counts) {
		t.Helper()
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			c, err = ledger.Count(tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for key, state := range notices {
			if err := outbox.Put(tx, notice.Notice{Key: key, Revision: 1, Channel: "#a", Kind: notice.KindAlert}, now); err != nil {
				return err
			}
			at := now
			if key == "edited" || key == "young" { // what it took in later was said later
				at = now.Add(48 * time.Hour)
			}
			said := 0
			if state == "said" {
				said = 1
			}
			if err := tx.Exec(`UPDATE notices SET state = ?, said_revision = ?, said_at = ? WHERE key = ?`, state, said, store.Micros(at), key); err != nil {
				return err
			}
		}
		for i, s := range standings {
			a := seen(i)
			a.Ongoing = i == 8
			if err := add(tx, a, s); err != nil {
				return err
			}
		}
		if err := ledger.AddCopy(tx, 10, ledger.Copy{Channel: "#b", Group: "x"}); err != nil {
			return err
		}
		young := seen(100)
		c, err := ledger.Prepare(young)
		if err != nil {
			return err
		}
		_, err = ledger.Add(tx, c, ledger.Standing{Decision: ledger.Forward, Notice: "young", Revision: 1}, now.Add(48*time.Hour))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := count()
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		r := ledger.Retention{Documents: now.Add(24 * time.Hour)}
		if alerts, documents, err := ledger.Forget(tx, r, 100); err != nil || alerts != 0 || documents != 4 {
			t.Errorf("%d alerts and %d documents of four, %v", alerts, documents, err)
		}
		r.Alerts = now.Add(24 * time.Hour)
		if alerts, documents, err := ledger.Forget(tx, r, 3); err != nil || alerts != 3 || documents != 0 {
			t.Errorf("%d alerts of three at once, %d documents, %v", alerts, documents, err)
		}
		if alerts, _, err := ledger.Forget(tx, r, 100); err != nil || alerts != 1 {
			t.Errorf("%d alerts of the one left, %v", alerts, err)
		}
		c, err := ledger.Prepare(seen(0))
		if err != nil {
			return err
		}
		if change, _, err := ledger.Look(tx, c); err != nil || change != ledger.Same {
			t.Errorf("what was forgotten is %v when it comes again, %v", change, err)
		}
		if missing, err := ledger.Missing(tx, "s", []string{seen(0).SourceID, "new"}); err != nil || len(missing) != 1 || missing[0] != "new" {
			t.Errorf("missing %v, %v", missing, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	after := count()
	if after.Seen != before.Seen || after.Forgotten != 4 {
		t.Errorf("seen %d, then %d with %d forgotten", before.Seen, after.Seen, after.Forgotten)
	}
	for _, f := range alert.Fates {
		if before.ByFate[f] != after.ByFate[f] {
			t.Errorf("%s: %d, then %d", f, before.ByFate[f], after.ByFate[f])
		}
	}
}

func TestAlertsOfOurOwnWaitToBeWritten(t *testing.T) {
	db := openDB(t)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		a := seen(1)
		a.ID = "own"
		if err := add(tx, a, ledger.Standing{Decision: ledger.Exclude}); err != nil {
			return err
		}
		r := ledger.Retention{Alerts: now.Add(time.Hour), Unwritten: true}
		if n, _, err := ledger.Forget(tx, r, 10); err != nil || n != 0 {
			t.Errorf("forgot %d that is not written, %v", n, err)
		}
		r.Unwritten = false
		if n, _, err := ledger.Forget(tx, r, 10); err != nil || n != 1 {
			t.Errorf("forgot %d where nothing is written, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
