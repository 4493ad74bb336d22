package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"tocsin/internal/account"
)

// Access says who is let in. Its zero value is a loopback address without login.
type Access struct {
	// Required says that everyone must sign in or show a token.
	Required bool
	// Secure says that browsers reach us over TLS: ours, or that of the proxy.
	Secure bool
	// BehindProxy says that a proxy tells where requests come from, at the end of X-Forwarded-For.
	BehindProxy bool
	// ReturnURL is where an OpenID provider sends browsers back to; empty for the address they came to.
	ReturnURL string
}

// someone is who asks where nobody has to say who they are.
const someone = "someone on this machine"

// Public serves the listen address: guarded as a loopback address is where no login is required, else for
// those alone who sign in or show a token.
func (w *Web) Public() http.Handler {
	if !w.access.Required {
		return w.Loopback()
	}
	return w.strict(w.identify(nil, http.HandlerFunc(w.gate)))
}

// Local serves those who can open the socket in the data directory: the administrator of this machine.
func (w *Web) Local() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id := account.Identity{Name: someone, Role: account.Admin, Via: account.ViaSocket}
		if name, ok := account.Peer(r.Context()); ok {
			id.Name = name
		}
		w.local.ServeHTTP(rw, r.WithContext(account.With(r.Context(), id)))
	})
}

// Loopback serves a loopback address without login: only requests that a page of another site could
// not have made are let through.
func (w *Web) Loopback() http.Handler {
	id := &account.Identity{Name: someone, Role: account.Admin, Via: account.ViaLoopback}
	return guard(w.identify(id, w.mux))
}

// identify tells who asks: a token that is shown, else a session, else otherwise, which is nil for nobody.
func (w *Web) identify(otherwise *account.Identity, next http.Handler) http.Handler {
	known := func(rw http.ResponseWriter, r *http.Request, id account.Identity) {
		id.Address = w.address(r)
		next.ServeHTTP(rw, r.WithContext(account.With(r.Context(), id)))
	}
	bySession := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, ok, err := w.accounts.Session(r.Context())
		switch {
		case err != nil:
			w.broken(rw, r, err)
		case ok:
			known(rw, r, id)
		case otherwise != nil:
			known(rw, r, *otherwise)
		default:
			next.ServeHTTP(rw, r)
		}
	})
	var remembered http.Handler
	if w.accounts != nil {
		remembered = w.accounts.Remember(bySession)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		shipper := w.isShipper(r)
		if otherwise != nil && (shipper || w.accounts == nil) {
			known(rw, r, *otherwise)
			return
		}
		if key, secret, shown := account.Shown(r, shipper); shown {
			id, err := w.accounts.Token(r.Context(), key, secret)
			switch {
			case errors.Is(err, account.ErrToken) && shipper:
				refuseShipper(rw, r, http.StatusUnauthorized, err.Error())
			case errors.Is(err, account.ErrToken):
				unauthorised(rw, err.Error())
			case err != nil:
				w.broken(rw, r, err)
			default:
				known(rw, r, id)
			}
			return
		}
		if _, err := r.Cookie(account.CookieName(w.access.Secure)); err == nil && !strings.HasPrefix(r.URL.Path, "/assets/") || needsSession(r.URL.Path) {
			remembered.ServeHTTP(rw, r)
			return
		}
		if otherwise != nil {
			known(rw, r, *otherwise)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// gate keeps what is neither on the table of the API nor a page from those who are not known.
func (w *Web) gate(rw http.ResponseWriter, r *http.Request) {
	id, known := account.From(r.Context())
	switch {
	case w.isShipper(r):
		banner := r.URL.Path == "/" && r.Method == http.MethodGet
		if !known {
			refuseShipper(rw, r, http.StatusUnauthorized, "send a token of the role ingest, as API key, as Basic or as Bearer")
			return
		}
		if !banner && !id.Role.Allows(account.Ingest) {
			refuseShipper(rw, r, http.StatusForbidden, fmt.Sprintf("%s has the role %s; sending events needs a token of the role ingest", id.Name, id.Role))
			return
		}
	case r.URL.Path == "/metrics":
		if !w.admit(rw, r, account.Viewer) {
			return
		}
	case r.URL.Path == "/readyz" && !known:
		w.mux.ServeHTTP(&statusOnly{ResponseWriter: rw}, r)
		return
	}
	w.mux.ServeHTTP(rw, r)
}

// statusOnly answers with a status and keeps the text, which has names of hosts in it.
type statusOnly struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *statusOnly) WriteHeader(status int) {
	s.Header().Del("Content-Length")
	s.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// isShipper reports whether a request is one of log shippers, which speak as to Elasticsearch.
func (w *Web) isShipper(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	switch _, pattern := w.mux.Handler(r); pattern {
	case "/":
		return forElasticsearch(r)
	case "GET /{$}":
		return !wantsPage(r)
	}
	return false
}

// refuseShipper answers as Elasticsearch does to someone it does not let in.
func refuseShipper(rw http.ResponseWriter, r *http.Request, status int, reason string) {
	type cause struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	one := cause{"security_exception", reason}
	if status == http.StatusUnauthorized {
		for _, scheme := range []string{`Bearer realm="tocsin"`, `ApiKey`, `Basic realm="tocsin", charset="UTF-8"`} {
			if scheme[0] == 'B' && scheme[1] == 'a' && r.Header.Get("Sec-Fetch-Mode") != "" {
				continue // a browser would ask for a password of its own
			}
			rw.Header().Add("WWW-Authenticate", scheme)
		}
	}
	answer(rw, status, struct {
		Error struct {
			cause
			Root []cause `json:"root_cause"`
		} `json:"error"`
		Status int `json:"status"`
	}{Error: struct {
		cause
		Root []cause `json:"root_cause"`
	}{one, []cause{one}}, Status: status})
}

// strict protects an address that a login stands before: no page of another site may change anything, and none
// may show ours.
func (w *Web) strict(next http.Handler) http.Handler {
	otherSites := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", plainPolicy)
		if w.access.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := otherSites.Check(r); err != nil {
			fail(rw, http.StatusForbidden, "a page of another site may not change anything here")
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// plainPolicy is for whatever is no page: if a browser shows it, nothing in it runs or loads.
const plainPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// address is where a request comes from.
func (w *Web) address(r *http.Request) string {
	if w.access.BehindProxy {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		last := strings.TrimSpace(all[len(all)-1]) // what stands before it was the client's to write
		if ip, err := netip.ParseAddr(strings.Trim(last, "[]")); err == nil {
			return ip.Unmap().String()
		}
		if at, err := netip.ParseAddrPort(last); err == nil {
			return at.Addr().Unmap().String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// admit reports whether who asks may do what needs the role. Where not, it has answered.
func (w *Web) admit(rw http.ResponseWriter, r *http.Request, needed account.Role) bool {
	id, ok := account.From(r.Context())
	switch {
	case !ok:
		unauthorised(rw, "sign in, or send a token: Authorization: Bearer TOKEN")
		return false
	case !id.Role.Allows(needed):
		fail(rw, http.StatusForbidden, fmt.Sprintf("this needs the role %s, and %s has the role %s", needed, id.Name, id.Role))
		return false
	}
	return true
}

func unauthorised(rw http.ResponseWriter, said string) {
	rw.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
	fail(rw, http.StatusUnauthorized, said)
}

// admitPage is admit for pages: whoever is not signed in is sent to sign in first.
func (w *Web) admitPage(rw http.ResponseWriter, r *http.Request, needed account.Role) bool {
	id, ok := account.From(r.Context())
	switch {
	case !ok:
		to := "/login"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		} else if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host && from.Path != "" {
			to += "?next=" + url.QueryEscape(from.RequestURI()) // the form's page: keep.js fills it in again
		}
		if r.Header.Get("HX-Request") != "" { // a part of a page would be replaced by the login
			rw.Header().Set("HX-Redirect", to)
			rw.WriteHeader(http.StatusUnauthorized)
			return false
		}
		http.Redirect(rw, r, to, http.StatusSeeOther)
		return false
	case !id.Role.Allows(needed):
		w.sorry(rw, r, http.StatusForbidden, "You may not do this", fmt.Sprintf("It needs the role %s, and %s has the role %s. An admin can change that.", needed, id.Name, id.Role))
		return false
	}
	return true
}
