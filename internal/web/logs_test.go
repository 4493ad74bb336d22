package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/internal/logstore"
)

// withLogs serves an empty log store beside the pages.
func withLogs(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := logstore.New(t.Context(), logstore.Options{Dir: t.TempDir(), FreeSpaceFloor: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newWebOf(t, s.Handler(), map[string]http.Handler{
		"GET /api/v1/local/x": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "local") }),
	}).Loopback())
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestShippersAndBrowsersShareAnAddress(t *testing.T) {
	server := withLogs(t)
	const events = "{\"create\":{}}\n{\"a\":1}\n"
	for _, c := range []struct {
		name, method, path, body string
		headers                  map[string]string
		status                   int
		says                     string
	}{
		{"a shipper", "GET", "/", "", nil, 200, `"tagline":"You Know, for Search"`},
		{"a shipper that takes anything", "GET", "/", "", map[string]string{"Accept": "*/*"}, 200, `"number":"8.`},
		{"a browser", "GET", "/", "", map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, 200, "<h1>Delivery</h1>"},
		{"ping", "HEAD", "/", "", nil, 200, ""},
		{"license", "GET", "/_license", "", nil, 200, `"type":"basic"`},
		{"template", "PUT", "/_index_template/filebeat", "{}", nil, 200, `"acknowledged":true`},
		{"pipeline", "GET", "/_ingest/pipeline/x", "", nil, 404, "resource_not_found"},
		{"an index that is not there", "HEAD", "/logs", "", nil, 404, ""},
		{"what the store does not speak", "GET", "/_search", "", nil, 404, "speaks _bulk only"},
		{"events", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/x-ndjson"}, 200, `"errors":false`},
		{"events without an index", "POST", "/_bulk", events, map[string]string{"Content-Type": "application/json"}, 200, "index is missing"},
		{"a form", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 406, "not supported"},
		{"a form with a file", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 406, "not supported"},
		{"plain text", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "text/plain"}, 406, "not supported"},
		{"no type", "POST", "/logs/_bulk", events, nil, 406, "not supported"},
		{"another site's page", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/json", "Origin": "https://evil.example"}, 403, "another site"},
		{"another site's fetch", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403, "another site"},
		{"a rebound name", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/json", "Host": "evil.example"}, 403, "loopback"},
		{"a proxy", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/json", "X-Forwarded-For": "1.2.3.4"}, 403, "turn login on"},
		{"a proxy of the standard", "POST", "/logs/_bulk", events, map[string]string{"Content-Type": "application/json", "Forwarded": "for=1.2.3.4"}, 403, "turn login on"},
		{"what is for the socket alone", "GET", "/api/v1/local/x", "", nil, 404, "no such path"},
		{"a page that is not there", "GET", "/nothing", "", map[string]string{"Accept": "text/html"}, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range c.headers {
				if name == "Host" {
					req.Host = value
				}
				req.Header.Set(name, value)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
				t.Errorf("%d %s; want %d and %q", resp.StatusCode, body, c.status, c.says)
			}
		})
	}
}

func TestTheSocketAnswersMore(t *testing.T) {
	w := newWebOf(t, nil, map[string]http.Handler{
		"GET /api/v1/local/x": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "local") }),
	})
	for path, want := range map[string]string{"/api/v1/local/x": "local", "/api/v1/alerts": `"alerts"`, "/healthz": "ok"} {
		answer := httptest.NewRecorder()
		w.Local().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
}

func TestWithoutAnEngineEventsAreNotTaken(t *testing.T) {
	w := newWebOf(t, nil, nil)
	for _, path := range []string{"/_bulk", "/logs/_bulk"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}\n"))
		r.Host = "localhost"
		answer := httptest.NewRecorder()
		w.Loopback().ServeHTTP(answer, r)
		if answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "kind: embedded") {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
}
