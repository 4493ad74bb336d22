package logstore

import (
	"strings"
	"testing"
	"time"
)

func TestRefusalsAreOfTheDocumentAlone(t *testing.T) {
	s := open(t, t.TempDir())
	s.options.Retention = 30 * 24 * time.Hour
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
