package elastic_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

// cluster is a real node to test against. Its user and password are in its URL.
type cluster struct {
	testkit.Node
	elastic.Options
}

// onCluster runs test on the real node of each kind; see [testkit.Server].
func onCluster(t *testing.T, kinds []testkit.Kind, test func(t *testing.T, one cluster)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			u, err := url.Parse(node.URL)
			if err != nil {
				t.Fatal(err)
			}
			if node.Username != "" {
				u.User = url.UserPassword(node.Username, node.Password)
			}
			test(t, cluster{node, elastic.Options{Name: "siem", URLs: []string{u.String()}, CAFile: node.CAFile}})
		})
	}
}

// onEach runs test on every real node, with a prefix for index names that is removed afterwards.
func onEach(t *testing.T, test func(t *testing.T, c *elastic.Client, name string)) {
	onCluster(t, testkit.Kinds, func(t *testing.T, one cluster) {
		test(t, client(t, one.Options), one.Index(t, "tocsin-elastic"))
	})
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
		answers, err := c.Bulk(t.Context(), writes, "true") // a segment for each
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if !a.OK() {
				t.Fatalf("%+v", a)
			}
		}
	}
}
