package web

import (
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
)

//go:embed page.css
var pageCSS []byte

//go:embed home.html
var homeHTML string

var homePage = template.Must(template.New("home").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"deref": func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	},
}).Parse(homeHTML))

const shownMost = 50

type home struct {
	Version string
	Health  obs.Report
	Counts  []count
	Seen    int
	Depth   outbox.Depth
	Alerts  []Row
	More    bool
}

type count struct {
	Fate alert.Fate
	N    int
}

// home shows how things stand. Where something other than a browser asks, it says what this is.
func (w *Web) home(rw http.ResponseWriter, r *http.Request) {
	if !wantsPage(r) && w.logs != nil {
		w.logs.ServeHTTP(rw, r)
		return
	}
	if !wantsPage(r) {
		answer(rw, http.StatusOK, map[string]string{"name": "tocsin", "version": w.version, "tagline": "Turns searches into alerts people trust"})
		return
	}
	page := home{Version: w.version, Health: w.health.Report()}
	counts, err := w.ledger.Count(r.Context())
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	page.Seen = counts.Seen
	for _, f := range alert.Fates {
		page.Counts = append(page.Counts, count{Fate: f, N: counts.ByFate[f]})
	}
	if page.Depth, err = w.outbox.Depth(r.Context()); err != nil {
		w.broken(rw, r, err)
		return
	}
	entries, before, err := w.ledger.List(r.Context(), ledger.Filter{Limit: shownMost})
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	for _, e := range entries {
		page.Alerts = append(page.Alerts, RowOf(e))
	}
	page.More = before > 0
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if err := homePage.Execute(rw, page); err != nil {
		w.log.Debug("a page was not read to its end", "error", err)
	}
}

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(pageCSS) //nolint:errcheck // a reader that went away needs no answer
}
