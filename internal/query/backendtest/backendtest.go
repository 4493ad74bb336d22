// Package backendtest owns the suite that every backend of the query language passes: pushed down or
// not, the rows are those that the rows engine gives on the same documents. It opens no backend itself.
package backendtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/query/exec"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Document is one document of the suite, with the id it is to be stored under.
type Document struct {
	ID, JSON string
}

// Suite is what a backend is tested with. Seed makes other documents.
type Suite struct {
	Seed int
	// Count is how many documents there are; 60 when 0.
	Count int
	// Random is how many random queries are asked beside Queries; 30 when 0. Each is a few requests to a
	// server, so they are not shrunk.
	Random int
	// Documents are used instead of those that Seed makes.
	Documents []Document
	// Open stores the documents and gives the backend that reads them. Their fields are those of Fields.
	Open func(t *testing.T, documents []Document) exec.Backend
	// Together gives the backends of n runs that go on at the same time and share requests; nil where the backend
	// has nothing of the kind. Leave tells that a run has ended.
	Together func(b exec.Backend, n int) (runs []exec.Backend, leave func(i int) (slow bool))
}

// Fields are the fields of the suite's documents and the types an index may give them, by
// Elasticsearch's names. The values of each are spelt as its type would print them.
func Fields() map[string]string {
	return map[string]string{
		"@timestamp": "date", "user.name": "keyword", "host.name": "keyword", "event.code": "keyword", "tags": "keyword", "label": "keyword",
		"source.ip": "ip", "bytes": "long", "port": "integer", "score": "double", "flag": "boolean", "message": "text", "note": "text",
	}
}

// Run tests a backend.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	documents := s.Documents
	if documents == nil {
		documents = Documents(s.Seed, s.Count)
	}
	backend := s.Open(t, documents)
	reference := memory(documents)
	if s.Random == 0 {
		s.Random = 30
	}
	var all []asked
	for _, q := range Queries {
		all = append(all, asked{text: q})
	}
	for i := range s.Random {
		search := randomSearch.Example(s.Seed*1000 + i)
		all = append(all, asked{search.text, search.bounds})
	}
	for i := range (s.Random + 1) / 2 {
		search := judgedSearch.Example(s.Seed*1000 + i)
		all = append(all, asked{search.text, search.bounds})
	}
	for _, one := range all {
		t.Run(one.text, func(t *testing.T) { agree(t, reference, backend, one.text, one.bounds) })
	}
	if s.Together != nil {
		t.Run("together", func(t *testing.T) { s.together(t, reference, backend, all) })
	}
}

type bounds struct{ earliest, latest time.Time }

// agree compares the answers of the reference and of the backend, with and without push-down.
func agree(t *testing.T, reference, backend exec.Backend, text string, b bounds) {
	t.Helper()
	want, err := answer(reference, text, b, exec.Options{})
	if err != nil {
		t.Fatalf("%s: the rows engine: %v", text, err)
	}
	ways := map[string]exec.Options{"pushed down": {}, "on rows": {NoPushDown: true}}
	if strings.Contains(text, " over ") {
		ways["in the stretches of time that matter"] = exec.Options{CandidateRows: 1}
	}
	compare(t, backend, text, b, ways, want)
	if strings.Contains(text, " over ") {
		windows(t, reference, backend, text, b)
	}
}

// windows compares what a rule is given: each window that is kept, by times as finely as the backend keeps them.
func windows(t *testing.T, reference, backend exec.Backend, text string, b bounds) {
	t.Helper()
	if source, ok := backend.(interface {
		Precision(ctx context.Context, r plan.Read) (time.Duration, error)
	}); ok {
		step, err := source.Precision(t.Context(), plan.Read{TimeField: "@timestamp"})
		if err != nil {
			t.Fatal(err)
		}
		reference = cut{reference, step}
	}
	want, err := answer(reference, text, b, exec.Options{Windows: true})
	if err != nil {
		t.Fatalf("%s: windows of the rows engine: %v", text, err)
	}
	compare(t, backend, text, b, map[string]exec.Options{
		"windows pushed down": {Windows: true}, "windows on rows": {Windows: true, NoPushDown: true},
		"windows in the stretches of time that matter": {Windows: true, CandidateRows: 1},
	}, want)
}

// cut is a backend whose times are as far apart as those of another.
type cut struct {
	exec.Backend
	step time.Duration
}

func (c cut) Precision(context.Context, plan.Read) (time.Duration, error) { return c.step, nil }

// compare compares the answers that a backend gives in several ways.
func compare(t *testing.T, backend exec.Backend, text string, b bounds, ways map[string]exec.Options, want []string) {
	t.Helper()
	for way, o := range ways {
		got, err := answer(backend, text, b, o)
		if err != nil {
			t.Fatalf("%s (%s): %v", text, way, err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s (%s, from %v to %v)\n got:\n%s\nwant:\n%s", text, way, b.earliest, b.latest,
				strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// answer is the columns and the rows of an answer, as text.
func answer(backend exec.Backend, text string, b bounds, o exec.Options) ([]string, error) {
	o.Backend = backend
	q, err := plan.New(text, plan.Options{Now: Now, Earliest: b.earliest, Latest: b.latest})
	if err != nil {
		return nil, err
	}
	var out, columns []string
	var order []int
	outcome, err := exec.Run(context.Background(), q, o, exec.Sink{
		Columns: func(names []string) error {
			columns = slices.Clone(names)
			out = append(out, strings.Join(columns, " "))
			order = make([]int, len(columns))
			for i, n := range columns {
				order[i] = slices.Index(names, n)
			}
			return nil
		},
		Row: func(r *row.Row) error {
			if columns == nil {
				out = append(out, r.Doc.JSON)
				return nil
			}
			vals := make([]row.Value, len(order))
			for i, at := range order {
				vals[i] = r.Get(at)
			}
			out = append(out, string(row.AppendRow(nil, columns, vals)))
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if len(outcome.Inexact) > 0 {
		return nil, fmt.Errorf("not exact: %s", strings.Join(outcome.Inexact, "; "))
	}
	return out, nil
}

// memory is the rows engine's own backend: documents, newest first, ties by id. It takes over nothing.
func memory(documents []Document) exec.Backend { return memoryBackend(Sorted(documents)) }

type memoryBackend []Document

// Plan takes over nothing.
func (memoryBackend) Plan(context.Context, plan.Read) (plan.Pushed, error) { return plan.Pushed{}, nil }

// Rows gives the documents.
func (m memoryBackend) Rows(_ context.Context, r plan.Read, _ plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	extract := row.NewExtractor(schema, r.Fields)
	extract.TimeFields(r.TimeField)
	for _, d := range m {
		vals, err := extract.Extract(d.JSON, nil)
		if err != nil {
			return plan.Cost{}, err
		}
		out := row.Row{Vals: vals}
		if r.Documents {
			out.Doc = &row.Document{ID: d.ID, JSON: d.JSON}
		}
		if err := emit(&out); err != nil {
			return plan.Cost{}, err
		}
	}
	return plan.Cost{Rows: int64(len(m))}, nil
}

// Sorted are the documents in the order of a source: newest first, those without a time last, ties by
// id. It panics on what Documents does not make.
func Sorted(documents []Document) []Document {
	clock := row.NewExtractor(row.NewSchema(), []string{"@timestamp"})
	at := map[string]int64{}
	for _, d := range documents {
		at[d.ID] = math.MinInt64
		vals, err := clock.Extract(d.JSON, nil)
		if err != nil {
			panic(fmt.Sprintf("document %s: %v", d.ID, err))
		}
		if t, ok := row.StampTime(vals[0]).AsTime(); ok {
			at[d.ID] = t
		}
	}
	out := slices.Clone(documents)
	slices.SortFunc(out, func(a, b Document) int { return cmp.Or(cmp.Compare(at[b.ID], at[a.ID]), cmp.Compare(a.ID, b.ID)) })
	return out
}
