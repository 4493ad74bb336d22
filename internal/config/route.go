package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"tocsin/internal/duration"
)

// mostNested is how deep routes may stand in each other.
const mostNested = 16

// rootRoute reads the routes; fallback holds the defaults.
func (d *decoder) rootRoute(root *mapping, fallback Route, slack *Slack, known []TimeInterval) Route {
	if slack != nil {
		fallback.Channel = slack.Channel
	}
	m := root.section("route")
	if m == nil {
		return fallback
	}
	return d.route(m, fallback, slack, known)
}

// route reads one route and those under it; r holds what it inherits.
func (d *decoder) route(m *mapping, r Route, slack *Slack, known []TimeInterval) Route {
	r.Match, r.Routes, r.Continue = "", nil, false
	if m.key != "route" {
		r.Match = m.filter("match")
		goOn, _ := m.oneOf("continue", "true", "false")
		r.Continue = goOn == "true"
		if channel := d.channel(m); channel != "" {
			if slack != nil && slack.WebhookURL != "" && !strings.HasPrefix(channel, OutputPrefix) {
				d.warn(m.placeOf("channel"), join(m.key, "channel")+" does nothing: a webhook posts to its own channel; use bot_token for several")
			} else { // its own channel stands before a field that the route around it asks
				r.Channel, r.ChannelFrom, r.OwnChannel, r.OwnChannelFrom = channel, nil, true, false
			}
		}
	} else if e, ok := m.ask("channel"); ok { // slack.channel is Slack's default; here only an output can stand
		channel := d.channel(m)
		if strings.HasPrefix(channel, OutputPrefix) {
			r.Channel = channel
		} else if channel != "" {
			d.problem(e.place, "route.channel may only name an output, such as channel: \"notify:oncall\"; the channel in Slack of every alert that no route sends elsewhere is slack.channel")
		}
	}
	if from := d.channelFrom(m, slack); from != nil {
		r.ChannelFrom, r.OwnChannelFrom = from, m.key != "route"
	}
	if fields, ok := d.groupBy(m); ok {
		r.GroupBy = fields
	}
	r.GroupWait = m.duration("group_wait", r.GroupWait, 0)
	r.GroupInterval = m.duration("group_interval", r.GroupInterval, 1)
	r.RepeatInterval = d.repeat(m, r.RepeatInterval)
	r.RateLimit = m.rate("rate_limit", r.RateLimit)
	if names, ok := d.intervalNames(m, "mute_time_intervals", known); ok {
		r.MuteTimeIntervals = names
	}
	if names, ok := d.intervalNames(m, "active_time_intervals", known); ok {
		r.ActiveTimeIntervals = names
	}
	if steps, ok := d.escalation(m); ok {
		r.Escalation = steps
	}
	if text, ok := m.template("template"); ok {
		r.Template = text
	}
	items, _ := m.list("routes")
	if len(items) > 0 && strings.Count(m.key, ".") >= mostNested {
		d.problem(m.placeOf("routes"), fmt.Sprintf("the routes are more than %d deep: put them beside each other", mostNested))
		items = nil
	}
	for i, it := range items {
		sub := d.mapping(it.node, it.key, it.place)
		one := d.route(sub, r, slack, known)
		if !sub.has("match") && !one.Continue && i < len(items)-1 {
			d.warn(sub.place, sub.key+" has no match, so it takes every alert and the routes after it none: write match, or put it last")
		}
		r.Routes = append(r.Routes, one)
	}
	m.close()
	return r
}

// groupBy reads the fields of a group.
func (d *decoder) groupBy(m *mapping) ([]string, bool) { return d.fieldNames(m, "group_by") }

// fieldNames reads a list of fields; in group_by '...' may stand for no grouping.
func (d *decoder) fieldNames(m *mapping, name string) ([]string, bool) {
	texts, ok := m.texts(name)
	if !ok {
		return nil, false
	}
	fields := make([]string, 0, len(texts))
	for _, t := range texts {
		all := name == "group_by" && t.value == "..."
		switch {
		case all && len(texts) > 1:
			d.wrong(t, "must stand alone: group_by: ['...'] is one message per alert; delete it or the fields beside it")
		case !all && notField(t.value):
			d.wrong(t, "is not a field: write its name, such as rule.name or host.name")
		default:
			if !all {
				d.misspelt(t)
			}
			fields = append(fields, t.value)
		}
	}
	return slices.Clip(fields), true
}

func notField(name string) bool {
	return name == "..." || strings.ContainsAny(name, "*:\"'()|,") || strings.ContainsFunc(name, unicode.IsSpace)
}

// repeat reads repeat_interval, where off is zero.
func (d *decoder) repeat(m *mapping, fallback time.Duration) time.Duration {
	t, ok := m.word("repeat_interval")
	if !ok {
		return fallback
	}
	if t.value == "off" {
		return 0
	}
	v, err := duration.Parse(t.value)
	switch {
	case err != nil:
		d.wrong(t, err.Error()+"; or off")
	case v == 0:
		d.wrong(t, "must be longer than zero: write off to say nothing again")
	default:
		return v
	}
	return fallback
}
