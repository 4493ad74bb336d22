package logstore

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestTheLogIsShortenedAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var want []string
	for i := range 20 {
		d := fmt.Sprintf(`{"@timestamp":%q,"n":%d}`, at(-time.Duration(20-i)*12*time.Hour), i)
		want = append(want, d)
		ingest(t, s, Operation{Index: "logs", ID: fmt.Sprint(i), Source: []byte(d)})
	}
	files := func() int {
		names, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	if err := s.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := files(); got != 2 {
		t.Fatalf("%d segments, want the sealed one, which is young, and the current one", got)
	}
	for deadline := time.Now().Add(time.Minute); files() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the sealed segment stays")
		}
		if err := s.shorten(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	crashed := copyOf(t, dir)
	if diff := cmp.Diff(want, sources(t, open(t, crashed), Search{})); diff != "" {
		t.Errorf("as after a crash: %s", diff)
	}
}

func TestTheOldestDaysGoFirst(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 5 {
		ingest(t, s, Operation{Index: "logs", Source: fmt.Appendf(nil, `{"@timestamp":%q,"day":%d}`, at(-time.Duration(i)*24*time.Hour), i)})
	}
	for !s.flush() {
	}
	s.options.MaxBytes = 1
	if err := s.drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sources(t, s, Search{Newest: true}); len(got) != 2 || !strings.Contains(got[0], `"day":0`) || !strings.Contains(got[1], `"day":1`) {
		t.Errorf("left are %q", got)
	}
	// A day that was dropped takes events again.
	ingest(t, s, Operation{Index: "logs", Source: fmt.Appendf(nil, `{"@timestamp":%q,"day":4}`, at(-4*24*time.Hour))})
	if got := sources(t, s, Search{Limit: 1}); len(got) != 1 || !strings.Contains(got[0], `"day":4`) {
		t.Errorf("the oldest is %q", got)
	}
}

func TestDaysOlderThanTheRetentionGo(t *testing.T) {
	var said bytes.Buffer
	registry := prometheus.NewRegistry()
	s, err := New(t.Context(), Options{
		Dir: t.TempDir(), FreeSpaceFloor: 1, Retention: 3 * 24 * time.Hour, Log: slog.New(slog.NewTextHandler(&said, nil)), Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	now := noon // the engine has the real clock
	s.now = func() time.Time { return now }
	for i := range 3 {
		ingest(t, s, Operation{Index: "logs", ID: fmt.Sprint(i), Source: fmt.Appendf(nil, `{"@timestamp":%q,"day":%d}`, now.Add(-time.Duration(i)*24*time.Hour).Format(time.RFC3339), i)})
	}
	if err := s.drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sources(t, s, Search{}); len(got) != 3 {
		t.Fatalf("nothing is old and left are %q", got)
	}
	now = noon.Add(36 * time.Hour) // the day of event 2 ended three days ago
	if err := s.drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sources(t, s, Search{}); len(got) != 2 || !strings.Contains(got[0], `"day":1`) {
		t.Errorf("left are %q, want days 1 and 0", got)
	}
	if !strings.Contains(said.String(), "day="+noon.Add(-48*time.Hour).Format(time.DateOnly)+" reason=age") {
		t.Errorf("nothing was said of it: %s", said.String())
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0.0
	for _, f := range families {
		if f.GetName() == "tocsin_logstore_days_dropped_total" {
			counted = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if counted != 1 {
		t.Errorf("%v days are counted as dropped", counted)
	}
	// What is older is refused, and said so.
	old := Operation{Index: "logs", Source: fmt.Appendf(nil, `{"@timestamp":%q}`, noon.Add(-48*time.Hour).Format(time.RFC3339))}
	if out, err := s.Ingest(t.Context(), []Operation{old}, false); err != nil || out[0].Failure == nil || !strings.Contains(out[0].Failure.Reason, "older than the retention") {
		t.Errorf("an old event gives %+v, %v", out, err)
	}
}

func TestWithoutRetentionOldEventsAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, year := range []int{1970, 1999, 2015} {
		ingest(t, s, Operation{Index: "logs", Source: fmt.Appendf(nil, `{"@timestamp":"%d-07-01T00:00:00Z"}`, year)})
	}
	if out, err := s.Ingest(t.Context(), []Operation{{Index: "logs", Source: []byte(`{"@timestamp":"1969-12-31T23:59:59Z"}`)}}, false); err != nil || out[0].Failure == nil {
		t.Errorf("an event before 1970 gives %+v, %v", out, err)
	}
	if err := s.drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := sources(t, open(t, dir), Search{}); len(got) != 3 {
		t.Errorf("left are %q", got)
	}
}
