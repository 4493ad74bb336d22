package app

import (
	"slices"

	"tocsin/internal/config"
	"tocsin/internal/rule"
	"tocsin/internal/web"
)

// rulePages are the pages of rules.
func (a *App) rulePages(cfg *config.Config) web.Part {
	return web.RulePages(web.RulePagesOptions{
		Library: a.rules, Tester: RuleTester(a.lookups.all), Standing: a.detect.Standing, Sources: SourceNames(cfg),
		Channels: func() []string { return knownChannels(cfg, a.rules.All()) }, Detections: expectedSources(cfg),
	})
}

// knownChannels are the channels that routes, outputs, digests and rules name, in that order.
func knownChannels(cfg *config.Config, rules []rule.Entry) []string {
	var out []string
	add := func(names ...string) {
		for _, name := range names {
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	add(cfg.Route.Channels()...)
	for _, o := range cfg.Notify {
		add(config.OutputPrefix + o.Name)
	}
	for _, d := range cfg.Digests {
		add(d.Channel)
	}
	for _, e := range rules {
		if e.Rule != nil {
			add(e.Rule.Channel)
		}
	}
	return out
}

// bulkParts are the endpoints that change several rules, and those of Kibana's rules.
func (a *App) bulkParts(cfg *config.Config, tunings web.TuningOptions) []web.Part {
	return []web.Part{
		web.RuleBulk(a.rules),
		web.KibanaRules(web.KibanaRulesOptions{Detections: expectedSources(cfg), Explain: a.intake.Explain, Book: tunings.Book}),
	}
}
