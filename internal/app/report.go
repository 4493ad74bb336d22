package app

import (
	"tocsin/internal/config"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/rule"
)

// reportsOf are the digests of a configuration; none where nothing can be said.
func reportsOf(cfg *config.Config) ([]policy.Report, error) {
	var out []policy.Report
	for _, d := range cfg.Digests {
		f, err := filterOf("match of "+d.Name, d.Match)
		if err != nil {
			return nil, err
		}
		r := policy.Report{
			Name: d.Name, Channel: d.Channel, Every: notice.Period(d.Every), At: d.At, Weekday: d.Weekday, Location: d.Location, Match: f,
		}
		if r.Channel == "" {
			if cfg.Slack == nil {
				continue
			}
			r.Channel = "webhook"
		}
		out = append(out, r)
	}
	return out, nil
}

// runningRules are the names of the rules that run.
func (a *App) runningRules() []string {
	var out []string
	for _, e := range a.rules.All() {
		if e.Rule != nil && e.Runs() && e.Origin != rule.FromPack {
			out = append(out, e.Rule.Name)
		}
	}
	return out
}

// expectedSources are the names of what brings alerts.
func expectedSources(cfg *config.Config) []string {
	var out []string
	for _, d := range cfg.Detections {
		out = append(out, d.Name)
	}
	return out
}
