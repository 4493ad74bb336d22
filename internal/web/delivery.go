package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
)

// shownMost is how many of the latest alerts the page of delivery lists.
const shownMost = 50

type delivery struct {
	Health obs.Report
	Counts []count
	Seen   int
	Depth  outbox.Depth
	Ways   []way
	Alerts []Row
	More   bool
}

// way is how saying things goes in one channel.
type way struct {
	outbox.Channel
	State  string // ok, pending, failing
	Answer string // the service's last word that was not yes
}

// ways are the channels that have messages, by name.
func (w *Web) ways(ctx context.Context) ([]way, error) {
	now := time.Now()
	all, err := w.outbox.Channels(ctx, now)
	if err != nil {
		return nil, err
	}
	var out []way
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := *all[name]
		one := way{Channel: c, State: "ok", Answer: c.Waits}
		switch {
		case c.Fails():
			one.State, one.Answer = "failing", c.Refused
		case c.Pends(now):
			one.State = "pending"
		}
		if one.Answer == "" {
			one.Answer = c.Refused
		}
		out = append(out, one)
	}
	return out, nil
}

type count struct {
	Fate alert.Fate
	N    int
}

// delivery shows how things stand: the parts, what became of alerts, and what waits.
func (w *Web) delivery(rw http.ResponseWriter, r *http.Request) {
	page := delivery{Health: w.health.Report()}
	counts, err := w.counts(r.Context())
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
	if page.Ways, err = w.ways(r.Context()); err != nil {
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
	w.render(rw, r, http.StatusOK, "delivery", page)
}

// banner is what a program that asks for / gets: what this is.
func (w *Web) banner(rw http.ResponseWriter, r *http.Request) {
	if w.logs != nil {
		w.logs.ServeHTTP(rw, r)
		return
	}
	answer(rw, http.StatusOK, map[string]string{"name": "tocsin", "version": w.version, "tagline": "Turns searches into alerts people trust"})
}
