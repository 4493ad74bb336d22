package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/check"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/saved"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// typedFiles are documents in memory that know the types of their fields, as a cluster does.
type typedFiles struct {
	*files.Backend
	caps string
}

func (b typedFiles) FieldTypes(context.Context) ([]byte, error) { return []byte(b.caps), nil }

func (b typedFiles) Names(context.Context, []string, []string) ([]string, error) {
	return []string{"@timestamp", "event.ingested", "user.name", "event.outcome", "bytes"}, nil
}

// newSearches serves a source of so many failed logins of alice, one a second up to a time, and a third as many
// of bob, and a source that does not answer.
func newSearches(t *testing.T, events int, end time.Time) http.Handler {
	t.Helper()
	var text bytes.Buffer
	for i := range events {
		at := end.Add(-time.Duration(i+1) * time.Second)
		line := func(user string) {
			fmt.Fprintf(&text, `{"@timestamp":%q,"event":{"ingested":%q,"outcome":"failure"},"user":{"name":%q},"bytes":%d}`+"\n",
				at.Format(time.RFC3339), at.Add(3*time.Second).Format(time.RFC3339), user, i)
		}
		line("alice")
		if i%3 == 0 {
			line(`bob </script>`)
		}
	}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, saved.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o := over(t, db, log)
	keep, err := saved.New(saved.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	o.Verify = func(context.Context, time.Time) (*check.Verification, error) { return nil, errors.New("not here") }
	o.Parts = []web.Part{web.Searches(web.SearchOptions{Saved: keep, Channel: "#alerts", Sources: []web.SearchSource{
		{Name: "siem", Kind: "elasticsearch", Open: func(context.Context) (query.Backend, error) {
			return typedFiles{
				&files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(text.Bytes())}},
				`{"fields":{"@timestamp":{"date":{"aggregatable":true}},"user":{"object":{}},"user.name":{"keyword":{"aggregatable":true}},
					"event.outcome":{"keyword":{"aggregatable":true}},"message":{"text":{"aggregatable":false}},"bytes":{"long":{"aggregatable":true}},"_id":{"_id":{"metadata_field":true}}}}`,
			}, nil
		}},
		{Name: "gone", Kind: "opensearch", Open: func(context.Context) (query.Backend, error) { return nil, errors.New("connection refused") }},
	}})}
	w, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w.Loopback()
}

// post asks the API, and reads its answer.
func post[T any](t *testing.T, h http.Handler, path string, in any, status int) T {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, bytes.NewReader(b))
	r.Host = "127.0.0.1:7171"
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var out T
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != status {
		t.Fatalf("%s %s: %d, want %d: %s", path, b, rec.Code, status, rec.Body)
	}
	return out
}

type body map[string]any

func TestSearchAnswersAsTheCommandDoes(t *testing.T) {
	h := newSearches(t, 30, time.Now())
	raw := post[web.SearchAnswer](t, h, "/api/v1/search", body{"query": "user.name:alice", "limit": 7}, 200)
	if !raw.Raw || len(raw.Rows) != 7 || !raw.More || !raw.Exact || raw.Earliest == nil || !strings.Contains(string(raw.Rows[0]), `"user":{"name":"alice"}`) {
		t.Errorf("documents: %+v", raw)
	}
	table := post[web.SearchAnswer](t, h, "/api/v1/search", body{"query": "* | count by user.name | sort - count"}, 200)
	if table.Raw || table.More || len(table.Columns) != 2 || table.Columns[1] != (web.SearchColumn{Name: "count", Type: "long"}) || string(table.Rows[0]) != `{"user.name":"alice","count":30}` {
		t.Errorf("a table: %+v %s", table, table.Rows)
	}
	none := post[web.SearchAnswer](t, h, "/api/v1/search", body{"query": "*", "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}, 200)
	if len(none.Rows) != 0 || none.More {
		t.Errorf("another time: %+v", none)
	}
}

func TestLongAnswersComeCompressed(t *testing.T) {
	h := newSearches(t, 600, time.Now())
	ask := func(encoding string) (*http.Response, string) {
		r := httptest.NewRequest("POST", "/api/v1/search", strings.NewReader(`{"query":"*","limit":400}`))
		r.Host = "127.0.0.1:7171"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept-Encoding", encoding)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		resp := rec.Result()
		in := io.Reader(resp.Body)
		if resp.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			in = unzipped
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		var out web.SearchAnswer
		if err := json.Unmarshal(b, &out); err != nil || len(out.Rows) != 400 {
			t.Errorf("%q: %d rows, %v", encoding, len(out.Rows), err)
		}
		return resp, string(out.Rows[0])
	}
	plain, first := ask("identity")
	zipped, same := ask("br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" || first != same {
		t.Errorf("plain %v, compressed %v", plain.Header, zipped.Header)
	}
}

func TestWhatIsWrongWithASearchIsSaidAtItsPlace(t *testing.T) {
	h := newSearches(t, 1, time.Now())
	text := "user.name:\"😀\"\n| cuont by user.name"
	got := post[web.SearchFailure](t, h, "/api/v1/search", body{"query": text}, 422)
	if len(got.Problems) != 1 || got.Problems[0].Start != 17 || got.Problems[0].End != 22 || got.Problems[0].Line != 2 || got.Problems[0].Column != 3 {
		t.Errorf("refused with %+v", got)
	}
	checked := post[web.CheckAnswer](t, h, "/api/v1/search/check", body{"query": text}, 200)
	if checked.OK || len(checked.Problems) != 1 || checked.Problems[0].Start != 17 || checked.Problems[0].Hint != "count" {
		t.Errorf("checked: %+v", checked)
	}
	warned := post[web.CheckAnswer](t, h, "/api/v1/search/check", body{"query": "  user.nane:alice | count by user.name over 10m | search count >= 12"}, 200)
	if !warned.OK || len(warned.Warnings) != 1 || warned.Warnings[0].Start != 2 || warned.Warnings[0].End != 11 || warned.Warnings[0].Hint != "user.name" {
		t.Errorf("warned: %+v", warned.Warnings)
	}
	if l := warned.Threshold; l == nil || l.Value != 12 || l.Start != 66 || l.End != 68 || l.Op != ">=" || l.Window != "10m" || !slices.Equal(l.By, []string{"user.name"}) || warned.Kind != query.Windowed {
		t.Errorf("threshold: %+v of %+v", warned.Threshold, warned)
	}
	for _, bad := range []body{
		{"query": "*", "source": "none"}, {"query": "*", "from": "yesterday"}, {"query": "*", "from": "now", "to": "-1h"}, {"query": "*", "from": "all", "to": "now"},
	} {
		if got := post[web.SearchFailure](t, h, "/api/v1/search", bad, 422); got.Error == "" || got.Problems == nil {
			t.Errorf("%v: %+v", bad, got)
		}
	}
	if got := post[web.SearchFailure](t, h, "/api/v1/search", body{"query": "*", "source": "gone"}, 502); !strings.Contains(got.Error, "connection refused") {
		t.Errorf("a source that is gone: %+v", got)
	}
}

func TestHistogramAndWindowsCountWhatIsThere(t *testing.T) {
	end := time.Now().Truncate(5 * time.Minute).Add(-5 * time.Minute)
	h := newSearches(t, 600, end) // two windows of five minutes
	at := body{"query": "user.name:alice | count by user.name | search count > 10", "from": end.Add(-15 * time.Minute).Format(time.RFC3339), "to": end.Format(time.RFC3339)}
	histogram := post[web.Histogram](t, h, "/api/v1/histogram", at, 200)
	if histogram.Total != 600 || histogram.Step != 15_000 || len(histogram.Bars) != 40 || histogram.Bars[0].Count != 15 {
		t.Errorf("histogram: %d in %d bars of %d ms", histogram.Total, len(histogram.Bars), histogram.Step)
	}
	at["query"] = "event.outcome:failure | count by user.name | search count > 10"
	at["window"] = "5m"
	windows := post[web.Windows](t, h, "/api/v1/windows", at, 200)
	if len(windows.Groups) != 2 || windows.Groups[0].Key[0] != "alice" || windows.Groups[1].Key[0] != "bob </script>" || windows.Step != 300_000 {
		t.Fatalf("windows: %+v", windows)
	}
	for i, want := range []float64{300, 100} {
		values := windows.Groups[i].Values
		if len(values) != 2 || values[0].Value != want || values[1].Value != want || values[0].Time != end.Add(-10*time.Minute).UnixMilli() {
			t.Errorf("group %d: %+v, want twice %v", i, values, want)
		}
	}
	at["query"] = "* | count | search count > 5"
	if got := post[web.Windows](t, h, "/api/v1/windows", at, 200); len(got.Groups) != 1 || len(got.Groups[0].Values) != 2 || got.Groups[0].Values[0].Value != 400 {
		t.Errorf("without groups: %+v", got.Groups)
	}
	for _, wrong := range []body{{"query": "*"}, {"query": "* | count | search count > 5", "from": "-30d", "window": "1m"}, {"query": "* | count | search count > 5", "window": "soon"}} {
		post[web.SearchFailure](t, h, "/api/v1/windows", wrong, 422)
	}
}

func TestCompletionOffersWhatIsThere(t *testing.T) {
	h := newSearches(t, 30, time.Now())
	for text, want := range map[string]string{
		"us":                                  "user.name/keyword/40",
		"name":                                "user.name/keyword/40",
		"user.name:":                          "alice//30 bob </script>//10",
		"user.name:AL":                        "alice//30",
		"* | cou":                             "count//0",
		"* | count by ":                       "@timestamp/date/40 bytes/long/40 event.ingested/unknown/40 event.outcome/keyword/40 user.name/keyword/40",
		"* | count by user.name | search ":    "user.name//0 count//0 not//0",
		"* | count by user.name | sort - cou": "count//0",
		"😀 and not event.outcome:\"failure\" o": "or//0",
	} {
		got := post[web.Completion](t, h, "/api/v1/complete", body{"query": text, "position": len([]rune(text)) + strings.Count(text, "😀")}, 200)
		var labels []string
		for _, o := range got.Options {
			labels = append(labels, fmt.Sprintf("%s/%s/%d", o.Label, o.Type, o.Count))
		}
		if line := strings.Join(labels, " "); line != want && !(text == "* | count by " && strings.Contains(line, "user.name") && !strings.Contains(line, "message")) {
			t.Errorf("%s: %s, want %s", text, line, want)
		}
	}
	if got := post[web.Completion](t, h, "/api/v1/complete", body{"query": "user.name:b", "position": 11}, 200); got.Options[0].Apply != `"bob </script>"` || got.Start != 10 || got.End != 11 {
		t.Errorf("a value with spaces: %+v", got)
	}
}

func TestHintsTellWhereTheDocumentsAre(t *testing.T) {
	end := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	h := newSearches(t, 10, end)
	got := post[web.SearchHints](t, h, "/api/v1/search/hints", body{"query": "user.nam:alice or user.name:alice | count"}, 200)
	if got.Newest == nil || got.Match == nil || len(got.Warnings) != 1 || got.Warnings[0].Hint != "user.name" {
		t.Errorf("got %+v", got)
	}
	if none := post[web.SearchHints](t, h, "/api/v1/search/hints", body{"query": "user.name:eve"}, 200); none.Match != nil || none.Newest == nil {
		t.Errorf("nothing ever: %+v", none)
	}
}

func TestIngestDelayIsMeasured(t *testing.T) {
	h := newSearches(t, 10, time.Now())
	_, text := ask(t, h, "GET", "/api/v1/ingest-delay?source=siem")
	var got web.IngestDelay
	if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Known || got.P99 != 3000 || got.Looked != 14 {
		t.Errorf("%s: %v", text, err)
	}
}

func TestSearchesAreSavedByName(t *testing.T) {
	h := newSearches(t, 1, time.Now())
	post[saved.Search](t, h, "/api/v1/saved-searches", body{"name": " failed ", "query": "a:b", "source": "siem", "from": "-7d"}, 200)
	if code, text := ask(t, h, "GET", "/api/v1/saved-searches"); code != 200 || !strings.Contains(text, `"name":"failed"`) || !strings.Contains(text, `"from":"-7d"`) {
		t.Errorf("%d %s", code, text)
	}
	post[web.Failure](t, h, "/api/v1/saved-searches", body{"name": " ", "query": "a:b"}, 400)
	if got := post[web.Completion](t, h, "/api/v1/complete", body{"query": "Fai", "position": 3}, 200); len(got.Options) != 1 || got.Options[0].Apply != "a:b" || got.Options[0].Kind != "saved" {
		t.Errorf("completed with %+v", got.Options)
	}
	if got := post[web.Completion](t, h, "/api/v1/complete", body{"query": "x and fai", "position": 9}, 200); len(got.Options) != 0 {
		t.Errorf("in the middle of a search: %+v", got.Options)
	}
	for _, want := range []int{200, 404} {
		if code, text := ask(t, h, "DELETE", "/api/v1/saved-searches/failed"); code != want {
			t.Errorf("%d %s", code, text)
		}
	}
}
