package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

func TestProductOfRealNodes(t *testing.T) {
	onCluster(t, testkit.Kinds, func(t *testing.T, one cluster) {
		p, err := client(t, one.Options).Product(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := "elasticsearch"
		if one.Kind == testkit.OpenSearch || one.Kind == testkit.OpenSearch2 {
			name = "opensearch"
		}
		if want := (elastic.Product{Name: name, Version: one.Version}); p != want {
			t.Errorf("%+v, want %+v", p, want)
		}
	})
}

func TestProduct(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		header string
		body   string
		want   elastic.Product
		fails  bool
	}{
		{"Elasticsearch before 7.14", 200, "", `{"version":{"number":"7.6.2","build_flavor":"default"},"tagline":"You Know, for Search"}`, elastic.Product{Name: "elasticsearch", Version: "7.6.2"}, false},
		{"Elasticsearch", 200, "Elasticsearch", `{"version":{"number":"9.1.0"},"tagline":"You Know, for Search"}`, elastic.Product{Name: "elasticsearch", Version: "9.1.0"}, false},
		{"OpenSearch", 200, "", `{"version":{"distribution":"opensearch","number":"2.19.1"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`, elastic.Product{Name: "opensearch", Version: "2.19.1"}, false},
		{"OpenSearch that passes for 7.10", 200, "", `{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`, elastic.Product{Name: "opensearch", Version: "7.10.2"}, false},
		{"something else", 200, "", `{"version":{"number":"1"},"tagline":"hello"}`, elastic.Product{Version: "1"}, false},
		{"refused by Elasticsearch", 403, "Elasticsearch", `{}`, elastic.Product{Name: "elasticsearch"}, false},
		{"refused by somebody", 403, "", `{}`, elastic.Product{}, false},
		{"not let in", 401, "", `{}`, elastic.Product{}, false},
		{"no such page", 400, "Elasticsearch", `{"error":"no handler found for uri [/] and method [GET]"}`, elastic.Product{Name: "elasticsearch"}, false},
		{"busy", 429, "", `{}`, elastic.Product{}, true},
		{"down", 503, "", `{}`, elastic.Product{}, true},
		{"not JSON", 200, "", `hello`, elastic.Product{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, elastic.Options{URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.header != "" {
					w.Header().Set("X-Elastic-Product", tc.header)
				}
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			}))}})
			got, err := c.Product(t.Context())
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	c := client(t, elastic.Options{URLs: []string{"http://127.0.0.1:1"}})
	var connect *elastic.ConnectError
	if _, err := c.Product(t.Context()); !errors.As(err, &connect) {
		t.Error(err)
	}
}
