package account_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/store"
)

func TestTheLogOfChangesIsOnlyAddedTo(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	for _, statement := range []string{`DELETE FROM audit`, `UPDATE audit SET who = 'nobody'`} {
		err := r.db.Update(t.Context(), func(tx *store.Tx) error { return tx.Exec(statement) })
		if err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if events, _, err := r.Events(t.Context(), account.EventFilter{}); err != nil || len(events) != 1 || events[0].Who != "root (uid 0)" {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestTheLogOfChangesIsFilteredAndPaged(t *testing.T) {
	r := newRoom(t, nil)
	start := r.clock.Now()
	for i := range 25 {
		by := account.Identity{Name: []string{"Ann", "bob"}[i%2], Via: account.ViaSession, Address: "192.0.2.1"}
		if err := r.Note(t.Context(), by, fmt.Sprintf("change %d%%", i), "rule_a", strings.Repeat("é", 1000)); err != nil {
			t.Fatal(err)
		}
		r.clock.turn(time.Minute)
	}
	var seen []int64
	for before := int64(0); ; {
		page, next, err := r.Events(t.Context(), account.EventFilter{Before: before, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			seen = append(seen, e.ID)
			if len(e.Detail) > 510 {
				t.Fatalf("a detail of %d bytes", len(e.Detail))
			}
		}
		if before = next; next == 0 {
			break
		}
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] >= seen[i-1] {
			t.Fatalf("not newest first: %v", seen)
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d events on all pages", len(seen))
	}
	for want, f := range map[int]account.EventFilter{
		13: {Who: "ANN"}, 12: {Who: "bob", Object: "rule"}, 1: {Action: "change 7%"}, 0: {Object: "%"},
		20: {Since: start.Add(5 * time.Minute)}, 6: {Until: start.Add(5 * time.Minute)},
	} {
		if page, _, err := r.Events(t.Context(), f); err != nil || len(page) != want {
			t.Errorf("%+v: %d events, %v; want %d", f, len(page), err, want)
		}
	}
}

func TestAChangeAndItsLineAreOne(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	if _, err := r.AddUser(t.Context(), root, "ann", password, account.Viewer); err == nil {
		t.Fatal("there are two of a name")
	}
	if _, err := r.RemoveUser(t.Context(), root, "ann"); err == nil {
		t.Fatal("the last admin is gone")
	}
	if events, _, err := r.Events(t.Context(), account.EventFilter{}); err != nil || len(events) != 1 {
		t.Errorf("what was refused is in the log: %+v, %v", events, err)
	}
}
