package query_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// asked hides that a source is read whole.
type asked struct{ query.Backend }

// TestDocumentsWithoutOneTimeHaveAnother compares what is found by a time field with another behind it with what is
// found when the first field has been filled in.
func TestDocumentsWithoutOneTimeHaveAnother(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "documents.ndjson")
	rapid.Check(t, func(t *rapid.T) {
		type document struct {
			at   time.Time
			json string
			full string
		}
		var all []document
		for i := range rapid.IntRange(0, 20).Draw(t, "documents") {
			at := start.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "at"))*time.Second + time.Duration(i)*time.Millisecond)
			other := start.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "other")) * time.Second)
			rest := fmt.Sprintf(`"n":%d,"user":%q}`, i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "user"))
			text := func(t time.Time) string { return t.Format(time.RFC3339Nano) }
			full := fmt.Sprintf(`{"made":%q,"@timestamp":%q,`, text(at), text(other)) + rest
			d := document{at, full, full}
			if rapid.Bool().Draw(t, "lacks it") {
				d.json = fmt.Sprintf(`{"@timestamp":%q,`, text(at)) + rest
			}
			all = append(all, d)
		}
		slices.SortFunc(all, func(a, b document) int { return b.at.Compare(a.at) })
		var lacking, full strings.Builder
		for _, d := range all {
			lacking.WriteString(d.json + "\n")
			full.WriteString(d.full + "\n")
		}
		from := start.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "from")) * time.Second)
		text := rapid.SampledFrom([]string{
			"user:a | table made, n", "* | where n % 2 == 0 | table n, made", "* | count by user over 5m | search count > 1", "* | head 3 | table n",
			"* | newterms user over 10m | table n, made", "not user:b | stats count, min(made)", "* | sort made | head 2 | table n",
		}).Draw(t, "search")
		q, err := query.Compile(text, query.Options{TimeField: "made", Earliest: from, Latest: from.Add(30 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		answer := func(b query.Backend) (out []string) {
			result, err := q.Run(t.Context(), query.RunOptions{Backend: b})
			if err != nil {
				t.Fatal(err)
			}
			for i := range result.Rows {
				line := ""
				for c := range result.Columns {
					line += string(result.Rows[i].Get(c).AppendJSON(nil)) + " "
				}
				out = append(out, line)
			}
			return out
		}
		want := answer(&files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(full.String())}})
		once := query.Fallback(&files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(lacking.String())}}, "made", "@timestamp")
		if diff := cmp.Diff(want, answer(once)); diff != "" {
			t.Fatalf("%s, read whole: %s", text, diff)
		}
		if err := os.WriteFile(file, []byte(lacking.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		twice := query.Fallback(asked{&files.Backend{Main: files.Input{Path: file}}}, "made", "@timestamp")
		if diff := cmp.Diff(want, answer(twice)); diff != "" {
			t.Fatalf("%s, asked for: %s", text, diff)
		}
	})
}
