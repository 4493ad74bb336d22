package web

// How to add a page
//
//  1. Write pages/NAME.html with the templates "title", text alone, and "main", what stands in <main>; if the page
//     has keys of its own also "keys", a list of <dt><kbd>k</kbd></dt><dd>what it does</dd>, and "head" for assets of
//     its own (see pages/search.html). The dot is a view: .Data is what the handler gave, .Path and .Query where we
//     are, .User who asks. pages/parts.html has the parts: {{template "empty" (dict "Title" ...)}}, "note", "badge",
//     "time". The classes are in assets/src/app.css: head, card, cards, note, numbers, facts, badge with a severity or
//     a fate, field, row, segments, chips, drawer, empty, timeline, diff; every table stands in a div.scroll, and
//     table.stack (with data-label on each td) becomes a list on phones. draw.go has what templates can call.
//  2. Register its handler as route.go says, w.page(Page{Method: "GET", Path: "/NAME", ...}), and end the handler in
//     w.render(rw, r, http.StatusOK, "NAME", data), or in w.sorry(...) for what cannot be shown. Take what a page
//     shows from the functions behind the API, so that the two agree. A page that is one of the places below appears
//     in the bar by itself.
//  3. A form posts to a page of its own (Method: "POST"), which ends in w.done(rw, r, "/NAME", "what was done"), a
//     sentence at the top of the next page.
//
// No inline script, style or handler: the policy forbids them, and a style="" does nothing. Behaviour goes into
// assets/src/*.js by data attributes (table.js: j, k, x, Enter and data-key in a table with data-keys; app.js:
// data-confirm), requests that replace a part of a page use htmx's attributes. scripts/assets/build.sh bundles; its
// result is committed. Text of alerts and logs is an attacker's: templates escape it, and script sets textContent,
// never innerHTML. Charts that the server draws are SVG made of numbers: {{spark "label" .Ints}}.

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/obs"
)

//go:embed pages/*.html
var pageFiles embed.FS

// place is a page in the bar.
type place struct{ Name, Path string }

// places are the bar's, in their order. One is shown once its page is registered.
var places = []place{
	{"Search", "/search"},
	{"Alerts", "/alerts"},
	{"Rules", "/rules"},
	{"Silences", "/silences"},
	{"Routes", "/routes"},
	{"Channels", "/channels"},
	{"Digests", "/digests"},
	{"Sources", "/sources"},
	{"Delivery", "/delivery"},
	{"Coverage", "/coverage"},
	{"Settings", "/settings"},
}

// view is what a page's templates are given.
type view struct {
	Data    any
	Page    string // the name of its template
	Path    string
	Query   string
	Theme   string // light or dark; "" as the system says
	Version string
	Status  obs.State // of the process
	Places  []place
	Here    string // the path of the place we are in
	Nonce   string // for style that a script makes
	Flash   *flash
	User    account.Identity // zero for nobody
	Now     time.Time
}

// flash is a sentence that the next page shows.
type flash struct {
	Kind string `json:"k"` // good, warn or bad
	Text string `json:"t"`
}

var pageTemplates = parsePages()

func parsePages() map[string]*template.Template {
	out := map[string]*template.Template{}
	base := template.Must(template.New("").Funcs(pageFuncs).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html"))
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, name := range names {
		base := template.Must(base.Clone())
		out[strings.TrimSuffix(path.Base(name), ".html")] = template.Must(base.ParseFS(pageFiles, name))
	}
	delete(out, "layout")
	delete(out, "parts")
	return out
}

// routePages registers the pages. Home, when it is not nil, has / and what is not a page of ours.
func (w *Web) routePages(home http.Handler) {
	w.page(Page{Method: "GET", Path: "/assets/", Open: true, Handle: serveAsset})
	w.page(Page{Method: "POST", Path: "/theme", Open: true, Handle: w.theme})
	w.page(Page{Method: "GET", Path: "/delivery", Role: account.Viewer, Handle: w.delivery})
	if home == nil {
		w.page(Page{Method: "GET", Path: "/{$}", Open: true, Handle: w.root})
	}
}

// root is the search for those who ask for a page, and for programs what this is.
func (w *Web) root(rw http.ResponseWriter, r *http.Request) {
	if !wantsPage(r) {
		w.banner(rw, r)
		return
	}
	home := w.delivery
	for _, p := range w.pages {
		if p.Path == "/search" {
			home = p.Handle
		}
	}
	if w.admitPage(rw, r, account.Viewer) {
		if w.beginning != nil && w.beginning(r) {
			http.Redirect(rw, r, "/welcome", http.StatusSeeOther)
			return
		}
		home(rw, r)
	}
}

// nothing answers where there is no page.
func (w *Web) nothing(rw http.ResponseWriter, r *http.Request) {
	if !wantsPage(r) {
		http.NotFound(rw, r)
		return
	}
	w.sorry(rw, r, http.StatusNotFound, "There is no such page", "The address may be of another version, or mistyped.")
}

// render answers with a page: the layout around pages/NAME.html.
func (w *Web) render(rw http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var nonce [16]byte
	rand.Read(nonce[:]) //nolint:errcheck // it never fails
	v := view{
		Data: data, Page: name, Path: r.URL.Path, Query: r.URL.RawQuery, Version: w.version, Status: w.health.Report().Status,
		Nonce: base64.StdEncoding.EncodeToString(nonce[:]), Now: time.Now(), User: who(r),
	}
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		v.Theme = c.Value
	}
	for _, p := range places {
		if slices.ContainsFunc(w.pages, func(there Page) bool { return there.Method == "GET" && there.Path == p.Path }) {
			v.Places = append(v.Places, p)
		}
		if v.Path == p.Path || strings.HasPrefix(v.Path, p.Path+"/") || v.Path == "/" && name == "search" && p.Path == "/search" {
			v.Here = p.Path
		}
	}
	whole := "layout"
	live := isLive(r) && status == http.StatusOK
	if live {
		whole = "live"
	} else {
		v.Flash = takeFlash(rw, r)
	}
	var out bytes.Buffer
	err := fmt.Errorf("there is no page called %q", name)
	if t := pageTemplates[name]; t != nil {
		err = t.ExecuteTemplate(&out, whole, v)
	}
	if err != nil { // a page that says so would be no better
		w.log.Error("a page was not written", "page", name, "error", err)
		fail(rw, http.StatusInternalServerError, err.Error())
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+v.Nonce+"'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie")
	body := out.Bytes()
	if live && unchanged(rw, r, body) {
		return
	}
	if len(body) > 1400 && takes(r, "gzip") {
		h.Add("Vary", "Accept-Encoding")
		if zipped := gzipped(body); zipped != nil {
			h.Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	rw.WriteHeader(status)
	rw.Write(body) //nolint:errcheck // a reader that went away needs no answer
}

// sorry answers a browser that something cannot be shown: what, and what to do.
func (w *Web) sorry(rw http.ResponseWriter, r *http.Request, status int, title, text string) {
	w.render(rw, r, status, "sorry", struct{ Title, Text string }{title, text})
}

// flashCookie carries a flash to the next page. It is text for the eyes of its own user, and is escaped.
const flashCookie = "tocsin-flash"

// themeCookie is light or dark, where the user chose.
const themeCookie = "tocsin-theme"

// done ends a form: the browser goes on to a page of ours, which says what was done.
func (w *Web) done(rw http.ResponseWriter, r *http.Request, to, said string) {
	doneByForm(r, said)
	w.setFlash(rw, "good", said)
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

func (w *Web) setFlash(rw http.ResponseWriter, kind, text string) {
	b, err := json.Marshal(flash{kind, text})
	if err != nil {
		return // strings are JSON
	}
	http.SetCookie(rw, &http.Cookie{
		Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(b), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 60,
	})
}

func takeFlash(rw http.ResponseWriter, r *http.Request) *flash {
	c, err := r.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	http.SetCookie(rw, &http.Cookie{Name: flashCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	var f flash
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(b, &f) != nil || (f.Kind != "good" && f.Kind != "warn" && f.Kind != "bad") {
		return nil
	}
	return &f
}

// theme sets light or dark for browsers without script.
func (w *Web) theme(rw http.ResponseWriter, r *http.Request) {
	next := "dark"
	if c, err := r.Cookie(themeCookie); err == nil && c.Value == "dark" {
		next = "light"
	}
	http.SetCookie(rw, &http.Cookie{Name: themeCookie, Value: next, Path: "/", SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 60 * 60})
	back := r.PostFormValue("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
		back = "/"
	}
	http.Redirect(rw, r, back, http.StatusSeeOther)
}
