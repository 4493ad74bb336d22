package logstore

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestShippersGetWhatTheyAskForFirst(t *testing.T) {
	s := open(t, t.TempDir())
	ingest(t, s, Operation{Index: "there", Source: []byte(`{}`)})
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/", 200, `"number":"8.19.0"`},
		{"HEAD", "/", 200, ""},
		{"GET", "/_license", 200, `"type":"basic"`},
		{"GET", "/_xpack", 200, `"ilm":{"available":false,"enabled":false}`},
		{"GET", "/_cluster/health", 200, `"status":"green"`},
		{"GET", "/_cluster/health/logs", 200, `"status":"green"`},
		{"GET", "/_cat/health", 200, " tocsin green 1 "},
		{"HEAD", "/_index_template/filebeat", 404, ""},
		{"GET", "/_index_template/filebeat", 404, "resource_not_found_exception"},
		{"PUT", "/_index_template/filebeat", 200, `{"acknowledged":true}`},
		{"PUT", "/_template/logstash", 200, `{"acknowledged":true}`},
		{"PUT", "/_component_template/x", 200, `{"acknowledged":true}`},
		{"GET", "/_ilm/policy/filebeat", 404, ""},
		{"PUT", "/_ilm/policy/filebeat", 200, `{"acknowledged":true}`},
		{"GET", "/_ingest/pipeline/p", 404, ""},
		{"PUT", "/_ingest/pipeline/p", 200, `{"acknowledged":true}`},
		{"DELETE", "/_ingest/pipeline/p", 405, "allowed: [GET, HEAD, PUT, POST]"},
		{"GET", "/_data_stream/filebeat", 404, ""},
		{"PUT", "/_data_stream/filebeat", 200, `{"acknowledged":true}`},
		{"HEAD", "/_alias/filebeat", 404, ""},
		{"HEAD", "/there", 200, ""},
		{"HEAD", "/elsewhere", 404, ""},
		{"PUT", "/elsewhere", 200, `"index":"elsewhere"`},
		{"PUT", "/Elsewhere", 400, "must be lowercase"},
		{"GET", "/_bulk", 405, "allowed: [POST, PUT]"},
		{"GET", "/a/_search", 404, "speaks _bulk only"},
		{"GET", "/_nodes/http", 404, "no handler"},
	} {
		r := ask(s, c.method, c.path, "")
		body := bodyOf(t, r)
		if r.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.StatusCode, body)
		}
		if r.Header.Get("X-Elastic-Product") != "Elasticsearch" {
			t.Errorf("%s %s: the product is not named", c.method, c.path)
		}
		if c.path != "/_cat/health" && !json.Valid([]byte(body)) {
			t.Errorf("%s %s: %s", c.method, c.path, body)
		}
	}
}

func TestTheMediaTypeIsTheOneAskedFor(t *testing.T) {
	s := open(t, t.TempDir())
	for accept, want := range map[string]string{
		"": "application/json",
		"application/vnd.elasticsearch+json; compatible-with=8":     "application/vnd.elasticsearch+json;compatible-with=8",
		"application/vnd.elasticsearch+json;compatible-with=9":      "application/vnd.elasticsearch+json;compatible-with=9",
		"application/vnd.elasticsearch+json;compatible-with=evil,x": "application/json",
	} {
		if got := ask(s, "GET", "/", "", "Accept", accept).Header.Get("Content-Type"); got != want {
			t.Errorf("%q is answered as %q, want %q", accept, got, want)
		}
	}
}
