package notice

import (
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/alert"
)

// factsMost is how many labelled values an item has beside host and user.
const factsMost = 8

// habit are the fields that people look for first, in the words of ECS, in their order. Of the fields of one
// line the first that the alert has is told.
var habit = [][]string{
	{"source.ip", "client.ip", "source.address"},
	{"destination.ip", "server.ip", "destination.address", "destination.domain"},
	{"destination.port", "server.port"},
	{"process.command_line", "process.args", "process.executable", "process.name"},
	{"process.parent.name", "process.parent.executable"},
	{"file.path", "file.name"},
	{"dns.question.name", "url.full", "url.original", "url.domain", "url.path"},
	{"event.action"},
	{"event.outcome"},
	{"http.response.status_code"},
	{"registry.path"},
	{"rule.name"},
	{"threat.indicator.ip", "threat.indicator.file.hash.sha256", "threat.indicator.domain"},
	{"file.hash.sha256", "process.hash.sha256"},
	{"source.geo.country_name", "source.geo.country_iso_code"},
	{"user.target.name", "user.effective.name"},
	{"group.name"},
	{"orchestrator.namespace", "kubernetes.namespace"},
	{"kubernetes.pod.name", "container.name", "container.image.name"},
	{"cloud.account.id", "cloud.account.name"},
	{"service.name"},
}

// newest are the fields of the newest events that say who and where, for an alert of many events whose row does not. Of
// the fields of one line the first is told.
var newest = [][]string{{"host.name", "host.hostname"}, {"user.name"}, habit[0], {"destination.ip", "destination.domain"}, {"process.name"}, {"url.path", "url.original"}}

// newestMost is how many fields of the newest events are told.
const newestMost = 3

// ofNewest adds what the newest events say to facts.
func ofNewest(out []alert.Fact, a *alert.Alert, named func(string) bool) []alert.Fact {
	fields := sampled(a.Document)
	lines := newest
	if len(a.Rule.Fields) > 0 {
		lines = nil
		for _, name := range a.Rule.Fields {
			lines = append(lines, []string{name})
		}
	}
	for most := min(factsMost, len(out)+newestMost); len(lines) > 0 && len(out) < most; lines = lines[1:] {
		for _, name := range lines[0] {
			value := spelt(name, fields[name])
			if value == "" || named(name) || name == "host.name" && a.Host != "" || name == "user.name" && a.User != "" {
				continue
			}
			out = append(out, alert.Fact{Name: name + ", newest", Value: value})
			break
		}
	}
	return out
}

// facts are the alert's own, without those that say the host or the user once more, and then those of its
// document that people look for first.
func facts(a *alert.Alert, fields alert.Fields) []alert.Fact {
	var out []alert.Fact
	named := func(name string) bool {
		return slices.ContainsFunc(out, func(f alert.Fact) bool { return f.Name == name })
	}
	for _, f := range a.Facts {
		if f.Value == a.Host && f.Name == "host.name" || f.Value == a.User && f.Name == "user.name" {
			continue
		}
		out = append(out, f)
	}
	for _, name := range a.Rule.Fields { // what the rule chose comes before habit
		if len(out) < factsMost && !named(name) && name != "host.name" && name != "user.name" {
			if value := whole(name, fields); value != "" {
				out = append(out, alert.Fact{Name: name, Value: value})
			}
		}
	}
	told := len(out)
	out = ofNewest(out, a, named)
	if len(a.Rule.Fields) > 0 && len(out) > 0 || len(out) > told {
		return out
	}
	for _, line := range habit {
		if len(out) >= factsMost {
			break
		}
		if slices.ContainsFunc(line, named) {
			continue
		}
		for _, name := range line {
			if value := spelt(name, fields[name]); value != "" {
				out = append(out, alert.Fact{Name: name, Value: value})
				break
			}
		}
	}
	return out
}

// valuesMost is how many values of one field are named.
const valuesMost = 4

// whole is a field as a message shows it, with what lies below it where it holds objects: "x; b: 1, 2; c.d: e".
func whole(name string, fields alert.Fields) string {
	var below []string
	for other := range fields {
		if strings.HasPrefix(other, name+".") {
			below = append(below, other)
		}
	}
	slices.Sort(below)
	var parts []string
	if value := spelt(name, fields[name]); value != "" {
		parts = append(parts, value)
	}
	for _, other := range below[:min(len(below), valuesMost)] {
		if value := spelt(other, fields[other]); value != "" {
			parts = append(parts, strings.TrimPrefix(other, name+".")+": "+value)
		}
	}
	if more := len(below) - valuesMost; more > 0 {
		parts = append(parts, "and "+strconv.Itoa(more)+" more")
	}
	return strings.Join(parts, "; ")
}

// spelt are a field's values as a message shows them: without repeats, the first few, and how many more there
// are. The words of a command line are one.
func spelt(name string, values []any) string {
	if strings.HasSuffix(name, ".args") {
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = alert.Text(v)
		}
		return strings.Join(words, " ")
	}
	var texts []string
	for _, v := range values {
		if s := strings.TrimSpace(alert.Text(v)); s != "" && !slices.Contains(texts, s) {
			texts = append(texts, s)
		}
	}
	if more := len(texts) - valuesMost; more > 0 {
		return strings.Join(texts[:valuesMost], ", ") + " and " + strconv.Itoa(more) + " more"
	}
	return strings.Join(texts, ", ")
}
