package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/store"
)

var steps = []store.Migration{{ID: "t/1", SQL: `CREATE TABLE t (n INTEGER); CREATE INDEX t_n ON t (n)`}}

func open(t *testing.T, dir string, m ...store.Migration) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Migrations: m})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	if err := db.View(t.Context(), func(tx *store.Tx) error { return tx.Row(`SELECT COUNT(*) FROM t`, nil, &n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUpdateHappensWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data with space?#%")
	db := open(t, dir, steps...)
	insert := func(tx *store.Tx) error { return tx.Exec(`INSERT INTO t (n) VALUES (?)`, 1) }
	boom := errors.New("boom")
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(insert(tx), boom) }); !errors.Is(err, boom) {
		t.Fatalf("Update = %v, want boom", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Update(t.Context(), func(tx *store.Tx) error { _ = insert(tx); panic("boom") })
	}()
	if n := count(t, db); n != 0 {
		t.Fatalf("%d rows after failed updates, want 0", n)
	}
	for range 3 {
		if err := db.Update(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, steps...)
	defer db.Close()
	if n := count(t, db); n != 3 {
		t.Fatalf("%d rows after reopening, want 3", n)
	}
	err := db.View(t.Context(), func(tx *store.Tx) error { return tx.Exec(`DELETE FROM t`) })
	if err == nil {
		t.Error("a View could delete")
	}
}

func TestUpdatesOfManyGoroutinesDoNotMix(t *testing.T) {
	db := open(t, t.TempDir(), steps...)
	defer db.Close()
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 25 {
				err = errors.Join(err, db.Update(context.Background(), func(tx *store.Tx) error {
					var n int
					if err := tx.Row(`SELECT COALESCE(MAX(n), 0) FROM t`, nil, &n); err != nil {
						return err
					}
					return tx.Exec(`INSERT INTO t (n) VALUES (?)`, n+1)
				}))
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var top int
	if err := db.View(t.Context(), func(tx *store.Tx) error { return tx.Row(`SELECT MAX(n) FROM t`, nil, &top) }); err != nil || top != 200 {
		t.Errorf("highest number %d (%v), want 200: updates saw each other's halves", top, err)
	}
}

func TestSecondOpenNamesTheProcess(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, steps...)
	defer db.Close()
	var served *store.ServedError
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); !errors.As(err, &served) || served.PID != os.Getpid() {
		t.Fatalf("second Open = %v, want ServedError of pid %d", err, os.Getpid())
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, steps...).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); err == nil {
		t.Fatal("a database with an unknown schema step was opened")
	}
	db := open(t, dir, append(steps, store.Migration{ID: "t/2", SQL: `ALTER TABLE t ADD COLUMN m INTEGER`})...)
	defer db.Close()
}

func TestFilesAreOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := open(t, dir, steps...)
	defer db.Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "tocsin.db"): 0o600, filepath.Join(dir, "tocsin.db-wal"): 0o600, filepath.Join(dir, "tocsin.lock"): 0o600} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestTimesSurvive(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, 11, 24, 6, 0, 0, 123456000, time.UTC)} {
		if got := store.Time(store.Micros(at)); !got.Equal(at) {
			t.Errorf("Time(Micros(%v)) = %v", at, got)
		}
	}
}

func TestQueryStopsAtTheFirstError(t *testing.T) {
	db := open(t, t.TempDir(), steps...)
	defer db.Close()
	boom := errors.New("boom")
	calls := 0
	err := db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(*sql.Rows) error { calls++; return boom }, `SELECT 1 UNION SELECT 2`)
	})
	if !errors.Is(err, boom) || calls != 1 {
		t.Errorf("Query = %v after %d calls, want boom after 1", err, calls)
	}
}
