package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
)

// routeLogin adds the pages of signing in and out. Their forms are the only ones open to nobody.
func (w *Web) routeLogin() {
	w.page(Page{Method: "GET", Path: "/login", Open: true, Handle: w.loginPage})
	w.page(Page{Method: "POST", Path: "/login", Open: true, Handle: w.login})
	w.page(Page{Method: "POST", Path: "/logout", Open: true, Handle: w.logout})
	w.page(Page{Method: "GET", Path: "/login/oidc", Open: true, Handle: w.depart})
	w.page(Page{Method: "GET", Path: config.RedirectPath, Open: true, Handle: w.arrive})
	w.page(Page{Method: "GET", Path: "/setup", Open: true, Handle: w.setupPage})
	w.page(Page{Method: "POST", Path: "/setup", Open: true, Handle: w.setup})
	w.page(Page{Method: "GET", Path: "/account", Role: account.Viewer, Handle: w.accountPage})
	w.page(Page{Method: "POST", Path: "/account/password", Role: account.Viewer, Handle: w.changePassword})
}

// needsSession reports whether a path begins, ends or changes sessions.
func needsSession(path string) bool {
	for _, first := range []string{"/login", "/logout", "/setup", "/account", apiRoot + "/session"} {
		if path == first || strings.HasPrefix(path, first+"/") {
			return true
		}
	}
	return false
}

// loginView is what the pages of signing in show.
type loginView struct {
	Next, Name, Wrong string
	OIDC              bool
	Required          bool
	SettingUp         bool
}

func (w *Web) showLogin(rw http.ResponseWriter, r *http.Request, status int, page string, v loginView) {
	v.OIDC, v.Required, v.SettingUp = w.accounts.HasOIDC(), w.access.Required, w.accounts.SettingUp()
	w.render(rw, r, status, page, v)
}

// ownPath is a path of ours to go on to, or the search.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (w *Web) loginPage(rw http.ResponseWriter, r *http.Request) {
	next := ownPath(r.URL.Query().Get("next"))
	if id := who(r); id.Via == account.ViaSession {
		http.Redirect(rw, r, next, http.StatusSeeOther)
		return
	}
	w.showLogin(rw, r, http.StatusOK, "login", loginView{Next: next})
}

// formTime is how long a form may take to come.
const formTime = 30 * time.Second

// form reads a small form. Where it cannot, it has answered.
func (w *Web) form(rw http.ResponseWriter, r *http.Request) bool {
	// Whoever is not signed in yet holds no connection for long. Where it cannot be bounded, the size is.
	http.NewResponseController(rw).SetReadDeadline(time.Now().Add(formTime)) //nolint:errcheck // see above
	r.Body = http.MaxBytesReader(rw, r.Body, mostAccount)
	if err := r.ParseForm(); err != nil {
		w.sorry(rw, r, http.StatusBadRequest, "This form cannot be read", "Go back, reload the page, and send it again.")
		return false
	}
	return true
}

func (w *Web) login(rw http.ResponseWriter, r *http.Request) {
	if !w.form(rw, r) {
		return
	}
	v := loginView{Next: ownPath(r.PostFormValue("next")), Name: r.PostFormValue("name")}
	if _, err := w.accounts.SignIn(r.Context(), v.Name, r.PostFormValue("password"), w.address(r)); err != nil {
		status, said, known := accountFault(err)
		if !known {
			w.broken(rw, r, err)
			return
		}
		waitHeader(rw, err)
		v.Wrong = said
		w.showLogin(rw, r, status, "login", v)
		return
	}
	http.Redirect(rw, r, v.Next, http.StatusSeeOther)
}

func (w *Web) logout(rw http.ResponseWriter, r *http.Request) {
	if err := w.accounts.SignOut(r.Context(), who(r)); err != nil {
		w.broken(rw, r, err)
		return
	}
	w.done(rw, r, "/login", "You are signed out.")
}

// returnURL is where the OpenID provider sends browsers back to.
func (w *Web) returnURL(r *http.Request) string {
	if w.access.ReturnURL != "" {
		return w.access.ReturnURL
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: config.RedirectPath}
	if w.access.Secure {
		u.Scheme = "https"
	}
	return u.String()
}

func (w *Web) depart(rw http.ResponseWriter, r *http.Request) {
	to, err := w.accounts.Depart(r.Context(), w.returnURL(r), ownPath(r.URL.Query().Get("next")))
	if err != nil {
		w.oidcFailed(rw, r, err)
		return
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

func (w *Web) arrive(rw http.ResponseWriter, r *http.Request) {
	_, next, err := w.accounts.Arrive(r.Context(), r.URL.Query(), w.address(r))
	if err != nil {
		w.oidcFailed(rw, r, err)
		return
	}
	http.Redirect(rw, r, ownPath(next), http.StatusSeeOther)
}

func (w *Web) oidcFailed(rw http.ResponseWriter, r *http.Request, err error) {
	status, said, known := accountFault(err)
	if !known { // the provider is down, most likely
		w.log.Warn("signing in through the OpenID provider failed", "error", err)
		status, said = http.StatusBadGateway, "The OpenID provider could not be reached. Try again; the log of Tocsin has the reason."
	}
	w.showLogin(rw, r, status, "login", loginView{Next: "/", Wrong: said})
}

func (w *Web) setupPage(rw http.ResponseWriter, r *http.Request) {
	if !w.accounts.SettingUp() {
		http.Redirect(rw, r, "/login", http.StatusSeeOther)
		return
	}
	w.showLogin(rw, r, http.StatusOK, "setup", loginView{})
}

func (w *Web) setup(rw http.ResponseWriter, r *http.Request) {
	if !w.form(rw, r) {
		return
	}
	name := r.PostFormValue("name")
	if _, err := w.accounts.SetUp(r.Context(), r.PostFormValue("token"), name, r.PostFormValue("password"), w.address(r)); err != nil {
		status, said, known := accountFault(err)
		if !known {
			w.broken(rw, r, err)
			return
		}
		waitHeader(rw, err)
		w.showLogin(rw, r, status, "setup", loginView{Name: name, Wrong: said})
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// accountPage shows someone who they are here, and lets them change their password.
func (w *Web) accountPage(rw http.ResponseWriter, r *http.Request) {
	w.showAccount(rw, r, http.StatusOK, "")
}

func (w *Web) showAccount(rw http.ResponseWriter, r *http.Request, status int, wrong string) {
	id := who(r)
	local := false
	if id.Via == account.ViaSession {
		u, err := w.accounts.User(r.Context(), id.UserID)
		if err != nil {
			w.broken(rw, r, err)
			return
		}
		local = u.Origin == account.Local
	}
	w.render(rw, r, status, "account", struct {
		account.Identity
		Local bool
		Wrong string
	}{id, local, wrong})
}

func (w *Web) changePassword(rw http.ResponseWriter, r *http.Request) {
	if !w.form(rw, r) {
		return
	}
	if err := w.accounts.ChangePassword(r.Context(), who(r), r.PostFormValue("old"), r.PostFormValue("new")); err != nil {
		status, said, known := accountFault(err)
		if !known {
			w.broken(rw, r, err)
			return
		}
		waitHeader(rw, err)
		w.showAccount(rw, r, status, said)
		return
	}
	w.done(rw, r, "/account", "Your password is changed, and your other sessions have ended.")
}
