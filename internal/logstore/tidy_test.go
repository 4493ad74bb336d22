package logstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
