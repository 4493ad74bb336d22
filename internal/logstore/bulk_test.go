package logstore

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request to the store's handler. headers are name, value, name, value.
func ask(s *Store, method, url, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-ndjson")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

var (
	generatedID = regexp.MustCompile(`"_id":"[A-Za-z0-9_-]{20}"`)
	seqNo       = regexp.MustCompile(`"_seq_no":\d+`)
	took        = regexp.MustCompile(`"took":\d+`)
)

// plain replaces what differs from run to run.
func plain(s string) string {
	s = generatedID.ReplaceAllString(s, `"_id":"GENERATED"`)
	s = seqNo.ReplaceAllString(s, `"_seq_no":N`)
	return took.ReplaceAllString(s, `"took":N`)
}

func TestBulkAnswersEachItemAsElasticsearch(t *testing.T) {
	s := open(t, t.TempDir())
	ok := `"_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":N,"_primary_term":1,"status":201}`
	for _, c := range []struct{ name, url, body, want string }{
		{
			"create", "/_bulk", `{"create":{"_index":"a"}}` + "\n" + `{"m":1}` + "\n",
			`{"took":N,"errors":false,"items":[{"create":{"_index":"a","_id":"GENERATED",` + ok + `}]}`,
		},
		{
			"index of the path", "/b/_bulk?refresh", "\n" + `{"index":{}}` + "\r\n" + `{"m":2}` + "\r\n\r\n" + `{"index":{"_index":"c","_type":"_doc","_id":7,"routing":"x"}}` + "\n" + `{"m":3}` + "\n",
			`{"took":N,"errors":false,"items":[{"index":{"_index":"b","_id":"GENERATED",` + ok + `},{"index":{"_index":"c","_id":"7",` + ok + `}]}`,
		},
		{
			"the same again", "/c/_bulk", `{"index":{"_id":"7"}}` + "\n" + `{"m":3}` + "\n" + `{"index":{"_id":"7"}}` + "\n" + `{"m":4}` + "\n" + `{"create":{"_id":"7"}}` + "\n" + `{"m":3}` + "\n",
			`{"took":N,"errors":true,"items":[` +
				`{"index":{"_index":"c","_id":"7","_version":1,"result":"noop","_shards":{"total":1,"successful":1,"failed":0},"_primary_term":1,"status":200}},` +
				`{"index":{"_index":"c","_id":"7","status":409,"error":{"type":"version_conflict_engine_exception","reason":"[7]: append-only: a document with this id and other content exists; the log store never changes a document, so give the changed one an id of its own"}}},` +
				`{"create":{"_index":"c","_id":"7","status":409,"error":{"type":"version_conflict_engine_exception","reason":"[7]: version conflict, document already exists (current version [1])"}}}]}`,
		},
		{
			"what cannot be", "/d/_bulk", `{"delete":{"_id":"1"}}` + "\n" + `{"update":{"_id":"1"}}` + "\n" + `{"doc":{}}` + "\n" + `{"create":{}}` + "\n" + `{"m":` + "\n" + `{"create":{"_id":""}}` + "\n" + `{}` + "\n" + `{"create":{}}` + "\n" + `{"last":1}` + "\n",
			`{"took":N,"errors":true,"items":[` +
				`{"delete":{"_index":"d","_id":"1","status":400,"error":{"type":"illegal_argument_exception","reason":"the log store is append-only: delete is not possible, only index and create"}}},` +
				`{"update":{"_index":"d","_id":"1","status":400,"error":{"type":"illegal_argument_exception","reason":"the log store is append-only: update is not possible, only index and create"}}},` +
				`{"create":{"_index":"d","_id":null,"status":400,"error":{"type":"document_parsing_exception","reason":"the document is not JSON: unexpected end of JSON input"}}},` +
				`{"create":{"_index":"d","_id":null,"status":400,"error":{"type":"illegal_argument_exception","reason":"if _id is specified it must not be empty"}}},` +
				`{"create":{"_index":"d","_id":"GENERATED",` + ok + `}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(s, "POST", c.url, c.body)
			got := bodyOf(t, r)
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
			if diff := cmp.Diff(c.want, plain(got)); diff != "" || r.StatusCode != 200 {
				t.Errorf("status %d: %s", r.StatusCode, diff)
			}
			if r.Header.Get("X-Elastic-Product") != "Elasticsearch" {
				t.Error("the product is not named")
			}
		})
	}
	if got := bodyOf(t, ask(s, "POST", "/d/_bulk", `{"create":{}}`+"\n\n")); !strings.Contains(got, `"status":400`) {
		t.Errorf("an empty line for a document was answered %s", got)
	}
	if r := ask(s, "POST", "/_refresh", ""); r.StatusCode != 200 {
		t.Errorf("refresh: %s", bodyOf(t, r))
	}
	want := []string{`{"m":1}`, `{"m":2}`, `{"m":3}`, `{"last":1}`}
	if diff := cmp.Diff(want, sources(t, s, Search{})); diff != "" {
		t.Error(diff)
	}
}

func TestARequestThatCannotBeReadStoresNothing(t *testing.T) {
	s := open(t, t.TempDir())
	good := `{"create":{"_index":"a"}}` + "\n" + `{"m":1}` + "\n"
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		reason     string
	}{
		{"empty", "", nil, 400, "request body is required"},
		{"no newline", strings.TrimSuffix(good, "\n"), nil, 400, "must be terminated by a newline"},
		{"an action that is not JSON", good + "{\n{}\n", nil, 400, "Malformed action/metadata line [3]"},
		{"an unknown action", good + `{"upsert":{}}` + "\n{}\n", nil, 400, "but found [upsert]"},
		{"two actions", good + `{"index":{},"create":{}}` + "\n{}\n", nil, 400, "line [3]"},
		{"an action that is text", good + `{"index":"a"}` + "\n{}\n", nil, 400, "expected START_OBJECT"},
		{"an unknown parameter", good + `{"index":{"_idx":"a"}}` + "\n{}\n", nil, 400, "unknown parameter [_idx]"},
		{"no document", good + `{"index":{}}` + "\n", nil, 400, "its document is missing"},
		{"a form", good, []string{"Content-Type", "text/plain"}, 406, "not supported"},
		{"not gzip", good, []string{"Content-Encoding", "gzip"}, 400, "not gzip"},
		{"an unknown encoding", good, []string{"Content-Encoding", "br"}, 415, "send gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(s, "POST", "/_bulk?refresh=true", c.body, c.headers...)
			var answer struct {
				Error  struct{ Reason string }
				Status int
			}
			if err := json.Unmarshal([]byte(bodyOf(t, r)), &answer); err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != c.status || answer.Status != c.status || !strings.Contains(answer.Error.Reason, c.reason) {
				t.Errorf("answered %d %+v", r.StatusCode, answer)
			}
		})
	}
	if got := sources(t, s, Search{}); len(got) != 0 {
		t.Errorf("stored %q", got)
	}
}

func TestGzipIsReadAndBounded(t *testing.T) {
	s := open(t, t.TempDir())
	pack := func(parts ...string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		for _, p := range parts {
			if _, err := io.WriteString(w, p); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	r := ask(s, "POST", "/a/_bulk?refresh=wait_for", pack(`{"create":{}}`+"\n"+`{"zipped":1}`+"\n"), "Content-Encoding", "gzip")
	if got := sources(t, s, Search{}); r.StatusCode != 200 || len(got) != 1 {
		t.Errorf("status %d, stored %q", r.StatusCode, got)
	}
	bomb := make([]string, 101)
	for i := range bomb {
		bomb[i] = strings.Repeat("\n", 1<<20)
	}
	if r := ask(s, "POST", "/a/_bulk", pack(bomb...), "Content-Encoding", "gzip"); r.StatusCode != 413 {
		t.Errorf("a bomb was answered with %d", r.StatusCode)
	}
}

func TestAFullDiskIsSaidPerItem(t *testing.T) {
	s := open(t, t.TempDir())
	s.free = func() uint64 { return 0 }
	r := ask(s, "POST", "/a/_bulk", `{"create":{}}`+"\n{}\n")
	if got := bodyOf(t, r); r.StatusCode != 200 || !strings.Contains(got, `"status":429,"error":{"type":"es_rejected_execution_exception"`) {
		t.Errorf("answered %d %s", r.StatusCode, got)
	}
	if got := bodyOf(t, ask(s, "GET", "/_cluster/health", "")); !strings.Contains(got, `"status":"red"`) {
		t.Errorf("health is %s", got)
	}
}

func FuzzParseBulk(f *testing.F) {
	f.Add([]byte(`{"create":{"_index":"a","_id":"x"}}` + "\n" + `{"m":1}` + "\n" + `{"delete":{"_id":"1"}}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, failure := parseBulk(body, "i")
		if failure != nil && (items != nil || failure.Status != 400 || failure.Reason == "") {
			t.Errorf("answered %v and %d items", failure, len(items))
		}
		for _, item := range items {
			known := item.action == "index" || item.action == "create" || item.failure != nil
			if !known || bytes.ContainsRune(item.source, '\n') || item.action == "delete" && item.source != nil {
				t.Errorf("item %+v", item)
			}
		}
	})
}
