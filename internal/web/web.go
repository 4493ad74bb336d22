// Package web owns what is served over HTTP: health, metrics, the API under /api/v1 and the page at the
// listen address. It reads the other rooms and decides nothing.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/check"
	"tocsin/internal/detect"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/rule"
)

// Options say what is served. Home may be nil.
type Options struct {
	Ledger  *ledger.Ledger
	Outbox  *outbox.Reader
	Health  *obs.Health
	Metrics http.Handler
	Version string
	// Verify compares index, ledger and Slack from a time on.
	Verify func(context.Context, time.Time) (*check.Verification, error)
	// Rules and Tests are the rules and what runs their tests; nil for none.
	Rules *rule.Library
	Tests *rule.Tester
	// RuleRuns tells how the runs of a rule stand; nil where none runs.
	RuleRuns func(ctx context.Context, id string) (detect.Standing, error)
	// Logs answers log shippers as Elasticsearch would; nil for none.
	Logs http.Handler
	// Local are more handlers for those who can open the socket alone, by their pattern.
	Local map[string]http.Handler
	// Accounts are the users and tokens, and Access says who is let in; nil where nobody can sign in.
	Accounts *account.Accounts
	Access   Access
	// Parts are the endpoints and pages of more subjects.
	Parts []Part
	// Home replaces the page at / and everything below it that is not the API.
	Home http.Handler
	Log  *slog.Logger
}

// Web serves. Its handlers may be called concurrently.
type Web struct {
	ledger  *ledger.Ledger
	outbox  *outbox.Reader
	health  *obs.Health
	version string
	verify  func(context.Context, time.Time) (*check.Verification, error)
	log     *slog.Logger
	logs    http.Handler // nil for none
	mux     *http.ServeMux
	local   *http.ServeMux

	accounts *account.Accounts // nil for none
	access   Access

	counted counted // for pages

	routes []Route
	pages  []Page
	// beginning says that there is nothing yet, and / is the page that helps; nil is never.
	beginning func(*http.Request) bool
	wrong     []error // what cannot be on the table
	document  []byte  // the OpenAPI document
}

// New checks the options.
func New(o Options) (*Web, error) {
	if o.Ledger == nil || o.Outbox == nil || o.Health == nil || o.Metrics == nil || o.Verify == nil || o.Log == nil {
		return nil, errors.New("web: all options but Accounts, Access, Rules, Tests, Logs, Local, Parts and Home are required")
	}
	if o.Access.Required && o.Accounts == nil {
		return nil, errors.New("web: a login needs Accounts")
	}
	w := &Web{accounts: o.Accounts, access: o.Access, ledger: o.Ledger, outbox: o.Outbox, health: o.Health, version: o.Version, verify: o.Verify, log: o.Log, logs: o.Logs, mux: http.NewServeMux()}
	w.mux.Handle("/healthz", obs.Healthz())
	w.mux.Handle("/readyz", o.Health.Readyz())
	w.mux.Handle("/metrics", o.Metrics)
	w.routeDocument()
	w.routeAlerts()
	w.routeHealth()
	if o.Rules != nil && o.Tests != nil {
		w.routeRules(o.Rules, o.Tests, o.RuleRuns)
	}
	if o.Accounts != nil {
		w.routeAccounts()
	}
	for _, part := range o.Parts {
		part(w)
	}
	w.mux.HandleFunc("/api/", w.unrouted)
	w.routePages(o.Home)
	rest := o.Home
	if rest == nil {
		rest = http.HandlerFunc(w.nothing)
	}
	w.mux.Handle("/", shippers(w.logs, rest))
	if len(w.wrong) > 0 {
		return nil, errors.Join(w.wrong...)
	}
	var err error
	if w.document, err = w.describe(); err != nil {
		return nil, err
	}
	w.local = http.NewServeMux()
	w.local.Handle("/", w.mux)
	for pattern, h := range o.Local {
		w.local.Handle(pattern, h)
	}
	return w, nil
}
