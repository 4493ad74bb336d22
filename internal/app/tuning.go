package app

import (
	"tocsin/internal/config"
	"tocsin/internal/policy"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

// tuningParts are the endpoints of what people set about alerts, and of trying routes.
func (a *App) tuningParts(cfg *config.Config, db *store.DB, p *policy.Policy) ([]web.Part, error) {
	book, err := tuning.New(tuning.Options{DB: db, Changed: a.intake.Nudge})
	if err != nil {
		return nil, err
	}
	tunings := web.TuningOptions{Book: book, Handle: a.intake.Handle}
	routes := web.RoutesOptions{Explain: a.intake.Explain, Policy: p, Rules: a.rules, Place: cfg.Place}
	return append(a.bulkParts(cfg, tunings), []web.Part{
		web.AlertPages(tunings), web.TuningPages(tunings), web.Tunings(tunings),
		web.RoutePages(routes, cfg), web.Routing(routes), web.CoveragePage(a.rules),
	}...), nil
}
