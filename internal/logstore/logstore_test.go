package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// open opens a store that is closed when the test ends.
func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := New(t.Context(), Options{Dir: dir, FreeSpaceFloor: 1, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ingest stores documents and fails the test when one is refused.
func ingest(t *testing.T, s *Store, operations ...Operation) []Outcome {
	t.Helper()
	outcomes, err := s.Ingest(t.Context(), operations, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Failure != nil {
			t.Fatalf("document %d: %v", i, o.Failure)
		}
	}
	return outcomes
}

func sources(t *testing.T, s *Store, q Search) []string {
	t.Helper()
	var out []string
	err := s.Scan(t.Context(), q, func(d Document) error {
		out = append(out, string(d.Source))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func at(offset time.Duration) string {
	return time.Now().Add(offset).UTC().Format(time.RFC3339Nano)
}

func TestDocumentsComeBackAsTheyCame(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	documents := []string{
		`{"@timestamp":"` + at(-5*time.Hour) + `","n":9007199254740993,"e":1e400,"z":"00501","null":null,"empty":"","o":{},"l":[]}`,
		`{ "@timestamp" : "` + at(-4*time.Hour) + `", "a.b":1, "a":{"b":2}, "nested":[{"x":1},{"x":[2,3]}], "u":"\u00e9\ud800<!channel>" }`,
		`{"@timestamp":"` + at(-3*time.Hour) + `","_msg":"m","_stream":"{}","_time":"t","_source":"s","_id":"i","*":"star","":"nameless"}`,
		`{"@timestamp":` + fmt.Sprint(time.Now().Add(-2*time.Hour).UnixMilli()) + `,"` + strings.Repeat("k", 200) + `":"long name"}`,
		`{"no":"timestamp"}`,
	}
	for _, d := range documents {
		ingest(t, s, Operation{Index: "logs", Source: []byte(d)})
	}
	if diff := cmp.Diff(documents, sources(t, s, Search{})); diff != "" {
		t.Error(diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(documents, sources(t, open(t, dir), Search{})); diff != "" {
		t.Errorf("after opening again: %s", diff)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := New(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("the second got %v", err)
	}
}

func TestRunShowsEvents(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if _, err := s.Ingest(t.Context(), []Operation{{Index: "logs", Source: []byte(`{"a":1}`)}}, false); err != nil {
		t.Fatal(err)
	}
	for len(sources(t, s, Search{})) == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
