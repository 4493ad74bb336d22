package ledger_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/store"
)

func TestOwnAlertsAreUnwrittenUntilWritten(t *testing.T) {
	db := openDB(t)
	l, err := ledger.New(ledger.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	unwritten := func(after int64, limit, size int) (got []string, all []ledger.Unwritten) {
		t.Helper()
		all, err := l.Unwritten(t.Context(), after, limit, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range all {
			got = append(got, string(u.Alert.ID))
		}
		return got, all
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	ours := map[string]*alert.Alert{}
	update(t, db, func(tx *store.Tx) error {
		for i, id := range []string{"a", "b", "c"} {
			if err := add(tx, seen(i), ledger.Standing{Decision: ledger.Forward}); err != nil { // another's
				return err
			}
			a := seen(i)
			a.ID = alert.ID(id)
			ours[id] = a
			if err := add(tx, a, ledger.Standing{Decision: ledger.Forward}); err != nil {
				return err
			}
		}
		return nil
	})
	got, all := unwritten(0, 10, 1<<20)
	want(got, "a", "b", "c")
	if u := all[1]; u.Before || string(u.Alert.Document) != `{"n":1}` || u.Alert.Rule.Name != "r1" {
		t.Errorf("%+v", u)
	}
	got, _ = unwritten(0, 2, 1<<20)
	want(got, "a", "b")
	got, _ = unwritten(0, 10, 1)
	want(got, "a")
	got, _ = unwritten(all[0].Seq, 10, 1<<20)
	want(got, "b", "c")

	// One changes while it is being written: its new content stays to be written.
	ours["b"].Count, ours["b"].Document = 7, json.RawMessage(`{"n":2}`)
	update(t, db, func(tx *store.Tx) error {
		c, err := ledger.Prepare(ours["b"])
		if err != nil {
			return err
		}
		return ledger.Update(tx, c, all[1].Seq)
	})
	if err := l.SetWritten(t.Context(), map[int64]string{all[0].Seq: all[0].Revision, all[1].Seq: all[1].Revision}); err != nil {
		t.Fatal(err)
	}
	got, all = unwritten(0, 10, 1<<20)
	want(got, "b", "c")
	if u := all[0]; !u.Before || u.Alert.Count != 7 || string(u.Alert.Document) != `{"n":2}` {
		t.Errorf("%+v", u)
	}
	if err := l.SetWritten(t.Context(), map[int64]string{all[0].Seq: all[0].Revision, all[1].Seq: all[1].Revision}); err != nil {
		t.Fatal(err)
	}
	got, _ = unwritten(0, 10, 1<<20)
	want(got)
}
