package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// Explanation is a verdict with the way to it.
type Explanation struct {
	Kept   Kept        `json:"kept,omitempty"` // why it is not forwarded; empty where it is
	Reason string      `json:"reason"`
	Cause  alert.Cause `json:"cause"`
	Steps  []Step      `json:"steps"` // the routes that were asked, in their order, whatever keeps the alert back
	Taken  []Taken     `json:"taken"` // those that take it; the first decides its fate
}

// Step is one route that was asked.
type Step struct {
	Path     string   `json:"path"`
	Match    string   `json:"match,omitempty"` // empty matches everything
	Matched  bool     `json:"matched"`
	Continue bool     `json:"continue,omitempty"`
	Clauses  []Clause `json:"clauses,omitempty"`
}

// Clause is one part of a match, all of which must hold.
type Clause struct {
	Text    string       `json:"text"`
	Matched bool         `json:"matched"`
	Values  []alert.Fact `json:"values,omitempty"` // what the alert has in the fields it asks for; "" is nothing
}

// Taken is what a route that takes an alert does with it.
type Taken struct {
	Path      string `json:"path"`
	Channel   string `json:"channel"`
	ChannelBy string `json:"channel_by,omitempty"`      // the field's value that chose it
	OfRule    bool   `json:"channel_of_rule,omitempty"` // the alert's rule names the channel
	// Unheard is the channel that the alert's rule names where nothing can be said there.
	Unheard    string        `json:"channel_unheard,omitempty"`
	GroupBy    []alert.Fact  `json:"group_by,omitempty"`
	Alone      bool          `json:"alone,omitempty"` // no grouping
	GroupWait  time.Duration `json:"group_wait_ns"`
	Interval   time.Duration `json:"group_interval_ns"`
	Rate       string        `json:"rate_limit"`
	Quiet      string        `json:"quiet,omitempty"` // the quiet hours it would wait for now
	Escalation int           `json:"escalation_steps,omitempty"`
	// Left says why it says nothing of its own: another route has its channel.
	Left string `json:"left_out,omitempty"`
}

// Explain decides about an alert as Judge does, and says how it came to it.
func (p *Policy) Explain(now time.Time, a *alert.Alert, active ...Inhibitor) (Explanation, error) {
	f := &fields{alert: a, now: now}
	v := p.judge(f, active)
	e := Explanation{Kept: v.Kept, Reason: v.Reason, Cause: v.Cause}
	taken := map[string]string{}
	for _, r := range p.root.trace(f, nil, &e.Steps) {
		r, _ := r.groupedBy(f.alert)
		to := r.destination(f, p.reach)
		channel := to.channel
		t := Taken{
			Path: r.Path, Channel: channel, ChannelBy: to.by, OfRule: to.rule, Unheard: to.unheard, GroupBy: f.group(r), Alone: r.Solo, GroupWait: r.Wait, Interval: r.Interval,
			Rate: r.Rate.String(), Escalation: len(r.Escalation),
		}
		if r.Solo {
			t.GroupBy = nil
		}
		t.Quiet, _, _ = r.quiet(now)
		if path, there := taken[channel]; there {
			t.Left = fmt.Sprintf("%s says it in %s already", path, channel)
		} else {
			taken[channel] = r.Path
		}
		e.Taken = append(e.Taken, t)
	}
	return e, f.err
}

// trace is take, and keeps what was asked.
func (n *node) trace(f *fields, taken []*Route, steps *[]Step) []*Route {
	before := len(taken)
	for _, sub := range n.routes {
		s := Step{Path: sub.Path, Matched: sub.Match == nil || f.match(sub.Match), Continue: sub.Continue}
		if sub.Match != nil {
			s.Match = sub.Match.String()
			s.Clauses = f.clauses(sub.Match)
		}
		*steps = append(*steps, s)
		if !s.Matched {
			continue
		}
		taken = sub.trace(f, taken, steps)
		if !sub.Continue {
			break
		}
	}
	if len(taken) == before {
		taken = append(taken, n.Route)
	}
	return taken
}

func (f *fields) clauses(filter *query.Filter) []Clause {
	var out []Clause
	for _, part := range filter.Clauses() {
		out = append(out, Clause{Text: part.String(), Matched: f.match(part), Values: f.facts(part.Fields())})
	}
	return out
}

// Filters are all filters on alerts that the routes and what stands beside them are made of, by what names them.
func (p *Policy) Filters() map[string]*query.Filter {
	out := map[string]*query.Filter{}
	put := func(name string, f *query.Filter) {
		if f != nil {
			out[name] = f
		}
	}
	for path, r := range p.routes {
		put(path+".match", r.Match)
	}
	for name, f := range p.forward {
		put("match of detections "+name, f)
	}
	for _, m := range p.maintenance {
		put("match of maintenance window "+m.Name, m.Match)
	}
	for _, r := range p.inhibit.rules {
		put("source_match of "+r.Name, r.Source)
		put("target_match of "+r.Name, r.Target)
	}
	return out
}

// Sample reads an alert from JSON, to try routes with: a detection as Kibana stores it, or fields as filters name
// them, nested or with dots.
func Sample(document json.RawMessage) (*alert.Alert, error) {
	f, err := alert.Flatten(document)
	if err != nil {
		return nil, fmt.Errorf("read the alert: %w", err)
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v := f.First(name); v != "" {
				return v
			}
		}
		return ""
	}
	a := &alert.Alert{
		Source: first("source"), Severity: alert.ParseSeverity(first("severity", "kibana.alert.severity", "signal.rule.severity")),
		Reason: first("reason", "kibana.alert.reason"), Host: first("host.name"), User: first("user.name"), Document: document,
		Rule: alert.Rule{
			Name: first("rule.name", "kibana.alert.rule.name", "signal.rule.name"), ID: first("rule.id", "kibana.alert.rule.rule_id", "signal.rule.rule_id"),
			UUID: first("rule.uuid", "kibana.alert.rule.uuid", "signal.rule.id"), Type: first("rule.type", "kibana.alert.rule.type", "signal.rule.type"),
		},
		Status: alert.Status(first("status", "kibana.alert.workflow_status", "signal.status")),
	}
	for _, name := range []string{"tags", "kibana.alert.rule.tags", "signal.rule.tags"} {
		for _, v := range f[name] {
			if text := alert.Text(v); !slices.Contains(a.Tags, text) {
				a.Tags = append(a.Tags, text)
			}
		}
	}
	for _, name := range []string{"attack.technique", "kibana.alert.rule.threat.technique.id", "kibana.alert.rule.threat.technique.subtechnique.id"} {
		for _, v := range f[name] {
			a.Threat = append(a.Threat, alert.Threat{TechniqueID: alert.Text(v)})
		}
	}
	for _, name := range []string{"attack.tactic", "kibana.alert.rule.threat.tactic.name"} {
		for _, v := range f[name] {
			a.Threat = append(a.Threat, alert.Threat{TacticName: alert.Text(v)})
		}
	}
	if score := first("risk_score", "kibana.alert.risk_score", "signal.rule.risk_score"); score != "" {
		if _, err := fmt.Sscan(strings.TrimSpace(score), &a.Risk); err != nil {
			return nil, fmt.Errorf("read the alert: risk_score %q is not a number", score)
		}
	}
	a.ID = alert.NewID(a.Source, first("_id", "kibana.alert.uuid"))
	a.SourceID = first("_id", "kibana.alert.uuid")
	return a, nil
}
