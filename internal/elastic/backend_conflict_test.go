package elastic_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
	"tocsin/internal/query"
)

// TestFieldsOfTwoTypesAreAnsweredAsRowsAre searches two indices that give fields different types, as happens when one
// shipper is changed: the answer is that of the documents, or an error, and never a part of them.
func TestFieldsOfTwoTypesAreAnsweredAsRowsAre(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		types := []map[string]string{{"code": "keyword", "who": "keyword", "flag": "keyword"}, {"code": "long", "who": "text", "flag": "boolean"}}
		var writes []elastic.Write
		for i, fields := range types {
			properties := map[string]any{"@timestamp": map[string]any{"type": "date"}}
			for f, kind := range fields {
				properties[f] = map[string]any{"type": kind}
			}
			index := fmt.Sprint(name, "-", i)
			if err := c.Do(t.Context(), "PUT", "/"+index, nil, map[string]any{"mappings": map[string]any{"properties": properties}}, nil); err != nil {
				t.Fatal(err)
			}
			for n := range 12 {
				doc := fmt.Sprintf(`{"@timestamp":%q,"code":%d,"who":"user %d","flag":%v}`, start.Add(time.Duration(n)*time.Minute).Format(time.RFC3339), n, n%3, n%2 == 0)
				writes = append(writes, elastic.Write{Op: "create", Index: index, ID: fmt.Sprint(i, "-", n), Doc: json.RawMessage(doc)})
			}
		}
		answers, err := c.Bulk(t.Context(), writes, "true")
		if err != nil || slices.ContainsFunc(answers, func(a elastic.Written) bool { return !a.OK() }) {
			t.Fatal(err, answers)
		}
		b := elastic.NewBackend(c, []string{name + "-*"})
		for _, text := range []string{
			"code > 8", "code:7", `who:"user 1"`, "flag:true | count by code", "* | count by who", "* | stats sum(code), max(code) by flag",
			"* | count by who over 5m | search count > 2", "* | newterms code over 10m | table _time, code", "* | changed flag by who | table _time, who, flag",
			"* | missing by who over 2m", "* | spike by flag factor=1.1 baseline=1h",
		} {
			q, err := query.Compile(text, query.Options{Now: start.Add(time.Hour), Earliest: start.Add(6 * time.Minute), Latest: start.Add(20 * time.Minute), Window: 5 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			answer := func(plain bool) []string {
				r, err := q.Run(t.Context(), query.RunOptions{Backend: b, NoPushDown: plain, Documents: true})
				if err != nil {
					return []string{"error: " + err.Error()}
				}
				out := []string{}
				for i := range r.Rows {
					line := ""
					for k := range r.Columns {
						line += string(r.Rows[i].Get(k).AppendJSON(nil)) + " "
					}
					if q.Raw() {
						line = r.Rows[i].Doc.JSON
					}
					out = append(out, line)
				}
				slices.Sort(out)
				return out
			}
			want := answer(true)
			if len(want) == 0 || strings.HasPrefix(want[0], "error: ") {
				t.Errorf("%s: %v", text, want)
			}
			if diff := cmp.Diff(want, answer(false)); diff != "" {
				t.Errorf("%s (- on rows, + pushed down): %s", text, diff)
			}
		}
	})
}
