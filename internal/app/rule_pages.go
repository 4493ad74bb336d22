package app

import (
	"tocsin/internal/config"
	"tocsin/internal/web"
)

// rulePages are the pages of rules.
func (a *App) rulePages(cfg *config.Config) web.Part {
	return web.RulePages(web.RulePagesOptions{
		Library: a.rules, Tester: RuleTester(a.lookups.all), Standing: a.detect.Standing, Sources: SourceNames(cfg),
	})
}
