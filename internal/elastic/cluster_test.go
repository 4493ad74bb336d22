package elastic_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"tocsin/internal/elastic"
)

// cluster is a real node to test against.
type cluster struct {
	name string
	elastic.Options
}

// clusters gives the real nodes the environment names. Without one the test is skipped, or fails where
// TOCSIN_TEST_SERVERS=required.
func clusters(t *testing.T) []cluster {
	t.Helper()
	var out []cluster
	for _, c := range []struct{ name, url, ca string }{
		{"OpenSearch", "TOCSIN_TEST_OPENSEARCH", ""},
		{"OpenSearch2", "TOCSIN_TEST_OPENSEARCH2", ""},
		{"Elastic8", "TOCSIN_TEST_ES8", "TOCSIN_TEST_ES8_CA"},
		{"Elastic7", "TOCSIN_TEST_ES7", ""},
		{"Elastic710", "TOCSIN_TEST_ES710", ""},
	} {
		if url := os.Getenv(c.url); url != "" {
			out = append(out, cluster{c.name, elastic.Options{Name: "siem", URLs: []string{url}, CAFile: os.Getenv(c.ca)}})
		}
	}
	if len(out) == 0 {
		if os.Getenv("TOCSIN_TEST_SERVERS") == "required" {
			t.Fatal("no real node: set TOCSIN_TEST_OPENSEARCH, TOCSIN_TEST_ES8 or TOCSIN_TEST_ES7")
		}
		t.Skip("no real node: set TOCSIN_TEST_OPENSEARCH, TOCSIN_TEST_ES8 or TOCSIN_TEST_ES7")
	}
	return out
}

// onEach runs test on every real node, with a prefix for index names that is removed afterwards.
func onEach(t *testing.T, test func(t *testing.T, c *elastic.Client, name string)) {
	for _, one := range clusters(t) {
		t.Run(one.name, func(t *testing.T) {
			c := client(t, one.Options)
			test(t, c, prefixFor(t, c))
		})
	}
}

func client(t *testing.T, o elastic.Options) *elastic.Client {
	t.Helper()
	c, err := elastic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// prefixFor makes up a prefix for index names and removes its indices at the end.
func prefixFor(t *testing.T, c *elastic.Client) string {
	t.Helper()
	name := "tocsin-elastic-" + strings.ToLower(rand.Text())[:10]
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		var indices map[string]any
		if err := c.Do(ctx, http.MethodGet, "/"+name+"*/_settings", nil, nil, &indices); err != nil {
			t.Errorf("clean up: %v", err)
		}
		for index := range indices {
			if err := c.Do(ctx, http.MethodDelete, "/"+index, nil, nil, nil); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
	})
	return name
}

// create makes an index of so many shards with a time field.
func create(t *testing.T, c *elastic.Client, index string, shards int) {
	t.Helper()
	err := c.Do(t.Context(), http.MethodPut, "/"+index, nil, map[string]any{
		"settings": map[string]any{"number_of_shards": shards, "number_of_replicas": 0},
		"mappings": map[string]any{"properties": map[string]any{
			"@timestamp": map[string]any{"type": "date"}, "user": map[string]any{"type": "keyword"}, "n": map[string]any{"type": "long"},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// fill stores documents with the ids from..to-1, all of one millisecond.
func fill(t *testing.T, c *elastic.Client, index string, from, to int) {
	t.Helper()
	for ; from < to; from += 5000 {
		var writes []elastic.Write
		for n := from; n < min(from+5000, to); n++ {
			writes = append(writes, elastic.Write{Op: "create", Index: index, ID: fmt.Sprint("id-", n), Doc: map[string]any{
				"@timestamp": "2024-01-01T00:00:00.001Z", "user": fmt.Sprint("u", n%7), "n": n,
			}})
		}
		answers, err := c.Bulk(t.Context(), writes, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if !a.OK() {
				t.Fatalf("%+v", a)
			}
		}
	}
	if err := c.Do(t.Context(), http.MethodPost, "/"+index+"/_refresh", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}
