package elastic_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// since gives the answer to a search for documents taken in from a time on, in some order of its own.
func since(t *testing.T, b exec.Backend, text string, from time.Time) []string {
	t.Helper()
	q, err := plan.New(text, plan.Options{TimeField: "event.ingested", Earliest: from, Now: backendtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	var columns, rows []string
	if _, err := exec.Run(t.Context(), q, exec.Options{Backend: b}, exec.Sink{
		Columns: func(names []string) error { columns = slices.Clone(names); return nil },
		Row:     func(r *row.Row) error { rows = append(rows, string(row.AppendRow(nil, columns, r.Vals))); return nil },
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}

func TestWhatIsHeldReadsAsTheClusterDoes(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		properties := map[string]any{
			"@timestamp": map[string]any{"type": "date"}, "event": map[string]any{"properties": map[string]any{"ingested": map[string]any{"type": "date"}}},
			"code": map[string]any{"type": "keyword"}, "n": map[string]any{"type": "long"}, "ip": map[string]any{"type": "ip"}, "word": map[string]any{"type": "keyword"},
		}
		if err := c.Do(t.Context(), http.MethodPut, "/"+name, nil, map[string]any{
			"settings": map[string]any{"number_of_shards": 2, "number_of_replicas": 0}, "mappings": map[string]any{"properties": properties},
		}, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Date(2024, 7, 1, 10, 0, 0, 0, time.UTC)
		var writes []elastic.Write
		for i := range 700 {
			at := start.Add(time.Duration(i) * time.Second)
			in := at.Add(time.Second)
			if i%10 == 0 {
				in = start.Add(time.Hour + time.Duration(i)*time.Millisecond) // late
			}
			writes = append(writes, elastic.Write{Op: "create", Index: name, ID: fmt.Sprint(i), Doc: map[string]any{
				"@timestamp": at.Format(time.RFC3339Nano), "event": map[string]any{"ingested": in.Format(time.RFC3339Nano)},
				"code": i % 7, "n": fmt.Sprint(i % 5), "ip": "::ffff:10.0.0.1", "word": fmt.Sprint("w", i%3),
			}})
		}
		if _, err := c.Bulk(t.Context(), writes, "true"); err != nil {
			t.Fatal(err)
		}
		b := elastic.NewBackend(c, []string{name})
		from, before := start.Add(time.Hour).Add(-time.Second), start.Add(8*time.Minute)
		held, err := b.Hold(t.Context(), nil, "event.ingested", from, "@timestamp", before)
		if err != nil || held == nil {
			t.Fatalf("%v, %v", held, err)
		}
		if held.Len() != 49 || !held.Newest().Equal(start.Add(time.Hour+690*time.Millisecond)) { // 480 s, one of ten, and the one at 8 minutes itself
			t.Errorf("%d documents, the newest of %s", held.Len(), held.Newest())
		}
		bound := fmt.Sprintf(`| search @timestamp < %q | fields @timestamp, code, n, ip`, before.Format(time.RFC3339))
		for _, text := range []string{"* " + bound, "code:3 " + bound, "n >= 3 and not word:w1 " + bound, "ip:10.0.0.1 " + bound, "word:nothing " + bound} {
			if diff := cmp.Diff(since(t, b, text, from), since(t, held, text, from)); diff != "" {
				t.Errorf("%s (- the cluster, + held): %s", text, diff)
			}
			later := from.Add(time.Second + 300*time.Millisecond) // of a rule that knows of more
			if diff := cmp.Diff(since(t, b, text, later), since(t, held, text, later)); diff != "" {
				t.Errorf("%s, later (- the cluster, + held): %s", text, diff)
			}
		}
		if held, err := b.Hold(t.Context(), nil, "event.ingested", start, "@timestamp", start.Add(time.Hour)); held != nil || err != nil {
			t.Errorf("more than are held: %v, %v", held, err)
		}
		if held, err := b.Hold(t.Context(), nil, "event.absent", start, "@timestamp", before); held != nil || err != nil {
			t.Errorf("a field that is not there: %v, %v", held, err)
		}
		if held, err := b.Hold(t.Context(), nil, "word", start, "@timestamp", before); held != nil || err != nil {
			t.Errorf("a field that is no date: %v, %v", held, err)
		}
	})
}
