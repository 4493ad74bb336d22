package web

import (
	"fmt"
	"net/http"
	"net/url"

	"tocsin/internal/account"
)

// admit reports whether who asks may do what needs the role. Where not, it has answered.
func (w *Web) admit(rw http.ResponseWriter, r *http.Request, needed account.Role) bool {
	id, ok := account.From(r.Context())
	switch {
	case !ok:
		unauthorised(rw)
		return false
	case !id.Role.Allows(needed):
		fail(rw, http.StatusForbidden, fmt.Sprintf("this needs the role %s, and %s has the role %s", needed, id.Name, id.Role))
		return false
	}
	return true
}

func unauthorised(rw http.ResponseWriter) {
	rw.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
	fail(rw, http.StatusUnauthorized, "sign in, or send a token: Authorization: Bearer TOKEN")
}

// admitPage is admit for pages: whoever is not signed in is sent to sign in first.
func (w *Web) admitPage(rw http.ResponseWriter, r *http.Request, needed account.Role) bool {
	id, ok := account.From(r.Context())
	switch {
	case !ok && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.Redirect(rw, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return false
	case !ok:
		http.Redirect(rw, r, "/login", http.StatusSeeOther)
		return false
	case !id.Role.Allows(needed):
		http.Error(rw, fmt.Sprintf("This page needs the role %s, and %s has the role %s.", needed, id.Name, id.Role), http.StatusForbidden)
		return false
	}
	return true
}

// as lets every request through as someone.
func as(id account.Identity, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r.WithContext(account.With(r.Context(), id)))
	})
}
