package detect

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// TestTheOverlapIsTheMeasuredDelay: all but one of a thousand events came within the delay, and the overlap is never
// less than a minute.
func TestTheOverlapIsTheMeasuredDelay(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		delay  func(i int) time.Duration
		want   time.Duration // measured
		stamps bool
	}{
		{"at once", func(int) time.Duration { return time.Second }, time.Second, true},
		{"five minutes", func(int) time.Duration { return 5 * time.Minute }, 5 * time.Minute, true},
		{"two of two thousand come later", func(i int) time.Duration {
			if i < 2 {
				return 50 * time.Minute
			}
			return time.Duration(i) * time.Millisecond
		}, 1999 * time.Millisecond, true},
		{"three of two thousand come later", func(i int) time.Duration {
			if i < 3 {
				return 50 * time.Minute
			}
			return time.Second
		}, 50 * time.Minute, true},
		{"an hour at most", func(int) time.Duration { return 3 * time.Hour }, time.Hour, true},
		{"a clock that is ahead", func(int) time.Duration { return -time.Minute }, 0, true},
		{"no times of ingest", nil, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all strings.Builder
			for i := range 2000 {
				at, in := now.Add(-time.Duration(i)*100*time.Millisecond), ""
				if c.delay != nil {
					in = fmt.Sprintf(`,"event":{"ingested":%q}`, at.Add(c.delay(i)).Format(time.RFC3339Nano))
				}
				fmt.Fprintf(&all, "{\"@timestamp\":%q%s}\n", at.Format(time.RFC3339Nano), in)
			}
			db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: Migrations})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // the test is over
			source := Source{Name: "logs", Open: func(context.Context, []string) (query.Backend, error) {
				return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(all.String())}}, nil
			}}
			d, err := New(t.Context(), Options{DB: db, Rules: func() []rule.Entry { return nil }, Sources: []Source{source}, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.look(t.Context(), "logs", &source); err != nil {
				t.Fatal(err)
			}
			if h := d.health["logs"]; h.delay != c.want || h.stamps != c.stamps {
				t.Errorf("measured %v, stamps %v; want %v, %v", h.delay, h.stamps, c.want, c.stamps)
			}
			for lookback, want := range map[string]time.Duration{"auto": max(c.want, time.Minute), "7m": 7 * time.Minute, "10s": 10 * time.Second} {
				r, err := rule.Parse([]byte("name: r\nevery: 1m\nsearch: 'a: 1'\nlookback: "+lookback), rule.ParseOptions{ID: "r"})
				if err != nil {
					t.Fatal(err)
				}
				set, err := d.prepare(&rule.Entry{ID: "r", Rule: r})
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Duration(d.timingOf(set).Lookback) * time.Microsecond; got != want {
					t.Errorf("lookback %s is %v, want %v", lookback, got, want)
				}
			}
		})
	}
}
