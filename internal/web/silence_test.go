package web_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

// newTuned serves a pipeline that took in four alerts, with all that people set.
func newTuned(t *testing.T) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	match, err := query.CompileFilter("hots.name: db")
	if err != nil {
		t.Fatal(err)
	}
	route := policy.Route{Path: "route", Channel: "#a", GroupBy: []string{"rule.name"}, Wait: time.Hour, Interval: time.Hour}
	sub := route
	sub.Path, sub.Match = "route.routes[0]", match
	route.Routes = []policy.Route{sub}
	p, err := policy.New(policy.Options{Root: route})
	if err != nil {
		t.Fatal(err)
	}
	in, err := intake.New(intake.Options{DB: db, Policy: p, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	var batch alert.Batch
	for i, host := range []string{"web-1", "web-2", "db", "web-3"} {
		id := []string{"one", "two", "three", "four"}[i]
		batch.Alerts = append(batch.Alerts, alert.Alert{
			ID: alert.NewID("s", id), Source: "s", SourceID: id, Time: time.Now(), Updated: time.Now(), Rule: alert.Rule{Name: "r"},
			Severity: alert.SeverityHigh, Document: json.RawMessage(`{"host":{"name":"` + host + `"}}`),
		})
	}
	if _, err := in.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	health, err := obs.NewHealth(obs.HealthOptions{Log: log, Required: []string{"state"}})
	if err != nil {
		t.Fatal(err)
	}
	book, err := tuning.New(tuning.Options{DB: db, Changed: in.Nudge})
	if err != nil {
		t.Fatal(err)
	}
	w, err := web.New(web.Options{
		Ledger: l, Outbox: o, Health: health, Metrics: http.NotFoundHandler(), Log: log,
		Verify: func(context.Context, time.Time) (*check.Verification, error) { return nil, nil },
		Parts: []web.Part{
			web.Tunings(web.TuningOptions{Book: book, Handle: in.Handle}),
			web.Routing(web.RoutesOptions{Explain: in.Explain, Policy: p, Place: func(string) config.Place { return config.Place{} }}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.Local()
}

// send asks for something with a body, and reads the answer.
func send(t *testing.T, h http.Handler, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	var out map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer.Body)
	}
	return answer.Code, out
}

func TestTheAPIOfSilences(t *testing.T) {
	h := newTuned(t)
	status, got := send(t, h, "POST", "/silences/preview", `{"match":"host.name: web*"}`)
	if status != 200 || got["matched"] != 3.0 || got["seen"] != 4.0 || got["said"] != 3.0 {
		t.Errorf("preview: %d %v", status, got)
	}
	status, got = send(t, h, "POST", "/silences", `{"match":"host.name:\n (web or","for":"2h","why":"x"}`)
	if status != 400 || got["field"] != "match" || got["line"] != 2.0 || got["column"] != 9.0 {
		t.Errorf("a wrong match: %d %v", status, got)
	}
	for body, want := range map[string]string{
		`{"match":"a: b","why":"x"}`:                                            "until: ",
		`{"match":"a: b","for":"2h"}`:                                           "why: ",
		`{"match":"a: b","for":"soon","why":"x"}`:                               "for ",
		`{"match":"a: b","for":"2h","until":"2099-01-01T00:00:00Z","why":"x"}`:  "not both",
		`{"match":"a: b","for":"2h","why":"x","mach":1}`:                        "mach",
		`{"match":"a: b","until":"2020-01-01T00:00:00Z","why":"x"}`:             "until: ",
		`{"match":"a: b","from":"2099-01-01T00:00:00Z","for":"2h","why":"  "}`:  "why: ",
		`{"match":"a: b","for":"2h","why":"` + strings.Repeat("x", 3000) + `"}`: "too long",
	} {
		if status, got := send(t, h, "POST", "/silences", body); status != 400 || !strings.Contains(got["error"].(string), want) {
			t.Errorf("%s: %d %v", body, status, got)
		}
	}
	status, made := send(t, h, "POST", "/silences", `{"match":"host.name: web*","for":"2h","why":"patching","who":"ann"}`)
	if status != 200 || made["state"] != "active" || made["who"] != "ann" || made["version"] != 1.0 {
		t.Fatalf("%d %v", status, made)
	}
	id := made["id"].(string)
	status, got = send(t, h, "PUT", "/silences/"+id, `{"match":"host.name: web-1","for":"1h","why":"less","base":1}`)
	if status != 200 || got["version"] != 2.0 {
		t.Errorf("%d %v", status, got)
	}
	if status, got = send(t, h, "PUT", "/silences/"+id, `{"match":"host.name: web-1","for":"1h","why":"less","base":1}`); status != 409 {
		t.Errorf("an old base: %d %v", status, got)
	}
	status, got = send(t, h, "POST", "/routes/test", `{"alert":"one"}`)
	if status != 200 || got["kept"] != "silence" || got["cause"].(map[string]any)["params"].(map[string]any)["id"] != id {
		t.Errorf("%d %v", status, got)
	}
	if status, got = send(t, h, "POST", "/silences/"+id+"/expire", ``); status != 200 || got["state"] != "expired" {
		t.Errorf("%d %v", status, got)
	}
	if status, got = send(t, h, "POST", "/silences/"+id+"/expire", `{}`); status != 409 {
		t.Errorf("twice: %d %v", status, got)
	}
	if status, got = send(t, h, "GET", "/silences/"+id, ""); status != 200 || len(got["history"].([]any)) != 3 {
		t.Errorf("%d %v", status, got)
	}
	for state, want := range map[string]int{"active": 0, "expired": 1} {
		if status, got = send(t, h, "GET", "/silences?state="+state, ""); status != 200 || len(got["items"].([]any)) != want {
			t.Errorf("%s: %d %v", state, status, got)
		}
	}
	if status, got = send(t, h, "GET", "/silences/s-none", ""); status != 404 {
		t.Errorf("%d %v", status, got)
	}
	if status, got = send(t, h, "POST", "/forwarding", `{"rule":"r","forward":false,"why":"noisy"}`); status != 200 || got["forward"] != false || got["match"] != `rule.name: "r"` {
		t.Errorf("%d %v", status, got)
	}
	if status, got = send(t, h, "POST", "/exceptions", `{"match":"*","forever":true,"why":"all"}`); status != 400 {
		t.Errorf("an exception of everything: %d %v", status, got)
	}
}

func TestTheAPIOfWhatPeopleDo(t *testing.T) {
	h := newTuned(t)
	if status, got := send(t, h, "POST", "/alerts/one/acknowledge", `{"who":"ann"}`); status != 200 || len(got["done"].([]any)) != 1 {
		t.Errorf("%d %v", status, got)
	}
	if status, got := send(t, h, "POST", "/alerts/one/close", `{"who":"bob","verdict":"false_positive","why":"the scanner"}`); status != 200 || len(got["done"].([]any)) != 2 {
		t.Errorf("%d %v", status, got)
	}
	_, got := send(t, h, "GET", "/alerts/one", "")
	if got["fate"] != "excluded" || got["handled"] != "closed" || got["handled_by"] != "bob" || got["verdict"] != "false_positive" || got["cause"].(map[string]any)["code"] != "closed" {
		t.Errorf("%v", got)
	}
	if _, got := send(t, h, "GET", "/alerts/one/why", ""); !strings.Contains(strings.Join(texts(got["steps"]), "; "), "closed by bob: false positive") {
		t.Errorf("%v", got)
	}
	if status, got := send(t, h, "POST", "/alerts/two/acknowledge", `{"verdict":"benign"}`); status != 400 {
		t.Errorf("%d %v", status, got)
	}
	if status, got := send(t, h, "POST", "/alerts/two/close", `{"verdict":"perhaps"}`); status != 400 {
		t.Errorf("%d %v", status, got)
	}
	if status, got := send(t, h, "POST", "/alerts/none/close", ``); status != 404 {
		t.Errorf("%d %v", status, got)
	}
	if status, got := send(t, h, "GET", "/alerts/two/handling", ""); status != 200 || len(got["done"].([]any)) != 0 {
		t.Errorf("%d %v", status, got)
	}
}

func TestTheAPIThatTriesRoutes(t *testing.T) {
	h := newTuned(t)
	status, got := send(t, h, "POST", "/routes/test", `{"rule":"r"}`)
	if status != 200 || !strings.Contains(got["about"].(string), "newest alert of the rule r") || len(got["taken"].([]any)) != 1 || len(got["steps"].([]any)) != 1 {
		t.Errorf("%d %v", status, got)
	}
	warning := got["warnings"].([]any)[0].(map[string]any)
	if warning["line"] != 1.0 || warning["column"] != 1.0 || !strings.Contains(warning["text"].(string), "did you mean host.name?") {
		t.Errorf("%v", warning)
	}
	status, got = send(t, h, "POST", "/routes/test", `{"document":{"hots":{"name":"db"}}}`)
	if status != 200 || got["taken"].([]any)[0].(map[string]any)["path"] != "route.routes[0]" || got["warnings"] != nil {
		t.Errorf("an alert that has the field: %d %v", status, got)
	}
	for body, want := range map[string]int{
		`{}`: 400, `{"alert":"one","rule":"r"}`: 400, `{"alert":"none"}`: 404, `{"rule":"none"}`: 404, `{"document":[1]}`: 400, `{"document":{"risk_score":"x"}}`: 400,
	} {
		if status, got := send(t, h, "POST", "/routes/test", body); status != want {
			t.Errorf("%s: %d %v", body, status, got)
		}
	}
}

func texts(v any) (out []string) {
	for _, one := range v.([]any) {
		out = append(out, one.(string))
	}
	return out
}
