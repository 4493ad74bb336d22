package saved_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/saved"
	"tocsin/internal/store"
)

func TestASavedSearchIsFoundUntilItIsDeleted(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: saved.Migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := saved.New(saved.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 1000, time.UTC)
	first := saved.Search{Name: "b", Query: "x:1", Source: "siem", From: "-24h", To: "now", Who: "ann", At: at}
	again := first
	again.Query = `x:"2" | count`
	other := saved.Search{Name: `a'; --`, Query: "y:*", Who: "bob", At: at}
	for _, one := range []saved.Search{first, other, again} {
		if err := s.Put(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.All(t.Context())
	if diff := cmp.Diff([]saved.Search{other, again}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, want := range []bool{true, false} {
		if there, err := s.Delete(t.Context(), "b"); err != nil || there != want {
			t.Errorf("delete: %v %v, want %v", there, err, want)
		}
	}
	if got, err = s.All(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
}
