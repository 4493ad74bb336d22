package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/web"
)

func TestTheTableRefusesWhatItDoesNotSay(t *testing.T) {
	h := newRules(t)
	for _, tc := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"GET", "/api/v1/rules?colour=red", "", 400, "there is none here"},
		{"GET", "/api/v1/alerts?colour=red", "", 400, "there are limit, before, since, fate, source and id"},
		{"GET", "/api/v1/alerts?limit=1&limit=2", "", 400, "given once"},
		{"GET", "/api/v1/alerts?limit=x", "", 400, "not a whole number"},
		{"GET", "/api/v1/alerts?since=%zz", "", 400, "not well formed"},
		{"GET", "/api/v1/alerts?since=tomorrow", "", 400, "not a time such as"},
		{"POST", "/api/v1/verify", "", 400, "since is missing"},
		{"PATCH", "/api/v1/rules/a", "", 405, "there is GET, PUT, DELETE"},
		{"GET", "/api/v1/verify", "", 405, "there is POST"},
		{"GET", "/api/v1/nothing", "", 404, "openapi.json"},
		{"GET", "/api/v2/rules", "", 404, "openapi.json"},
		{"POST", "/api/v1/rules-check", `{"content":"a"} {}`, 400, "after its end"},
	} {
		asked(t, h, tc.method, tc.path, tc.body, tc.want, tc.says)
	}
}

func TestABodyThatIsNoJSONIsRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/api/v1/rules-check", strings.NewReader(`{"content":"name: a"}`))
	r.Header.Set("Content-Type", "text/plain")
	rec := httptest.NewRecorder()
	newRules(t).ServeHTTP(rec, r)
	if rec.Code != http.StatusUnsupportedMediaType {
		t.Errorf("%d: %s", rec.Code, rec.Body)
	}
}

func TestTheDocumentHasEveryEndpoint(t *testing.T) {
	h := newWeb(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Summary   string
			Responses map[string]any
		}
	}
	_, body := ask(t, h.Local(), "GET", "/api/v1/openapi.json")
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	for _, r := range h.Routes() {
		op, ok := doc.Paths["/api/v1"+r.Path][strings.ToLower(r.Method)]
		if !ok || op.Summary != r.Summary {
			t.Errorf("%s %s is not in the document", r.Method, r.Path)
		}
	}
}

func TestEveryEndpointHasARole(t *testing.T) {
	_, err := web.New(web.Options{})
	if err == nil {
		t.Fatal("no options are enough")
	}
	for _, r := range newWeb(t).Routes() {
		if !slices.Contains([]string{"viewer", "editor", "admin"}, string(r.Role)) {
			t.Errorf("%s %s has the role %q", r.Method, r.Path, r.Role)
		}
	}
}
