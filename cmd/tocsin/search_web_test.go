package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

// TestTheSearchPageReadsClusters asks the API of the search page, in a real process, of every kind of cluster and of
// the embedded engine, what the page asks.
func TestTheSearchPageReadsClusters(t *testing.T) {
	end := time.Now().Truncate(5 * time.Minute).Add(-5 * time.Minute)
	var bulk bytes.Buffer
	for i := range 60 { // twelve a minute of ann, one of bob
		user := "ann"
		if i%12 == 11 {
			user = "bob </script>"
		}
		at := end.Add(-time.Duration(i+1) * 5 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
		fmt.Fprintf(&bulk, `{"create":{}}`+"\n"+`{"@timestamp":%q,"event":{"outcome":"failure"},"user":{"name":%q},"bytes":%d}`+"\n", at, user, i)
	}
	kinds := []testkit.Kind{"embedded"}
	for _, kind := range append(kinds, testkit.Kinds...) {
		t.Run(string(kind), func(t *testing.T) {
			source := "  - {name: logs, kind: embedded}\n"
			if kind != "embedded" {
				node := testkit.Server(t, kind)
				index := node.Index(t, "tocsin-page")
				keyword := map[string]any{"type": "keyword"}
				node.Ask(t, "PUT", "/"+index, map[string]any{"mappings": map[string]any{"properties": map[string]any{
					"@timestamp": map[string]any{"type": "date"}, "event.outcome": keyword, "user.name": keyword, "bytes": map[string]any{"type": "long"},
				}}}, nil)
				node.Ask(t, "POST", "/"+index+"/_bulk?refresh=true", bulk.String(), nil)
				source = fmt.Sprintf("  - name: logs\n    kind: elasticsearch\n    urls: [%s]\n    indices: [%s]\n", node.URL, index)
				if node.Username != "" {
					source += fmt.Sprintf("    username: %s\n    password: %s\n", node.Username, node.Password)
				}
				if node.CAFile != "" {
					source += "    ca_file: " + node.CAFile + "\n"
				}
			}
			dir := t.TempDir()
			write(t, dir, "tocsin.yaml", "listen: 127.0.0.1:0\ndata_dir: data\nsources:\n"+source)
			p := testkit.Serve(t, filepath.Join(dir, "tocsin.yaml"))
			if kind == "embedded" {
				resp, err := http.Post(p.URL+"logs/_bulk?refresh=true", "application/x-ndjson", bytes.NewReader(bulk.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			from, to := end.Add(-10*time.Minute).Format(time.RFC3339), end.Format(time.RFC3339)
			ask := func(path string, more map[string]any) map[string]any {
				t.Helper()
				in := map[string]any{"source": "logs", "from": from, "to": to}
				for k, v := range more {
					in[k] = v
				}
				body, err := json.Marshal(in)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.Post(p.URL+"api/v1/"+path, "application/json", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				var out map[string]any
				if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: %s %v %v", path, resp.Status, err, out)
				}
				return out
			}
			found := ask("search", map[string]any{"query": "user.name:ann", "limit": 5, "documents": true})
			if len(asList(found["rows"])) != 5 || found["more"] != true || len(asList(found["documents"])) != 5 || found["exact"] != true {
				t.Errorf("documents: %v", found)
			}
			if got := ask("histogram", map[string]any{"query": "user.name:*"}); got["total"] != 60.0 {
				t.Errorf("histogram: %v", got)
			}
			groups := asList(ask("windows", map[string]any{"query": "event.outcome:failure | count by user.name | search count > 10", "window": "5m"})["groups"])
			var text []string
			for _, g := range groups {
				m, _ := g.(map[string]any)
				text = append(text, fmt.Sprint(m["key"], m["values"]))
			}
			at := end.Add(-5 * time.Minute).UnixMilli()
			want := fmt.Sprint([]string{fmt.Sprintf("[ann] [map[t:%v v:55]]", float64(at)), fmt.Sprintf("[bob </script>] [map[t:%v v:5]]", float64(at))})
			if fmt.Sprint(text) != want {
				t.Errorf("windows: %v, want %s", text, want)
			}
			options := func(query string) (out []string) {
				for _, o := range asList(ask("complete", map[string]any{"query": query, "position": len(query)})["options"]) {
					m, _ := o.(map[string]any)
					out = append(out, fmt.Sprint(m["label"], " ", m["type"], " ", m["count"]))
				}
				return out
			}
			if got := fmt.Sprint(options("user.name:")); got != "[ann <nil> 55 bob </script> <nil> 5]" {
				t.Errorf("values: %s", got)
			}
			if got := fmt.Sprint(options("user.n")); got != "[user.name keyword 60]" {
				t.Errorf("fields: %s", got)
			}
		})
	}
}
