package logstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

func TestAWideDocumentIsKeptAndFound(t *testing.T) {
	s := open(t, t.TempDir())
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, `,"f%d":"v%d"`, i, i)
	}
	d := `{"@timestamp":"` + at(0) + `"` + b.String() + `}`
	ingest(t, s, Operation{Index: "logs", Source: []byte(d)})
	if diff := cmp.Diff([]string{d}, sources(t, s, Search{Filters: []Filter{{"f2999", []string{"v2999"}}}})); diff != "" {
		t.Error(diff)
	}
	if got := sources(t, s, Search{Filters: []Filter{{"f2999", []string{"v1"}}}}); got != nil {
		t.Errorf("found %d documents that do not match", len(got))
	}
}

func TestIdsNameOneDocument(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	stamp := at(-time.Minute)
	one := []byte(`{"@timestamp":"` + stamp + `","a":1,"b":2}`)
	same := []byte(`{"b":2, "a":1, "@timestamp":"` + stamp + `"}`)
	other := []byte(`{"@timestamp":"` + stamp + `","a":2}`)
	generated := ingest(t, s, Operation{Index: "logs", Source: one})[0].ID
	type answer struct {
		Known  bool
		Status int
	}
	stored, known, conflict := answer{}, answer{Known: true}, answer{Status: 409}
	ask := func(t *testing.T, s *Store, operations []Operation, want ...answer) {
		t.Helper()
		outcomes, err := s.Ingest(t.Context(), operations, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []answer
		for _, o := range outcomes {
			a := answer{Known: o.Known}
			if o.Failure != nil {
				a.Status = o.Failure.Status
			}
			got = append(got, a)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	ask(t, s, []Operation{
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Source: same},
		{Index: "logs", ID: "x", Source: other},
		{Index: "more", ID: "x", Create: true, Source: other},
	}, stored, conflict, known, conflict, stored)
	again := []Operation{
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Source: same},
		{Index: "logs", ID: "x", Source: other},
		{Index: "logs", ID: generated, Create: true, Source: one},
		{Index: "logs", ID: generated, Source: same},
		{Index: "logs", ID: generated, Source: other},
		{Index: "more", ID: generated, Source: other},
	}
	ask(t, s, again, conflict, known, conflict, conflict, known, conflict, stored)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	ask(t, s, again, conflict, known, conflict, conflict, known, conflict, known)
	s.engine.DebugFlush()
	if got := len(sources(t, s, Search{})); got != 4 {
		t.Errorf("%d documents, want 4", got)
	}
}

func TestRefusalsAreOfTheDocumentAlone(t *testing.T) {
	s := open(t, t.TempDir())
	good := []byte(`{"m":1}`)
	for _, c := range []struct {
		name   string
		op     Operation
		status int
		reason string
	}{
		{"good", Operation{Index: "logs", Source: good}, 0, ""},
		{"not json", Operation{Index: "logs", Source: []byte(`{"a":`)}, 400, "not JSON"},
		{"control character", Operation{Index: "logs", Source: []byte("{\"a\":\"\x01\"}")}, 400, "not JSON"},
		{"not utf-8", Operation{Index: "logs", Source: []byte("{\"a\":\"\xff\"}")}, 400, "UTF-8"},
		{"a list", Operation{Index: "logs", Source: []byte(`[1]`)}, 400, "must be a JSON object"},
		{"deep", Operation{Index: "logs", Source: []byte(`{"a":` + strings.Repeat("[", 280) + strings.Repeat("]", 280) + `}`)}, 400, "nested deeper"},
		{"very deep", Operation{Index: "logs", Source: []byte(`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`)}, 400, "nested deeper"},
		{"time", Operation{Index: "logs", Source: []byte(`{"@timestamp":"yesterday"}`)}, 400, "yesterday"},
		{"time as an object", Operation{Index: "logs", Source: []byte(`{"@timestamp":{}}`)}, 400, "@timestamp"},
		{"too old", Operation{Index: "logs", Source: []byte(`{"@timestamp":"2001-01-01"}`)}, 400, "older than the retention"},
		{"too new", Operation{Index: "logs", Source: []byte(`{"@timestamp":"2200-01-01"}`)}, 400, "ahead of the clock"},
		{"big", Operation{Index: "logs", Source: []byte(`{"a":"` + strings.Repeat("x", 2_100_000) + `"}`)}, 413, "too many"},
		{"no index", Operation{Source: good}, 400, "index is missing"},
		{"upper case", Operation{Index: "Logs", Source: good}, 400, "must be lowercase"},
		{"star", Operation{Index: "logs-*", Source: good}, 400, "must not contain"},
		{"underscore", Operation{Index: "_logs", Source: good}, 400, "must not start"},
		{"long id", Operation{Index: "logs", ID: strings.Repeat("x", 513), Source: good}, 400, "512 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outcomes, err := s.Ingest(t.Context(), []Operation{{Index: "logs", Source: good}, c.op}, false)
			if err != nil {
				t.Fatal(err)
			}
			if f := outcomes[0].Failure; f != nil {
				t.Errorf("its neighbour was refused: %v", f)
			}
			status, reason := 0, ""
			if f := outcomes[1].Failure; f != nil {
				status, reason = f.Status, f.Reason
			}
			if status != c.status || !strings.Contains(reason, c.reason) {
				t.Errorf("answered %d %q, want %d %q", status, reason, c.status, c.reason)
			}
		})
	}
}

func TestALargeDocumentIsKept(t *testing.T) {
	s := open(t, t.TempDir())
	d := `{"a":"` + strings.Repeat("x", 1_500_000) + `"}`
	ingest(t, s, Operation{Index: "logs", Source: []byte(d)})
	if got := sources(t, s, Search{Filters: []Filter{{"a", []string{strings.Repeat("x", 1_500_000)}}}}); len(got) != 1 || got[0] != d {
		t.Errorf("found %d documents", len(got))
	}
}

func TestBelowTheFloorEventsAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	s.options.FreeSpaceFloor = 1 << 30
	s.free = func() uint64 { return 5 << 20 }
	outcomes, err := s.Ingest(t.Context(), []Operation{{Index: "logs", Source: []byte(`{}`)}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if f := outcomes[0].Failure; f == nil || f.Status != 429 || !strings.Contains(f.Reason, "5 MiB free, less than the 1024 MiB") {
		t.Errorf("answered %v", f)
	}
	if s.Ready() == nil {
		t.Error("it says it is ready")
	}
	s.free = func() uint64 { return 1 << 40 }
	if err := s.Ready(); err != nil {
		t.Error(err)
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

func TestSeqNeverRepeatsWhenTheClockGoesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.now = func() time.Time { return time.Now().Add(10 * time.Hour) }
	first := ingest(t, s, Operation{Index: "logs", Source: []byte(`{}`)})[0].Seq
	if err := s.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(s.journal.removable(time.Now().Add(time.Hour))) > 0 {
		if err := s.shorten(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if second := ingest(t, open(t, dir), Operation{Index: "logs", Source: []byte(`{}`)})[0].Seq; second <= first {
		t.Errorf("%d came after %d", second, first)
	}
}

func TestRecordsSurviveTheirEncoding(t *testing.T) {
	events := []event{
		{index: "a", seq: 100, time: -5, source: []byte(`{}`)},
		{index: "a", id: "x", seq: 101, time: 1 << 60, dated: true, source: []byte(`{"a":1}`)},
		{index: "b", seq: 102, time: 7, source: bytes.Repeat([]byte("x"), 5000)},
	}
	b := encodeRecord(events)
	got, size, err := decodeRecord(append(bytes.Clone(b), "rest"...))
	if err != nil || size != len(b) {
		t.Fatalf("%d bytes of %d, %v", size, len(b), err)
	}
	if diff := cmp.Diff(events, got, cmp.AllowUnexported(event{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for i := range b {
		if _, _, err := decodeRecord(b[:i]); !errors.Is(err, errTorn) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(encodeRecord([]event{{index: "a", id: "b", seq: 1, time: 2, source: []byte(`{}`)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if events, _, err := decodeRecord(b); err == nil && len(events) > 0 {
			if _, _, err := decodeRecord(encodeRecord(events)); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}
