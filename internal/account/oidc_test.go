package account_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/internal/account"
)

// issuer is an OpenID provider that lets everyone in as its claims say, once they were sent to it.
type issuer struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any
	// tamper changes the token that is sent; nil leaves it.
	tamper func(head, claims map[string]any)
	down   atomic.Bool

	challenge, nonce, redirect string // of the visit under way
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, claims: map[string]any{"sub": "s-1", "preferred_username": "Ann", "groups": []any{"staff", "soc"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		enc := base64.RawURLEncoding.EncodeToString
		write(w, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": enc(key.N.Bytes()), "e": enc([]byte{1, 0, 1}),
		}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		switch {
		case id != "tocsin" || secret != "hush":
			w.WriteHeader(http.StatusUnauthorized)
			write(w, map[string]string{"error": "invalid_client", "error_description": "hush is wrong"})
			return
		case r.PostFormValue("code") != "c-1" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge || r.PostFormValue("redirect_uri") != i.redirect:
			w.WriteHeader(http.StatusBadRequest)
			write(w, map[string]string{"error": "invalid_grant"})
			return
		}
		write(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": i.token(t)})
	})
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client of the test is there
}

func (i *issuer) token(t *testing.T) string {
	t.Helper()
	head := map[string]any{"alg": "RS256", "kid": "k"}
	claims := map[string]any{"iss": i.URL, "aud": "tocsin", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": i.nonce}
	maps.Copy(claims, i.claims)
	if i.tamper != nil {
		i.tamper(head, claims)
	}
	var parts []string
	for _, part := range []any{head, claims} {
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, ".")))
	sign, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if head["alg"] == "none" {
		sign = nil
	}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(sign)), ".")
}

// visit is one way to the provider and back; change changes what the browser brings back.
func (r *room) visit(t *testing.T, i *issuer, change func(url.Values)) (account.Identity, string, error) {
	t.Helper()
	var (
		who  account.Identity
		next string
		err  error
	)
	mux := http.NewServeMux()
	mux.HandleFunc("/go", func(w http.ResponseWriter, q *http.Request) {
		var to string
		if to, err = r.Depart(q.Context(), "http://127.0.0.1/login/oidc/return", "/rules?a=b"); err == nil {
			http.Redirect(w, q, to, http.StatusSeeOther)
		}
	})
	mux.HandleFunc("/return", func(_ http.ResponseWriter, q *http.Request) {
		who, next, err = r.Arrive(q.Context(), q.URL.Query(), "192.0.2.1")
	})
	h := r.Remember(mux)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/go", nil))
	if err != nil {
		return who, next, err
	}
	to, parseErr := url.Parse(rec.Header().Get("Location"))
	if parseErr != nil {
		t.Fatal(parseErr)
	}
	q := to.Query()
	i.challenge, i.nonce, i.redirect = q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri")
	if q.Get("code_challenge_method") != "S256" || i.nonce == "" || q.Get("state") == "" || to.Path != "/authorize" {
		t.Fatalf("sent to %s", to)
	}
	back := url.Values{"code": {"c-1"}, "state": {q.Get("state")}}
	if change != nil {
		change(back)
	}
	req := httptest.NewRequest("GET", "/return?"+back.Encode(), nil)
	for _, c := range rec.Result().Cookies() {
		req.AddCookie(c)
	}
	h.ServeHTTP(httptest.NewRecorder(), req)
	return who, next, err
}

func newOIDC(t *testing.T, change func(*account.OIDC)) (*room, *issuer) {
	t.Helper()
	i := newIssuer(t)
	o := &account.OIDC{
		Issuer: i.URL, ClientID: "tocsin", ClientSecret: "hush", RoleClaim: "groups",
		Roles: map[account.Role][]string{account.Admin: {"leads"}, account.Editor: {"soc"}, account.Viewer: {"staff"}},
	}
	if change != nil {
		change(o)
	}
	return newRoom(t, func(a *account.Options) { a.OIDC = o }), i
}

func TestTheProviderSaysWhoSomeoneIsAndTheirRole(t *testing.T) {
	r, i := newOIDC(t, nil)
	who, next, err := r.visit(t, i, nil)
	if err != nil || who.Name != "ann" || who.Role != account.Editor || next != "/rules?a=b" {
		t.Fatalf("%+v, to %q, %v", who, next, err)
	}
	i.claims["groups"] = "leads"
	if again, _, err := r.visit(t, i, nil); err != nil || again.UserID != who.UserID || again.Role != account.Admin {
		t.Errorf("with another role: %+v, %v", again, err)
	}
	users, err := r.Users(t.Context())
	if err != nil || len(users) != 1 || users[0].Origin != account.FromOpenID || users[0].Role != account.Admin {
		t.Errorf("%+v, %v", users, err)
	}
	if _, err := r.SetPassword(t.Context(), root, "ann", password); err == nil {
		t.Error("a user of the provider has a password")
	}
	if err := r.signIn(t, "ann", "", "192.0.2.1"); !errors.Is(err, account.ErrPassword) {
		t.Errorf("signs in with no password: %v", err)
	}
}

func TestNobodyIsTakenForSomeoneElse(t *testing.T) {
	r, i := newOIDC(t, nil)
	r.add(t, "ann", account.Admin)
	who, _, err := r.visit(t, i, nil)
	if err != nil || who.Name == "ann" || !strings.HasPrefix(who.Name, "ann+") || who.Role != account.Editor {
		t.Fatalf("%+v, %v", who, err)
	}
	i.claims["sub"] = "s-2"
	if other, _, err := r.visit(t, i, nil); err != nil || other.UserID == who.UserID || other.Name == who.Name {
		t.Errorf("another subject of the same name: %+v, %v", other, err)
	}
}

func TestRolesComeFromTheClaim(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*account.OIDC)
		groups any
		want   account.Role
	}{
		"the highest":       {nil, []any{"staff", "leads", "soc"}, account.Admin},
		"a text":            {nil, "staff", account.Viewer},
		"part of a text":    {nil, "staff leads", ""},
		"none":              {nil, []any{"other"}, ""},
		"no claim":          {nil, nil, ""},
		"numbers":           {nil, []any{1, true, nil}, ""},
		"a default":         {func(o *account.OIDC) { o.Otherwise = account.Viewer }, []any{"other"}, account.Viewer},
		"within others":     {func(o *account.OIDC) { o.RoleClaim = "groups.roles" }, map[string]any{"roles": []any{"leads"}}, account.Admin},
		"within no others":  {func(o *account.OIDC) { o.RoleClaim = "groups.roles" }, "leads", ""},
		"the empty text":    {nil, "", ""},
		"case is something": {nil, "LEADS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, i := newOIDC(t, tc.change)
			i.claims["groups"] = tc.groups
			who, _, err := r.visit(t, i, nil)
			var refused *account.RefusedError
			switch {
			case tc.want == "" && !errors.As(err, &refused):
				t.Errorf("is let in as %+v, %v", who, err)
			case tc.want != "" && (err != nil || who.Role != tc.want):
				t.Errorf("%+v, %v", who, err)
			}
			if users, err := r.Users(t.Context()); err != nil || (tc.want == "") != (len(users) == 0) {
				t.Errorf("users %+v, %v", users, err)
			}
		})
	}
}

func TestAVisitThatIsNotGoodLetsNobodyIn(t *testing.T) {
	for name, tc := range map[string]struct {
		back   func(url.Values)
		tamper func(head, claims map[string]any)
	}{
		"another state":     {back: func(v url.Values) { v.Set("state", "x") }},
		"no state":          {back: func(v url.Values) { v.Del("state") }},
		"another code":      {back: func(v url.Values) { v.Set("code", "c-2") }},
		"a refusal":         {back: func(v url.Values) { v.Set("error", "access_denied") }},
		"another issuer":    {back: func(v url.Values) { v.Set("iss", "https://evil.example") }},
		"another nonce":     {tamper: func(_, c map[string]any) { c["nonce"] = "x" }},
		"no nonce":          {tamper: func(_, c map[string]any) { delete(c, "nonce") }},
		"for another":       {tamper: func(_, c map[string]any) { c["aud"] = "other" }},
		"of another issuer": {tamper: func(_, c map[string]any) { c["iss"] = "https://evil.example" }},
		"too old":           {tamper: func(_, c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }},
		"unsigned":          {tamper: func(h, _ map[string]any) { h["alg"] = "none" }},
		"of another key":    {tamper: func(h, _ map[string]any) { h["kid"] = "other" }},
		"signed by a word":  {tamper: func(h, _ map[string]any) { h["alg"] = "HS256" }},
	} {
		t.Run(name, func(t *testing.T) {
			r, i := newOIDC(t, nil)
			i.tamper = tc.tamper
			who, _, err := r.visit(t, i, tc.back)
			var refused *account.RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("%+v, %v", who, err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the secret is told: %v", err)
			}
			if users, err := r.Users(t.Context()); err != nil || len(users) > 0 {
				t.Errorf("users %+v, %v", users, err)
			}
		})
	}
}

func TestAVisitIsGoodOnce(t *testing.T) {
	r, i := newOIDC(t, nil)
	var kept url.Values
	if _, _, err := r.visit(t, i, func(v url.Values) { kept = v }); err != nil {
		t.Fatal(err)
	}
	var refused *account.RefusedError
	h := r.Remember(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if who, _, err := r.Arrive(q.Context(), q.URL.Query(), ""); !errors.As(err, &refused) {
			t.Errorf("in another browser: %+v, %v", who, err)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?"+kept.Encode(), nil))
}

func TestAProviderThatIsDownIsAskedAgain(t *testing.T) {
	r, i := newOIDC(t, nil)
	i.down.Store(true)
	var refused *account.RefusedError
	if _, _, err := r.visit(t, i, nil); err == nil || errors.As(err, &refused) {
		t.Errorf("while it is down: %v", err)
	}
	i.down.Store(false)
	if who, _, err := r.visit(t, i, nil); err != nil || who.Name != "ann" {
		t.Errorf("afterwards: %+v, %v", who, err)
	}
}

func TestNamesOfTheProviderAreMadeFitToShow(t *testing.T) {
	for i, tc := range []struct{ claim, name, want string }{
		{"preferred_username", "<script>", "s-1"}, {"preferred_username", "Bob Builder", "s-1"}, {"email", "Bob@Example.com", "bob@example.com"}, {"name", "Zoë", "zoë"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r, is := newOIDC(t, nil)
			delete(is.claims, "preferred_username")
			is.claims[tc.claim] = tc.name
			if who, _, err := r.visit(t, is, nil); err != nil || who.Name != tc.want {
				t.Errorf("%q is %q, %v", tc.name, who.Name, err)
			}
		})
	}
}
