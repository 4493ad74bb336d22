package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/check"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// newRules serves one rule of a file, linux/brute, and none of the database.
func newRules(t *testing.T) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, rule.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "linux"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "linux", "brute.yaml"), []byte("name: Brute\nsearch: a:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	health, err := obs.NewHealth(obs.HealthOptions{Log: log, Required: []string{"state"}})
	if err != nil {
		t.Fatal(err)
	}
	library, err := rule.New(t.Context(), rule.Options{DB: db, Dir: dir, Log: log, Report: health.Set})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	w, err := web.New(web.Options{
		Ledger: l, Outbox: reader, Health: health, Metrics: http.NotFoundHandler(), Log: log,
		Verify: func(context.Context, time.Time) (*check.Verification, error) {
			return nil, errors.New("not asked here")
		},
		Rules: library,
		Tests: &rule.Tester{Backend: func(documents []byte) query.Backend {
			return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(documents)}}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.Local()
}

// asked sends a request and holds the answer's status and what its body contains.
func asked(t *testing.T, h http.Handler, method, path, body string, status int, contains ...string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	got := rec.Body.String()
	if rec.Code != status {
		t.Errorf("%s %s: status %d, %s", method, path, rec.Code, got)
	}
	for _, want := range contains {
		if !strings.Contains(got, want) {
			t.Errorf("%s %s: %s\ndoes not contain %s", method, path, got, want)
		}
	}
	return got
}

func TestRulesAreChangedOverTheAPI(t *testing.T) {
	h := newRules(t)
	asked(t, h, "GET", "/api/v1/rules", "", 200, `"id":"linux/brute","name":"Brute","origin":"file"`, `"runs":true,"enabled":true`)
	asked(t, h, "GET", "/api/v1/rules/linux%2Fbrute", "", 200, `"content":"name: Brute\nsearch: a:1\n"`, `"rule":{"name":"Brute","search":"a:1"}`)
	asked(t, h, "POST", "/api/v1/rules", `{"content":"name: A\nsearch: a:1\ntests: [{name: t, events: e.ndjson, alerts: 2}]\n","files":{"e.ndjson":"eyJhIjoxfQo="},"base":0}`, 200,
		`"id":"a"`, `"version":1`, `"changed_by":"someone on this machine"`)
	asked(t, h, "POST", "/api/v1/rules/a/test", "", 200, `"test":"t","passed":false,"want":2,"got":1`, `expected 2 alerts, there were 1`)
	asked(t, h, "POST", "/api/v1/rules", `{"content":"{\"name\":\"B\",\"search\":\"b:1\"}","format":"json"}`, 200, `"id":"b"`)
	asked(t, h, "PUT", "/api/v1/rules/b", `{"content":"name: New name\nsearch: b:2\n","base":1,"note":"why"}`, 200, `"id":"b","name":"New name"`, `"version":2`)
	asked(t, h, "PUT", "/api/v1/rules/b", `{"content":"name: Newer name\nsearch: b:3\n","base":1}`, 409, "was changed meanwhile")
	asked(t, h, "PUT", "/api/v1/rules/b", `{"content":"name: X\nid: c\nsearch: b:3\n"}`, 400, "the id of a rule does not change")
	asked(t, h, "POST", "/api/v1/rules/b/state", `{"enabled":"shadow"}`, 200, `"enabled":"shadow"`, `"version":3`)
	asked(t, h, "POST", "/api/v1/rules/b/state", `{"enabled":false,"base":2}`, 409)
	asked(t, h, "GET", "/api/v1/rules/b/versions", "", 200, `"action":"shadowed"`, `"changes":[{"key":"name","old":"B","new":"New name"},{"key":"search","old":"b:1","new":"b:2"}]`, `"note":"why"`)
	asked(t, h, "GET", "/api/v1/rules/b/versions/1", "", 200, `"content":"name: B\nsearch: b:1\n"`)
	asked(t, h, "DELETE", "/api/v1/rules/b?base=1", "", 409)
	asked(t, h, "DELETE", "/api/v1/rules/b?note=old", "", 200)
	asked(t, h, "GET", "/api/v1/rules/b", "", 404, "no rule is called")
	asked(t, h, "GET", "/api/v1/rules/b/versions", "", 200, `"action":"deleted"`)
}

func TestWrongRequestsAboutRulesAreRefused(t *testing.T) {
	h := newRules(t)
	asked(t, h, "POST", "/api/v1/rules", `{"content":"name: A\nsearch: a:(\n","file":"mine.yaml"}`, 400,
		`"problems":[{"place":{"file":"mine.yaml","line":2,"column":12},"text":"search: `)
	asked(t, h, "POST", "/api/v1/rules-check", `{"content":"name: A\nsearch: a:(\n"}`, 200, `"ok":false`, `"line":2,"column":12`)
	asked(t, h, "POST", "/api/v1/rules-check", `{"content":"name: A\nsearch: 'a:\"b*\"'\n"}`, 200, `"ok":true`, `"warnings":[{"place":{"line":2,`)
	asked(t, h, "POST", "/api/v1/rules", `{"contnet":"x"}`, 400, "unknown field")
	asked(t, h, "POST", "/api/v1/rules", `nonsense`, 400, "not the JSON asked for")
	asked(t, h, "POST", "/api/v1/rules", `{"content":"name: a\nsearch: b","format":"toml"}`, 400, "neither yaml nor json")
	asked(t, h, "POST", "/api/v1/rules", `{"content":"`+strings.Repeat("x", 17<<20)+`"}`, 413)
	asked(t, h, "POST", "/api/v1/rules", `{"content":"name: Brute\nsearch: a:1"}`, 400, "read-only")
	asked(t, h, "POST", "/api/v1/rules/linux%2Fbrute/state", `{"enabled":false}`, 400, "read-only")
	asked(t, h, "POST", "/api/v1/rules/linux%2Fbrute/state", `{"enabled":[]}`, 400)
	asked(t, h, "POST", "/api/v1/rules/nothing/state", `{"enabled":true}`, 404)
	asked(t, h, "DELETE", "/api/v1/rules/linux%2Fbrute", "", 400, "read-only")
	asked(t, h, "GET", "/api/v1/rules/brute/versions/x", "", 400)
	asked(t, h, "GET", "/api/v1/rules/brute/versions/7", "", 404)
	asked(t, h, "GET", "/api/v1/rules-pack/nothing", "", 404)
}

func TestRulesOfThePackAreTakenOutOfIt(t *testing.T) {
	h := newRules(t)
	var pack struct{ Rules []struct{ ID, Name string } }
	if err := json.Unmarshal([]byte(asked(t, h, "GET", "/api/v1/rules-pack", "", 200, `"installed":false`)), &pack); err != nil || len(pack.Rules) == 0 {
		t.Fatal(err)
	}
	id := pack.Rules[0].ID
	asked(t, h, "GET", "/api/v1/rules-pack/"+id, "", 200, `"content":"name: `)
	asked(t, h, "POST", "/api/v1/rules/"+id+"/state", `{"enabled":"shadow","source":"siem"}`, 200, `"id":"`+id+`"`, `"origin":"database"`, `"source":"siem"`, `"enabled":"shadow"`)
	asked(t, h, "GET", "/api/v1/rules-pack", "", 200, `"installed":true`)
	asked(t, h, "POST", "/api/v1/rules/"+id+"/test", "", 200, `"passed":true`)
}

func TestTheSchemaIsServed(t *testing.T) {
	asked(t, newRules(t), "GET", "/api/v1/rule.schema.json", "", 200, "https://json-schema.org/draft/2020-12/schema", `"same_again_after"`)
}
