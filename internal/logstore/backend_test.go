package logstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/logstore"
	"tocsin/internal/query"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
)

// TestBackendAnswersAsRowsDo: the suite's documents, most of whose fields have arrays, and such as are
// made plainer or wilder field by field, so that the census proves some fields and not others.
func TestBackendAnswersAsRowsDo(t *testing.T) {
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			documents := backendtest.Documents(seed, 0)
			if seed > 0 {
				r := reshaper{random: rand.New(rand.NewPCG(uint64(seed), 7)), modes: map[string]int{}}
				for i := range documents {
					documents[i].JSON = r.document(t, documents[i].JSON)
				}
			}
			backendtest.Suite{Seed: seed, Random: 150, Documents: documents, Open: func(t *testing.T, documents []backendtest.Document) exec.Backend {
				return logstore.NewBackend(filled(t, documents), []string{"logs-*", "-logs-x*"})
			}}.Run(t)
		})
	}
}

// filled is a store of documents in several indices, of which logs-x must not be read.
func filled(t *testing.T, documents []backendtest.Document) *logstore.Store {
	t.Helper()
	s := open(t)
	var operations []logstore.Operation
	for i, d := range documents {
		operations = append(operations, logstore.Operation{Index: []string{"logs-a", "logs-b"}[i%2], ID: d.ID, Source: []byte(d.JSON)})
		if i%10 == 0 {
			operations = append(operations, logstore.Operation{Index: []string{"logs-x", "other"}[i%20/10], Source: []byte(d.JSON)})
		}
	}
	store(t, s, operations)
	return s
}

// reshaper changes what fields have, each in its own way in all documents.
type reshaper struct {
	random *rand.Rand
	modes  map[string]int
}

func (r *reshaper) document(t *testing.T, text string) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	r.object("", doc)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out))
}

func (r *reshaper) object(prefix string, o map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		path := prefix + name
		if inner, ok := o[name].(map[string]any); ok {
			r.object(path+".", inner)
			continue
		}
		if path == "@timestamp" {
			continue
		}
		mode, ok := r.modes[path]
		if !ok {
			mode = r.random.IntN(8)
			r.modes[path] = mode
		}
		if list, ok := o[name].([]any); ok && mode > 1 {
			if delete(o, name); len(list) == 0 {
				continue
			}
			o[name] = list[0]
		}
		if o[name] == "" && mode > 2 {
			delete(o, name)
		}
		if mode == 7 && r.random.IntN(6) == 0 {
			o[name] = []any{
				"5", json.Number("5"), json.Number("5.0"), json.Number("1e3"), true, nil, "",
				[]any{},
				[]any{[]any{"root"}},
				map[string]any{"x": "root"},
				map[string]any{},
				[]any{map[string]any{"x": 1}},
				"[", `["root"`, "2024-07-01", "\x00",
				json.Number("-0"), json.Number("123456789012345678901234567890"), "10.0.0.1", "::ffff:10.0.0.1",
			}[r.random.IntN(20)]
		}
	}
}

// TestBackendPushesDown: what the census proves is done on columns, and what it does not is not.
func TestBackendPushesDown(t *testing.T) {
	s := open(t)
	store(t, s, []logstore.Operation{
		{Index: "logs-a", Source: []byte(`{"@timestamp":"2024-07-01T11:00:00Z","user":{"name":"ann"},"port":22,"tags":["a"],"message":"x"}`)},
		{Index: "logs-a", Source: []byte(`{"@timestamp":"2024-07-01T11:00:01Z","user":{"name":"ann"},"port":23,"code":"7"}`)},
		{Index: "logs-a", Source: []byte(`{"@timestamp":"2024-07-01T11:00:02Z","user":{"name":"bob"},"code":7,"long":9007199254740993}`)},
		{Index: "logs-a", Source: []byte(`{"@timestamp":"2024-07-02T11:00:02Z","user":{"name":["bob"]}}`)},
	})
	for _, tc := range []struct{ from, query, want string }{
		{"2024-07-01", "user.name:ann | count by user.name", "grouped column by column"},
		{"2024-07-01", "user.name:ann or user.name:b* | count by user.name", "grouped column by column"},
		{"2024-07-01", "not user.name:(ann or bob) and port > 20 | stats sum(port), dc(user.name) by span(_time, 5m)", "grouped column by column"},
		{"2024-07-01", "nothing:x | count by user.name", "grouped column by column"},
		{"2024-07-01", "user.name:ann | dedup user.name | fields user.name, port", ": columns, newest first"},
		{"2024-07-01", "message:x | count by user.name", ": columns, newest first"},
		{"2024-07-01", "tags:a | count by user.name", `column by column; documents of ("tags":="a" or "tags":="["*) (_odd:"tags" or _odd:="*")`},
		{"2024-07-01", "user.name:ann | count by code", `column by column; documents of "user.name":="ann" (_odd:"code" or _odd:="*")`},
		{"2024-07-01", "| stats sum(long)", ": columns, newest first"},
		{"2024-07-01", "tags:a | dedup user.name | fields user.name, tags", `: columns, newest first; documents of ("tags":="a" or`},
		{"2024-07-01", "t*:a | count by user.name", ": documents, newest first"},
		{"2024-07-01", "user.name:ann", ": documents, newest first"},
		{"2024-07-02", "| count by user.name", "column by column; documents of (_odd:"},
	} {
		day := backendtest.Now
		if tc.from == "2024-07-02" {
			day = day.AddDate(0, 0, 1)
		}
		q, err := query.Compile(tc.query, query.Options{Now: day, Earliest: day.AddDate(0, 0, -1).Truncate(24*3600e9).AddDate(0, 0, 1), Latest: day})
		if err != nil {
			t.Fatal(err)
		}
		got, err := q.Explain(t.Context(), logstore.NewBackend(s, nil))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s from %s: want %q in\n%s", tc.query, tc.from, tc.want, got)
		}
	}
}

func open(t *testing.T) *logstore.Store {
	t.Helper()
	s, err := logstore.New(t.Context(), logstore.Options{Dir: t.TempDir()})
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

func store(t *testing.T, s *logstore.Store, operations []logstore.Operation) {
	t.Helper()
	outcomes, err := s.Ingest(t.Context(), operations, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Failure != nil {
			t.Fatalf("%s: %s", operations[i].Source, o.Failure.Reason)
		}
	}
}

// Until the first events of a day are in the engine's parts, it knows no times of that day: what the other
// days hold must be found all the same.
func TestTheFirstEventOfADayHidesNoOtherDay(t *testing.T) {
	s := open(t)
	at := func(day int) logstore.Operation {
		return logstore.Operation{Index: "logs", Source: fmt.Appendf(nil, `{"@timestamp":"2026-11-%02dT10:00:00Z","n":1}`, day)}
	}
	store(t, s, []logstore.Operation{at(10)})
	for _, day := range []int{11, 9} {
		if _, err := s.Ingest(t.Context(), []logstore.Operation{at(day)}, false); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"* | where n = 1 | fields n", "", "* | count by n over 5m"} {
			q, err := query.Compile(text, query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := q.Run(t.Context(), query.RunOptions{Backend: logstore.NewBackend(s, nil)})
			if err != nil || len(r.Rows) == 0 {
				t.Errorf("%q after the first event of day %d: %d rows, %v", text, day, len(r.Rows), err)
			}
		}
		found := 0
		err := s.Scan(t.Context(), logstore.Search{}, func(logstore.Document) error { found++; return nil })
		if err != nil || found == 0 {
			t.Errorf("after the first event of day %d: %d documents, %v", day, found, err)
		}
	}
}

// TestWindowsAreTheSameWhereADocumentHasSeveralKeys: the columns do not tell what a list holds, so some of the filter
// is left to be done on rows, while counts could be had without them.
func TestWindowsAreTheSameWhereADocumentHasSeveralKeys(t *testing.T) {
	s := open(t)
	var operations []logstore.Operation
	for i := range 12 {
		operations = append(operations, logstore.Operation{Index: "auth", Source: fmt.Appendf(nil, `{"@timestamp":"2026-11-24T10:00:%02dZ","event":{"outcome":"failure"},"user":{"name":"ann"}}`, i)})
	}
	operations = append(operations, logstore.Operation{Index: "auth", Source: []byte(`{"@timestamp":"2026-11-24T10:00:05Z","event":{"outcome":"failure"},"user":{"name":["bob","eve","bob"]}}`)})
	store(t, s, operations)
	q, err := query.Compile("event.outcome:failure | count by user.name over 5m | search count > 10", query.Options{
		Earliest: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), Latest: time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		result, err := q.Run(t.Context(), query.RunOptions{Backend: logstore.NewBackend(s, []string{"auth"}), Windows: true, NoPushDown: plain})
		if err != nil || len(result.Rows) != 2 {
			t.Errorf("without pushing down %v: %d windows, want those of 11 and of 12 events (%v)", plain, len(result.Rows), err)
		}
	}
}
