package detect_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/detect"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// kept counts the rows of the tables that grow with what rules find.
func kept(t *testing.T, dir string) map[string]int {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Dir: dir, Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations, detect.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := map[string]int{}
	for _, name := range []string{"episodes", "buckets", "said", "counts"} {
		err := db.View(context.Background(), func(tx *store.Tx) error {
			return tx.Query(func(r *sql.Rows) error {
				var n int
				err := r.Scan(&n)
				out[name] = n
				return err
			}, "SELECT COUNT(*) FROM detect_"+name+" WHERE rule <> 'tocsin/health'")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestWhatIsOldIsForgotten: of five hours an hour is kept, and what is open.
func TestWhatIsOldIsForgotten(t *testing.T) {
	const during = 5 * time.Hour
	minutes := int(during / time.Minute)
	for _, c := range []struct {
		name, text string
		events     []event
		// least and most are how many rows there are in the end, by table.
		least, most map[string]int
		alerts      int
	}{
		{
			"documents", "search: 'user.name: ann'\nsame_again_after: 10m\ndedupe_by: [n]",
			several(minutes, func(i int) event { return after(time.Duration(i)*time.Minute+time.Second, "ann", i) }),
			map[string]int{"episodes": 50, "said": 60},
			map[string]int{"episodes": 90, "said": 110},
			minutes,
		},
		{
			"a condition each ten minutes", "search: 'user.name: ann | count by n over 2m | search count > 1'",
			several(minutes/5, func(i int) event {
				return after(time.Duration(i/2)*10*time.Minute+time.Duration(i%2)*10*time.Second, "ann", i/2)
			}),
			map[string]int{"episodes": 5, "buckets": 5},
			map[string]int{"episodes": 10, "buckets": 10},
			0,
		},
		{
			"one condition that lasts", "search: 'user.name: ann | count by user.name over 5m | search count > 3'",
			several(minutes, func(i int) event { return after(time.Duration(i)*time.Minute, "ann", i) }),
			map[string]int{"episodes": 1, "buckets": 50},
			map[string]int{"episodes": 1, "buckets": 120},
			1,
		},
		{
			"a source without times of ingest", "search: 'user.name: ann | count by n | search count > 10'",
			several(minutes, func(i int) event {
				e := after(time.Duration(i)*time.Minute, "ann", i)
				e.Bare = true
				return e
			}),
			map[string]int{"counts": 1},
			map[string]int{"counts": 400},
			0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var entries []ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, c.events, "name: r\nevery: 1m\nwindow: 5m\nlookback: 1m\n"+c.text)
				p.keep = time.Hour
				entries = ofRules(p.live(during))
			})
			if c.alerts > 0 && (len(entries) > c.alerts || len(entries) < c.alerts-2) {
				t.Errorf("%d alerts, want %d", len(entries), c.alerts)
			}
			got := kept(t, dir)
			for name, n := range got {
				if n < c.least[name] || n > c.most[name] && c.most[name] > 0 {
					t.Errorf("%s: %d rows, want %d to %d", name, n, c.least[name], c.most[name])
				}
			}
		})
	}
}

// TestARuleThatIsOffForgetsNothing: what happened while it was off may belong to what it had found.
func TestARuleThatIsOffForgetsNothing(t *testing.T) {
	dir := t.TempDir()
	var before, during, gone map[string]int
	synctest.Test(t, func(t *testing.T) {
		events := several(20, func(i int) event { return after(time.Duration(i+1)*time.Minute, "ann", i) })
		heart := several(900, func(i int) event { return after(time.Duration(i+1)*time.Minute, "heart", i) })
		p := newProcess(t, dir, append(events, heart...), "name: r\nevery: 5m\nsearch: 'user.name: ann'")
		p.keep = time.Hour
		p.live(25 * time.Minute)
		before = kept(t, dir)
		off := *p.rules[0].Rule
		off.Enabled = rule.Off
		p.rules = []rule.Entry{{ID: "r", Rule: &off}}
		p.live(2 * time.Hour)
		during = kept(t, dir)
		p.rules = nil
		p.live(2 * time.Hour)
		gone = kept(t, dir)
	})
	if before["episodes"] != 20 {
		t.Fatalf("at first: %v", before)
	}
	if diff := cmp.Diff(before, during); diff != "" {
		t.Errorf("while it was off: %s", diff)
	}
	if gone["episodes"] != 0 {
		t.Errorf("after it was gone: %v", gone)
	}
}

// TestAClockThatIsAheadForgetsNothing.
func TestAClockThatIsAheadForgetsNothing(t *testing.T) {
	dir := t.TempDir()
	ahead := false
	synctest.Test(t, func(t *testing.T) {
		events := several(200, func(i int) event { return after(time.Duration(i+1)*time.Minute, fmt.Sprint("u", i), i) })
		p := newProcess(t, dir, events, "name: r\nevery: 1m\nsearch: 'event.action: ssh_login'")
		p.keep = 6 * time.Hour
		p.now = func() time.Time {
			if ahead {
				return time.Now().Add(400 * 24 * time.Hour)
			}
			return time.Now()
		}
		p.live(30 * time.Minute)
		ahead = true
		p.live(30 * time.Minute)
	})
	if n := kept(t, dir)["episodes"]; n < 28 {
		t.Errorf("%d of 30 are kept", n)
	}
}
