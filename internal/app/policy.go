package app

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/config"
	"tocsin/internal/notify"
	"tocsin/internal/policy"
	"tocsin/internal/query"
)

// Policy makes the policy of a configuration.
func Policy(cfg *config.Config, edits func(channel string) bool) (*policy.Policy, error) {
	o := policy.Options{Forward: map[string]*query.Filter{}, Edits: edits}
	for _, d := range cfg.Detections {
		f, err := filterOf("match of detections "+d.Name, d.Match)
		if err != nil {
			return nil, err
		}
		o.Forward[d.Name] = f
	}
	o.Reach = func(channel string) bool {
		if name, output := strings.CutPrefix(channel, notify.Prefix); output {
			return slices.ContainsFunc(cfg.Notify, func(n config.Output) bool { return n.Name == name })
		}
		return cfg.Slack != nil && cfg.Slack.WebhookURL == ""
	}
	calendars := map[string]*policy.Calendar{}
	for _, t := range cfg.TimeIntervals {
		c := &policy.Calendar{Name: t.Name}
		for _, s := range t.Spans {
			c.Spans = append(c.Spans, policy.Span(s))
		}
		calendars[t.Name] = c
	}
	for _, w := range cfg.Maintenance {
		f, err := filterOf("match of maintenance window "+w.Name, w.Match)
		if err != nil {
			return nil, err
		}
		m := policy.Maintenance{Name: w.Name, Match: f}
		for _, name := range w.TimeIntervals {
			m.When = append(m.When, calendars[name])
		}
		o.Maintenance = append(o.Maintenance, m)
	}
	for _, r := range cfg.Inhibit {
		source, err := filterOf("source_match of "+r.Name, r.Source)
		if err != nil {
			return nil, err
		}
		target, err := filterOf("target_match of "+r.Name, r.Target)
		if err != nil {
			return nil, err
		}
		o.Inhibit = append(o.Inhibit, policy.Inhibition{Name: r.Name, Source: source, Target: target, Equal: r.Equal, For: r.For})
	}
	var err error
	if o.Root, err = routeOf(cfg.Route, "route", cfg.Slack, calendars); err != nil {
		return nil, err
	}
	return policy.New(o)
}

func routeOf(r config.Route, path string, s *config.Slack, calendars map[string]*policy.Calendar) (policy.Route, error) {
	out := policy.Route{
		Path: path, Continue: r.Continue, Channel: r.Channel, Solo: r.Ungrouped(), Wait: r.GroupWait, Interval: r.GroupInterval,
		OfRoot: !r.OwnChannel, FromRoot: !r.OwnChannelFrom, Template: r.Template, Repeat: r.RepeatInterval, Rate: policy.Rate(r.RateLimit),
	}
	if !out.Solo {
		out.GroupBy = r.GroupBy
	}
	switch {
	case strings.HasPrefix(out.Channel, notify.Prefix):
	case s == nil: // nothing can be said anywhere
		out.Channel = ""
	case out.Channel == "": // a webhook has one channel, which it does not tell
		out.Channel = "webhook"
	}
	if r.ChannelFrom != nil && (s == nil || s.WebhookURL == "") {
		from := policy.ChannelFrom(*r.ChannelFrom)
		out.From = &from
	}
	for _, name := range r.MuteTimeIntervals {
		out.Mute = append(out.Mute, calendars[name])
	}
	for _, name := range r.ActiveTimeIntervals {
		out.Active = append(out.Active, calendars[name])
	}
	for _, e := range r.Escalation {
		out.Escalation = append(out.Escalation, policy.Escalation(e))
	}
	var err error
	if out.Match, err = filterOf("match of "+path, r.Match); err != nil {
		return out, err
	}
	for i, child := range r.Routes {
		one, err := routeOf(child, fmt.Sprintf("%s.routes[%d]", path, i), s, calendars)
		if err != nil {
			return out, err
		}
		out.Routes = append(out.Routes, one)
	}
	return out, nil
}

// filterOf compiles a filter of the configuration; nil for an empty one, which matches everything.
func filterOf(what, text string) (*query.Filter, error) {
	if text == "" {
		return nil, nil
	}
	f, err := query.CompileFilter(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return f, nil
}
