package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/check"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

const (
	annPassword = "correct horse battery"
	origin      = "https://tocsin.example.com"
)

// gated is a web that people have to sign in to.
type gated struct {
	http.Handler
	web      *web.Web
	accounts *account.Accounts
}

func newGated(t *testing.T, access web.Access) *gated {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, account.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	accounts, err := account.New(account.Options{DB: db, Log: log, Secure: access.Secure})
	if err != nil {
		t.Fatal(err)
	}
	root := account.Identity{Name: "root", Role: account.Admin, Via: account.ViaSocket}
	for _, role := range account.Roles {
		if _, err := accounts.AddUser(t.Context(), root, map[account.Role]string{account.Viewer: "vic", account.Editor: "eve", account.Admin: "ann"}[role], annPassword, role); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ledger.New(ledger.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	h, err := obs.NewHealth(obs.HealthOptions{Log: log, Required: []string{"state at secret-host"}})
	if err != nil {
		t.Fatal(err)
	}
	logs := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("taken")) })
	w, err := web.New(web.Options{
		Ledger: l, Outbox: o, Health: h, Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("metrics")) }),
		Version: "v1", Log: log, Logs: logs, Accounts: accounts, Access: access,
		Verify: func(_ context.Context, since time.Time) (*check.Verification, error) {
			return &check.Verification{OK: true, Since: since}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &gated{w.Public(), w, accounts}
}

// asks is one request from another machine. Its header is pairs of names and values.
func (g *gated) asks(t *testing.T, method, path, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "tocsin.example.com", "192.0.2.1:4711"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	return rec.Result()
}

// signIn is the cookie of someone.
func (g *gated) signIn(t *testing.T, name string) string {
	t.Helper()
	resp := g.asks(t, "POST", "/login", url.Values{"name": {name}, "password": {annPassword}, "next": {"/audit"}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/audit" {
		t.Fatalf("%s: %d to %q: %s", name, resp.StatusCode, resp.Header.Get("Location"), read(t, resp))
	}
	for _, c := range resp.Cookies() {
		if strings.Contains(c.Name, "tocsin") {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatal("there is no cookie")
	return ""
}

func secureAccess() web.Access { return web.Access{Required: true, Secure: true, BehindProxy: true} }

func TestNobodyGetsInWithoutALogin(t *testing.T) {
	g := newGated(t, secureAccess())
	for _, r := range g.web.Routes() {
		path := "/api/v1" + strings.NewReplacer("{", "", "}", "").Replace(r.Path)
		resp := g.asks(t, r.Method, path, "{}")
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s %s: %d", r.Method, path, resp.StatusCode)
		}
	}
	for _, p := range g.web.Pages() {
		resp := g.asks(t, p.Method, strings.NewReplacer("{$}", "").Replace(p.Path), "", "Accept", "text/html")
		switch {
		case p.Open && p.Path != "/{$}":
		case resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login"):
			t.Errorf("%s %s: %d to %q", p.Method, p.Path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	for path, want := range map[string]int{
		"GET /metrics": 401, "GET /healthz": 200, "GET /readyz": 503, "POST /_bulk": 401, "POST /x/_bulk": 401, "GET /": 401, "GET /_cluster/health": 401,
		"PUT /anything": 401, "DELETE /anything": 401, "GET /api/v1/nothing": 404, "GET /nothing": 404, "HEAD /api/v1/alerts": 401,
	} {
		method, path, _ := strings.Cut(path, " ")
		resp := g.asks(t, method, path, "")
		if body := read(t, resp); resp.StatusCode != want || strings.Contains(body, "secret-host") || strings.Contains(body, "taken") {
			t.Errorf("%s %s: %d: %s", method, path, resp.StatusCode, body)
		}
	}
}

func TestASessionIsInACookieThatNothingElseReads(t *testing.T) {
	g := newGated(t, secureAccess())
	resp := g.asks(t, "POST", "/login", "name=ann&password="+url.QueryEscape(annPassword), "Content-Type", "application/x-www-form-urlencoded")
	var found bool
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-tocsin" {
			found = true
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge < 12*3600-60 || c.MaxAge > 12*3600+60 {
				t.Errorf("the cookie is %+v", c)
			}
		}
	}
	if !found || resp.Header.Get("Location") != "/" {
		t.Errorf("cookies %v, to %q", resp.Cookies(), resp.Header.Get("Location"))
	}
	if g := newGated(t, web.Access{Required: true}); !strings.HasPrefix(g.signIn(t, "ann"), "tocsin=") {
		t.Error("without TLS the cookie has a prefix that browsers take over TLS only")
	}
}

func TestPagesOfOtherSitesChangeNothing(t *testing.T) {
	g := newGated(t, secureAccess())
	cookie := g.signIn(t, "ann")
	change := `{"name":"mallory","password":"` + annPassword + `","role":"admin"}`
	for _, tc := range []struct {
		name   string
		header []string
		want   int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sister of ours", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser for another site", []string{"Origin", "https://evil.example"}, 403},
		{"a sandbox", []string{"Origin", "null"}, 403},
		{"a port of ours", []string{"Origin", origin + ":8443"}, 403},
		{"ours", []string{"Sec-Fetch-Site", "same-origin", "Origin", origin}, 200},
		{"an old browser for ours", []string{"Origin", origin}, 409},
	} {
		header := append([]string{"Cookie", cookie, "Content-Type", "application/json"}, tc.header...)
		if resp := g.asks(t, "POST", "/api/v1/users", change, header...); resp.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d: %s", tc.name, resp.StatusCode, tc.want, read(t, resp))
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		if resp := g.asks(t, "POST", "/api/v1/users", change, "Cookie", cookie, "Content-Type", kind); resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("a form of %s: %d", kind, resp.StatusCode)
		}
	}
	if resp := g.asks(t, "POST", "/logout", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another site signs people out: %d", resp.StatusCode)
	}
}

func TestAnswersTellBrowsersToBeCareful(t *testing.T) {
	g := newGated(t, secureAccess())
	cookie := g.signIn(t, "ann")
	for _, path := range []string{"/login", "/users", "/tokens", "/audit", "/account", "/api/v1/session", "/nothing"} {
		resp := g.asks(t, "GET", path, "", "Cookie", cookie, "Accept", "text/html")
		policy := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy is %q", path, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		for name, want := range map[string]string{
			"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if resp.StatusCode == http.StatusOK && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", path, resp.Header.Get("Cache-Control"))
		}
	}
	if resp := newGated(t, web.Access{Required: true}).asks(t, "GET", "/login", ""); resp.Header.Get("Strict-Transport-Security") != "" {
		t.Error("a promise of TLS without TLS")
	}
}

func TestPagesOfAccountsAreForAdmins(t *testing.T) {
	g := newGated(t, secureAccess())
	for name, want := range map[string]int{"vic": 403, "eve": 403, "ann": 200} {
		cookie := g.signIn(t, name)
		for _, path := range []string{"/users", "/tokens", "/audit"} {
			resp := g.asks(t, "GET", path, "", "Cookie", cookie, "Accept", "text/html")
			if body := read(t, resp); resp.StatusCode != want || !strings.Contains(body, "<html") {
				t.Errorf("%s as %s: %d", path, name, resp.StatusCode)
			}
		}
		if resp := g.asks(t, "POST", "/users", "do=add&name=m&password="+url.QueryEscape(annPassword)+"&role=admin", "Cookie", cookie,
			"Content-Type", "application/x-www-form-urlencoded"); (resp.StatusCode == 403) != (want == 403) {
			t.Errorf("%s adds users: %d", name, resp.StatusCode)
		}
	}
}

func TestUsersAndTokensAreChangedOnTheirPages(t *testing.T) {
	g := newGated(t, secureAccess())
	cookie := g.signIn(t, "ann")
	post := func(path string, form ...string) *http.Response {
		values := url.Values{}
		for i := 0; i+1 < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		return g.asks(t, "POST", path, values.Encode(), "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	if resp := post("/users", "do", "add", "name", "bob", "password", annPassword, "role", "viewer"); resp.StatusCode != 303 {
		t.Fatalf("add: %d", resp.StatusCode)
	}
	post("/users", "do", "role", "name", "bob", "role", "editor")
	bob := g.signIn(t, "bob")
	if body := read(t, g.asks(t, "GET", "/api/v1/session", "", "Cookie", bob)); !strings.Contains(body, `"name":"bob","role":"editor","via":"session","login_required":true`) {
		t.Errorf("bob is %s", body)
	}
	post("/users", "do", "remove", "name", "bob")
	if resp := g.asks(t, "GET", "/api/v1/session", "", "Cookie", bob); resp.StatusCode != 401 {
		t.Errorf("bob is still there: %d", resp.StatusCode)
	}
	page := read(t, post("/tokens", "do", "add", "name", `<script>alert(1)</script>`, "role", "viewer", "expires_in", "30d"))
	_, after, _ := strings.Cut(page, "<code>tocsin_")
	secret, _, ok := strings.Cut(after, "</code>")
	if !ok || strings.Contains(page, "<script>alert") {
		t.Fatalf("the token is not shown: %s", page)
	}
	secret = "tocsin_" + secret
	if resp := g.asks(t, "GET", "/api/v1/alerts", "", "Authorization", "Bearer "+secret); resp.StatusCode != 200 {
		t.Errorf("the token: %d", resp.StatusCode)
	}
	listed := read(t, g.asks(t, "GET", "/tokens", "", "Cookie", cookie))
	if strings.Contains(listed, secret) {
		t.Error("the token is shown again")
	}
	id := strings.Split(secret, "_")[1]
	post("/tokens", "do", "revoke", "id", id)
	if resp := g.asks(t, "GET", "/api/v1/alerts", "", "Authorization", "Bearer "+secret); resp.StatusCode != 401 {
		t.Errorf("the token after it was revoked: %d", resp.StatusCode)
	}
	log := read(t, g.asks(t, "GET", "/audit", "", "Cookie", cookie))
	for _, want := range []string{"add user", "set role", "from viewer to editor", "remove user", "add token", "revoke token", "&lt;script&gt;", "192.0.2.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log of changes lacks %q", want)
		}
	}
}

func TestShippersSendEventsWithATokenForThat(t *testing.T) {
	g := newGated(t, secureAccess())
	root := account.Identity{Name: "root", Role: account.Admin, Via: account.ViaSocket}
	for role, want := range map[account.Role]int{account.Ingest: 200, account.Viewer: 403, account.Editor: 403, account.Admin: 200} {
		made, err := g.accounts.AddToken(t.Context(), root, "shipper", role, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []string{
			"Bearer " + made.Secret, "ApiKey " + base64.StdEncoding.EncodeToString([]byte(made.APIKey)), "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+made.Secret)),
		} {
			resp := g.asks(t, "POST", "/_bulk", "{}", "Authorization", header)
			body := read(t, resp)
			if resp.StatusCode != want || want != 200 && !strings.Contains(body, `"type":"security_exception"`) {
				t.Errorf("%s with %.6s: %d %s", role, header, resp.StatusCode, body)
			}
			if resp := g.asks(t, "GET", "/", "", "Authorization", header); resp.StatusCode != 200 {
				t.Errorf("the banner for %s with %.6s: %d", role, header, resp.StatusCode)
			}
		}
		if role == account.Ingest {
			for path, want := range map[string]int{"/api/v1/alerts": 403, "/api/v1/session": 403, "/metrics": 403} {
				if resp := g.asks(t, "GET", path, "", "Authorization", "Bearer "+made.Secret); resp.StatusCode != want {
					t.Errorf("a token for events at %s: %d", path, resp.StatusCode)
				}
			}
			if resp := g.asks(t, "GET", "/api/v1/alerts", "", "Authorization", "ApiKey "+base64.StdEncoding.EncodeToString([]byte(made.APIKey))); resp.StatusCode != 401 {
				t.Errorf("an API key at the API: %d", resp.StatusCode)
			}
		}
	}
	resp := g.asks(t, "POST", "/_bulk", "{}", "Authorization", "ApiKey nonsense")
	if resp.StatusCode != 401 || len(resp.Header.Values("WWW-Authenticate")) != 3 {
		t.Errorf("a wrong key: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestAWrongLoginSaysNothingOfWhichPartIsWrong(t *testing.T) {
	g := newGated(t, secureAccess())
	try := func(name, password string) (int, string) {
		resp := g.asks(t, "POST", "/login", url.Values{"name": {name}, "password": {password}}.Encode(), "Content-Type", "application/x-www-form-urlencoded",
			"X-Forwarded-For", "203.0.113.9, 198.51.100."+string(rune('1'+len(name))))
		return resp.StatusCode, strings.ReplaceAll(strings.ReplaceAll(stripNonce(read(t, resp)), name, "NAME"), "\r", "")
	}
	wrongName, one := try("nan", "wrong horse battery")
	wrongPassword, two := try("ann", "wrong horse battery")
	if wrongName != 401 || wrongPassword != 401 || one != two {
		t.Errorf("%d and %d differ:\n%s\n%s", wrongName, wrongPassword, one, two)
	}
	var last *http.Response
	for range 40 {
		last = g.asks(t, "POST", "/login", "name=ann&password=x", "Content-Type", "application/x-www-form-urlencoded")
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" || !strings.Contains(read(t, last), "too many tries") {
		t.Errorf("40 tries: %d %v", last.StatusCode, last.Header)
	}
}

func stripNonce(page string) string {
	for {
		before, after, ok := strings.Cut(page, `nonce="`)
		if !ok {
			return page
		}
		_, rest, _ := strings.Cut(after, `"`)
		page = before + rest
	}
}

func TestSigningInGoesOnToOurOwnPagesOnly(t *testing.T) {
	for next, want := range map[string]string{
		"/rules?a=b#c": "/rules?a=b#c", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "javascript:alert(1)": "/", "": "/", "rules": "/",
		"/\t/evil.example": "/", "http:/x": "/",
	} {
		g := newGated(t, secureAccess())
		resp := g.asks(t, "POST", "/login", url.Values{"name": {"ann"}, "password": {annPassword}, "next": {next}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != want {
			t.Errorf("%q goes on to %q, %d", next, got, resp.StatusCode)
		}
	}
}

func TestTheProxyTellsWhereRequestsComeFrom(t *testing.T) {
	for name, tc := range map[string]struct {
		access web.Access
		header []string
		want   string
	}{
		"no proxy":               {web.Access{Required: true, Secure: true}, []string{"X-Forwarded-For", "203.0.113.9"}, "192.0.2.1"},
		"a proxy":                {secureAccess(), []string{"X-Forwarded-For", "203.0.113.9"}, "203.0.113.9"},
		"what a client wrote":    {secureAccess(), []string{"X-Forwarded-For", "10.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		"in a header of its own": {secureAccess(), []string{"X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		"nonsense":               {secureAccess(), []string{"X-Forwarded-For", "<script>"}, "192.0.2.1"},
		"a proxy that says none": {secureAccess(), nil, "192.0.2.1"},
	} {
		g := newGated(t, tc.access)
		g.asks(t, "POST", "/login", "name=ann&password=wrong", append([]string{"Content-Type", "application/x-www-form-urlencoded"}, tc.header...)...)
		events, _, err := g.accounts.Events(t.Context(), account.EventFilter{Action: "sign in"})
		if err != nil || len(events) != 1 || events[0].Address != tc.want {
			t.Errorf("%s: %+v, %v", name, events, err)
		}
	}
}

func TestChangesOverTheAPIAreLogged(t *testing.T) {
	g := newGated(t, secureAccess())
	cookie := g.signIn(t, "eve")
	if resp := g.asks(t, "POST", "/api/v1/verify?since=2026-11-24T00:00:00Z", "", "Cookie", cookie); resp.StatusCode != 200 {
		t.Fatalf("%d", resp.StatusCode)
	}
	events, _, err := g.accounts.Events(t.Context(), account.EventFilter{Who: "eve"})
	if err != nil || len(events) != 1 || events[0].Action != "sign in" {
		t.Errorf("comparing is a change: %+v, %v", events, err)
	}
}

func TestOneChangesOnesOwnPassword(t *testing.T) {
	g := newGated(t, secureAccess())
	cookie, other := g.signIn(t, "vic"), g.signIn(t, "vic")
	change := func(old, now string) *http.Response {
		in, err := json.Marshal(map[string]string{"old_password": old, "new_password": now})
		if err != nil {
			t.Fatal(err)
		}
		return g.asks(t, "POST", "/api/v1/session/password", string(in), "Cookie", cookie, "Content-Type", "application/json")
	}
	if resp := change("wrong", "another horse battery"); resp.StatusCode != 400 {
		t.Errorf("with a wrong old password: %d", resp.StatusCode)
	}
	if resp := change(annPassword, "short"); resp.StatusCode != 400 {
		t.Errorf("to a short one: %d", resp.StatusCode)
	}
	resp := change(annPassword, "another horse battery")
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp))
	}
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-tocsin" {
			if resp := g.asks(t, "GET", "/api/v1/session", "", "Cookie", c.Name+"="+c.Value); resp.StatusCode != 200 {
				t.Errorf("the session it was done in ended: %d", resp.StatusCode)
			}
		}
	}
	if resp := g.asks(t, "GET", "/api/v1/session", "", "Cookie", other); resp.StatusCode != 401 {
		t.Errorf("another session stays: %d", resp.StatusCode)
	}
}

func TestOnLoopbackWithoutALoginOneMayStillSayWhoOneIs(t *testing.T) {
	g := newGated(t, web.Access{})
	root := account.Identity{Name: "root", Role: account.Admin, Via: account.ViaSocket}
	viewer, err := g.accounts.AddToken(t.Context(), root, "reader", account.Viewer, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := func(method, path, body string, header ...string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Host, r.RemoteAddr = "127.0.0.1:7171", "127.0.0.1:4711"
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		return rec.Result()
	}
	if body := read(t, local("GET", "/api/v1/session", "")); !strings.Contains(body, `"role":"admin","via":"loopback","login_required":false`) {
		t.Errorf("nobody in particular is %s", body)
	}
	if body := read(t, local("GET", "/api/v1/session", "", "Authorization", "Bearer "+viewer.Secret)); !strings.Contains(body, `"name":"token reader","role":"viewer","via":"token"`) {
		t.Errorf("a token is %s", body)
	}
	if resp := local("GET", "/api/v1/users", "", "Authorization", "Bearer "+viewer.Secret); resp.StatusCode != 403 {
		t.Errorf("a viewer's token lists users: %d", resp.StatusCode)
	}
	if resp := local("GET", "/api/v1/session", "", "Authorization", "Bearer tocsin_x_y"); resp.StatusCode != 401 {
		t.Errorf("a wrong token: %d", resp.StatusCode)
	}
	if resp := local("POST", "/_bulk", "{}", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("elastic:changeme"))); resp.StatusCode != 200 {
		t.Errorf("a shipper with credentials for another place: %d", resp.StatusCode)
	}
	resp := local("POST", "/login", url.Values{"name": {"vic"}, "password": {annPassword}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	cookie := ""
	for _, c := range resp.Cookies() {
		if c.Name == "tocsin" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if body := read(t, local("GET", "/api/v1/session", "", "Cookie", cookie)); !strings.Contains(body, `"name":"vic","role":"viewer","via":"session"`) {
		t.Errorf("someone who signed in is %s", body)
	}
	if resp := local("GET", "/users", "", "Cookie", cookie, "Accept", "text/html"); resp.StatusCode != 403 {
		t.Errorf("a viewer sees the users: %d", resp.StatusCode)
	}
}

func TestWithoutAProviderTheLoginPageSaysSo(t *testing.T) {
	g := newGated(t, secureAccess())
	resp := g.asks(t, "GET", "/login/oidc?next=/rules", "", "Accept", "text/html")
	if body := read(t, resp); resp.StatusCode != 403 || !strings.Contains(body, "no OpenID provider is configured") {
		t.Errorf("%d: %s", resp.StatusCode, body)
	}
	resp = g.asks(t, "GET", "/login/oidc/return?state=x&code=y", "", "Accept", "text/html")
	if resp.StatusCode != 403 || strings.Contains(strings.Join(resp.Header.Values("Set-Cookie"), ""), "Host-tocsin=") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
