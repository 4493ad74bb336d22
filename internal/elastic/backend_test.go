package elastic_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"tocsin/internal/elastic"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
)

// typed is the mapping of the suite's documents with the types it names.
func typed(change func(name string, property map[string]any)) map[string]any {
	properties := map[string]any{}
	for name, typ := range backendtest.Fields() {
		p := map[string]any{"type": typ}
		change(name, p)
		properties[name] = p
	}
	return map[string]any{"properties": properties}
}

// mappings are ways to index the same documents.
var mappings = map[string]map[string]any{
	"typed": typed(func(string, map[string]any) {}),
	"short keywords": typed(func(_ string, p map[string]any) {
		if p["type"] == "keyword" {
			p["ignore_above"] = 32
		}
	}),
	"dynamic": {"date_detection": false, "properties": map[string]any{"score": map[string]any{"type": "float"}, "@timestamp": map[string]any{"type": "date"}}},
	"texts with keywords": typed(func(_ string, p map[string]any) {
		if p["type"] == "keyword" {
			p["type"], p["fields"] = "text", map[string]any{"keyword": map[string]any{"type": "keyword", "ignore_above": 256}}
		}
	}),
	"unsure": {"dynamic": false, "properties": map[string]any{
		"@timestamp": map[string]any{"type": "date_nanos"},
		"user":       map[string]any{"properties": map[string]any{"name": map[string]any{"type": "keyword", "null_value": "root"}}},
		"tags":       map[string]any{"type": "keyword", "copy_to": "label"}, "label": map[string]any{"type": "keyword"},
		"port": map[string]any{"type": "integer", "ignore_malformed": true}, "flag": map[string]any{"type": "boolean", "doc_values": false},
		"source": map[string]any{"type": "object", "enabled": false},
	}},
}

// store puts documents into two indices and gives the backend that reads both.
func store(t *testing.T, c *elastic.Client, name string, mapping any, documents []backendtest.Document) *elastic.Backend {
	t.Helper()
	for _, part := range []string{"-a", "-b"} {
		if err := c.Do(t.Context(), http.MethodPut, "/"+name+part, nil, map[string]any{
			"settings": map[string]any{"number_of_shards": 2, "number_of_replicas": 0}, "mappings": mapping,
		}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var writes []elastic.Write
	for i, d := range documents {
		writes = append(writes, elastic.Write{Op: "create", Index: name + []string{"-a", "-b"}[i%2], ID: d.ID, Doc: json.RawMessage(d.JSON)})
	}
	answers, err := c.Bulk(t.Context(), writes, "true")
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if !a.OK() {
			t.Fatalf("%s: %+v", documents[i].JSON, a)
		}
	}
	return elastic.NewBackend(c, []string{name + "-*"})
}

func TestBackendAnswersAsRowsDo(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		seed := 0
		for title, mapping := range mappings {
			seed++
			index := fmt.Sprint(name, "-", seed)
			t.Run(title, func(t *testing.T) {
				backendtest.Suite{Seed: seed, Open: func(t *testing.T, documents []backendtest.Document) exec.Backend {
					return store(t, c, index, mapping, documents)
				}, Together: func(b exec.Backend, n int) ([]exec.Backend, func(int) bool) {
					seats, leave := b.(*elastic.Backend).Together(t.Context(), n)
					runs := make([]exec.Backend, n)
					for i, s := range seats {
						runs[i] = s
					}
					return runs, leave
				}}.Run(t)
			})
		}
	})
}
