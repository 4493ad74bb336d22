package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/web"
)

// served is a whole program that runs, with a login and a token of each role.
type served struct {
	*App
	tokens   map[account.Role]string
	document map[string]any
	schemas  *jsonschema.Compiler
}

func serveWhole(t *testing.T) *served {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Login.Required = t.TempDir(), loopbackAnyPort, true
	a, err := New(t.Context(), Options{Config: cfg, Version: "v1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &served{App: a, tokens: map[account.Role]string{}}
	root := account.Identity{Name: "root", Role: account.Admin, Via: account.ViaSocket}
	for _, role := range append([]account.Role{account.Ingest}, account.Roles...) {
		made, err := a.accounts.AddToken(t.Context(), root, string(role), role, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[role] = made.Secret
	}
	_, _, body := s.ask(t, account.Viewer, "GET", "/openapi.json", "")
	if err := json.Unmarshal(body, &s.document); err != nil {
		t.Fatalf("the document: %v in %s", err, body)
	}
	s.schemas = jsonschema.NewCompiler()
	s.schemas.DefaultDraft(jsonschema.Draft2020)
	if err := s.schemas.AddResource("openapi.json", s.document); err != nil {
		t.Fatal(err)
	}
	return s
}

// ask asks the API as someone with a role; nobody where it is empty.
func (s *served) ask(t *testing.T, role account.Role, method, path, body string) (status int, kind string, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(s.URL(), "/")+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+s.tokens[role])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), answer
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// fits reports what an answer lacks of what the document says of it.
func (s *served) fits(r web.Route, status int, kind string, body []byte) error {
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	at := []string{"paths", "/api/v1" + r.Path, strings.ToLower(r.Method), "responses", fmt.Sprint(status)}
	var in any = s.document
	for _, key := range at {
		within, ok := in.(map[string]any)
		if in, ok = within[key], ok && within[key] != nil; !ok {
			return fmt.Errorf("status %d is not in the document: %s", status, body)
		}
	}
	media, _, _ := strings.Cut(kind, ";")
	content, _ := in.(map[string]any)["content"].(map[string]any)
	of, ok := content[media].(map[string]any)
	if !ok {
		return fmt.Errorf("status %d is of the type %q, which is not in the document", status, kind)
	}
	if of["schema"] == nil || !strings.HasSuffix(media, "json") {
		return nil
	}
	pointer := ""
	for _, key := range append(at, "content", media, "schema") {
		pointer += "/" + escape(key)
	}
	schema, err := s.schemas.Compile("openapi.json#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err != nil {
		return fmt.Errorf("the schema of status %d: %w", status, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("status %d is no JSON: %w", status, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("status %d: %w: %s", status, err, body)
	}
	return nil
}

// TestEveryEndpointLetsInWhoMayAndAnswersAsItsDocumentSays walks the table of the API: every role at every
// endpoint.
func TestEveryEndpointLetsInWhoMayAndAnswersAsItsDocumentSays(t *testing.T) {
	s := serveWhole(t)
	routes := s.web.Routes()
	if len(routes) < 25 {
		t.Fatalf("there are only %d endpoints", len(routes))
	}
	for _, r := range routes {
		path := parameter.ReplaceAllString(r.Path, "nothing")
		body := ""
		if r.Body != nil {
			body = "{}"
		}
		t.Run(r.Method+" "+strings.ReplaceAll(r.Path, "/", "_"), func(t *testing.T) {
			if !slices.Contains(account.Roles, r.Role) {
				t.Fatalf("it has the role %q", r.Role)
			}
			status, kind, got := s.ask(t, "", r.Method, path, body)
			if err := s.fits(r, status, kind, got); status != http.StatusUnauthorized || err != nil {
				t.Errorf("nobody: %d, %v", status, err)
			}
			for _, role := range append([]account.Role{account.Ingest}, account.Roles...) {
				status, kind, got := s.ask(t, role, r.Method, path, body)
				if err := s.fits(r, status, kind, got); err != nil {
					t.Errorf("%s: %v", role, err)
				}
				refused := status == http.StatusForbidden || status == http.StatusUnauthorized
				if refused == role.Allows(r.Role) {
					t.Errorf("%s: %d, and it needs %s", role, status, r.Role)
				}
				if status >= 500 && !slices.Contains(r.Fails, status) {
					t.Errorf("%s: %d: %s", role, status, got)
				}
				// What needs nothing must answer.
				if role == account.Admin && r.Method == "GET" && r.Path == path && !slices.ContainsFunc(r.Query, func(q web.Query) bool { return q.Needed }) && status != http.StatusOK {
					t.Errorf("%s: %d: %s", role, status, got)
				}
			}
		})
	}
}

// TestAnswersOfWhatIsThereFitTheDocument asks for things that exist, so that whole answers are held against
// their schemas.
func TestAnswersOfWhatIsThereFitTheDocument(t *testing.T) {
	s := serveWhole(t)
	routes := map[string]web.Route{}
	for _, r := range s.web.Routes() {
		routes[r.Method+" "+r.Path] = r
	}
	for _, tc := range []struct{ route, path, body string }{
		{"POST /users", "/users", `{"name":"ann","password":"correct horse battery","role":"admin"}`},
		{"POST /users", "/users", `{"name":"bob","password":"correct horse battery","role":"viewer"}`},
		{"GET /users", "/users", ""},
		{"GET /users/{name}", "/users/ann", ""},
		{"PUT /users/{name}/role", "/users/bob/role", `{"role":"editor"}`},
		{"PUT /users/{name}/password", "/users/bob/password", `{"password":"another horse battery"}`},
		{"DELETE /users/{name}", "/users/bob", ""},
		{"POST /tokens", "/tokens", `{"name":"t","role":"viewer","expires_in":"90d"}`},
		{"GET /tokens", "/tokens", ""},
		{"GET /audit", "/audit?action=user&limit=5", ""},
		{"GET /session", "/session", ""},
		{"GET /sources/{name}", "/sources/embedded", ""},
		{"GET /health", "/health", ""},
		{"POST /rules", "/rules", `{"content":"name: A\nsearch: a:1\nsource: embedded\ntests: [{name: t, events: e.ndjson, alerts: 2}]\n","files":{"e.ndjson":"eyJhIjoxfQo="},"base":0}`},
		{"GET /rules", "/rules", ""},
		{"GET /rules/{id}", "/rules/a", ""},
		{"POST /rules/{id}/test", "/rules/a/test", ""},
		{"POST /rules/{id}/state", "/rules/a/state", `{"enabled":"shadow"}`},
		{"GET /rules/{id}/versions", "/rules/a/versions", ""},
		{"GET /rules/{id}/versions/{version}", "/rules/a/versions/1", ""},
		{"POST /rules-check", "/rules-check", `{"content":"name: A\nsearch: a:(\n"}`},
		{"GET /rules-pack", "/rules-pack", ""},
		{"GET /rules-pack/{id}", "/rules-pack/sshd-brute-force", ""},
		{"GET /rule.schema.json", "/rule.schema.json", ""},
		{"GET /channels", "/channels", ""},
		{"GET /kibana-rules", "/kibana-rules", ""},
		{"POST /rules-change", "/rules-change", `{"rules":["nothing"],"channel":""}`},
		{"GET /digests", "/digests", ""},
		{"POST /verify", "/verify?since=2026-01-01T00:00:00Z", ""},
		{"DELETE /rules/{id}", "/rules/a", ""},
	} {
		r, ok := routes[tc.route]
		if !ok {
			t.Errorf("%s is not on the table", tc.route)
			continue
		}
		status, kind, body := s.ask(t, account.Admin, r.Method, tc.path, tc.body)
		if err := s.fits(r, status, kind, body); status != http.StatusOK || err != nil {
			t.Errorf("%s %s: %d, %v: %s", r.Method, tc.path, status, err, body)
		}
	}
	events, _, err := s.accounts.Events(t.Context(), account.EventFilter{Who: "token admin"})
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, e := range slices.Backward(events) {
		done = append(done, e.Action+" "+e.Object)
	}
	want := []string{
		"add user ann", "add user bob", "set role bob", "set password bob", "remove user bob", "add token t",
		"POST /api/v1/rules a", "POST /api/v1/rules/{id}/state a", "POST /api/v1/rules-change nothing", "DELETE /api/v1/rules/{id} a",
	}
	if !slices.Equal(done, want) {
		t.Errorf("the log of changes has %q, want %q", done, want)
	}
}

func TestChangesByTheFormsOfPagesAreLogged(t *testing.T) {
	s := serveWhole(t)
	if status, _, body := s.ask(t, account.Editor, "POST", "/rules", `{"content":"name: A\nsearch: a:1\nsource: embedded\n"}`); status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	post := func(role account.Role, path, form string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(s.URL(), "/")+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.tokens[role])
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if status := post(account.Viewer, "/rules/a/delete", ""); status != http.StatusForbidden {
		t.Errorf("a viewer deletes a rule: %d", status)
	}
	if status := post(account.Editor, "/rules/nothing/delete", ""); status < 400 {
		t.Errorf("a rule that is not there is deleted: %d", status)
	}
	if status := post(account.Editor, "/rules/a/delete", ""); status != http.StatusSeeOther {
		t.Errorf("deleting a rule: %d", status)
	}
	events, _, err := s.accounts.Events(t.Context(), account.EventFilter{Who: "token", Action: "/rules/"})
	if err != nil || len(events) != 1 || events[0].Action != "POST /rules/{id}/delete" || events[0].Object != "a" || events[0].Who != "token editor" || events[0].Detail == "" {
		t.Errorf("the log of changes has %+v, %v", events, err)
	}
}

// TestRolesAreNoLessThanTheyMustBe keeps a slip in the table from letting more people in: what is administration
// is an admin's, and what a viewer may send is named here, as it changes nothing of others.
func TestRolesAreNoLessThanTheyMustBe(t *testing.T) {
	s := serveWhole(t)
	harmless := []string{
		"POST /session/password", "POST /search", "POST /search/check", "POST /search/hints", "POST /histogram", "POST /windows", "POST /complete",
		"POST /rules-check", "POST /rules/{id}/test", "POST /rules/backtests", "POST /rules/{id}/why", "POST /messages/preview",
		"POST /silences/preview", "POST /exceptions/preview", "POST /forwarding/preview", "POST /routes/test",
	}
	for _, r := range s.web.Routes() {
		name := r.Method + " " + r.Path
		administration := slices.ContainsFunc([]string{"/users", "/tokens", "/audit"}, func(p string) bool { return r.Path == p || strings.HasPrefix(r.Path, p+"/") })
		switch {
		case administration && r.Role != account.Admin:
			t.Errorf("%s needs %s only", name, r.Role)
		case r.Method != http.MethodGet && r.Role == account.Viewer && !slices.Contains(harmless, name):
			t.Errorf("%s is open to viewers: is nothing changed by it?", name)
		}
	}
	for _, p := range s.web.Pages() {
		open := p.Path == "/login" || strings.HasPrefix(p.Path, "/login/") || slices.Contains([]string{"/logout", "/setup", "/theme", "/assets/", "/{$}"}, p.Path)
		administration := slices.Contains([]string{"/users", "/tokens", "/audit"}, p.Path)
		switch {
		case p.Open && !open:
			t.Errorf("the page %s %s is open to everyone", p.Method, p.Path)
		case administration && p.Role != account.Admin:
			t.Errorf("the page %s %s needs %s only", p.Method, p.Path, p.Role)
		}
	}
}
