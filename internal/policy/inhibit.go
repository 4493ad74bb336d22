package policy

import (
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// Inhibition lets one alert hide others: while there is an alert that matches Source, those that match Target
// and have the same values of the Equal fields are silenced. As Alertmanager's, two alerts that lack a field
// are equal in it. An alert that matches both is never hidden by the rule.
type Inhibition struct {
	Name           string // names the rule in reasons
	Source, Target *query.Filter
	Equal          []string
	// For is how long after it was taken in an alert hides others; one whose condition is still open hides
	// them as long as it is.
	For time.Duration
}

// Inhibitor is an alert that hides others now.
type Inhibitor struct {
	Key   string // as Inhibits gave it
	Alert alert.ID

	rule  string
	equal []alert.Fact
}

// Inhibits is what an alert hides.
type Inhibits struct {
	Key string // the same for all alerts that hide the same
	For time.Duration
}

type inhibitions struct {
	rules            []Inhibition
	sources, targets *index
}

func newInhibitions(rules []Inhibition) inhibitions {
	sources, targets := make([]*query.Filter, len(rules)), make([]*query.Filter, len(rules))
	for i, r := range rules {
		sources[i], targets[i] = r.Source, r.Target
	}
	return inhibitions{rules, newIndex(sources), newIndex(targets)}
}

// Inhibits tells what an alert hides, and HiddenBy the keys of those that would hide it. Without rules of
// inhibition both are cheap.
func (p *Policy) Inhibits(now time.Time, a *alert.Alert) ([]Inhibits, error) {
	if len(p.inhibit.rules) == 0 {
		return nil, nil
	}
	f := &fields{alert: a, now: now}
	if _, kept := p.keep(f, nil); kept { // what nobody hears of hides nothing
		return nil, f.err
	}
	var out []Inhibits
	p.inhibit.sources.each(f, func(i int) bool {
		k, _ := p.inhibit.rules[i].key(f)
		out = append(out, Inhibits{Key: k, For: p.inhibit.rules[i].For})
		return true
	})
	return out, f.err
}

// HiddenBy gives the keys of the alerts that would hide this one.
func (p *Policy) HiddenBy(now time.Time, a *alert.Alert) ([]string, error) {
	if len(p.inhibit.rules) == 0 {
		return nil, nil
	}
	f := &fields{alert: a, now: now}
	var out []string
	for i := range p.inhibit.hiding(f) {
		k, _ := p.inhibit.rules[i].key(f)
		out = append(out, k)
	}
	return out, f.err
}

// hiding yields the rules under which the alert may be hidden.
func (x *inhibitions) hiding(f *fields) func(func(int) bool) {
	return func(yield func(int) bool) {
		x.targets.each(f, func(i int) bool {
			r := &x.rules[i]
			if r.Source == nil || f.match(r.Source) {
				return true
			}
			return yield(i)
		})
	}
}

// by is the first of the active alerts that hides this one; nil for none.
func (x *inhibitions) by(f *fields, active []Inhibitor) *Inhibitor {
	if len(active) == 0 {
		return nil
	}
	for i := range x.hiding(f) {
		k, equal := x.rules[i].key(f)
		for _, in := range active {
			if in.Key == k && in.Alert != f.alert.ID {
				in.rule, in.equal = x.rules[i].Name, equal
				return &in
			}
		}
	}
	return nil
}

func (r *Inhibition) key(f *fields) (string, []alert.Fact) {
	equal := f.facts(r.Equal)
	parts := []string{"inhibit", r.Name}
	for _, fact := range equal {
		parts = append(parts, fact.Name, fact.Value)
	}
	return key(parts...), equal
}

// with says the values that two alerts share.
func with(equal []alert.Fact) string {
	var parts []string
	for _, fact := range equal {
		if fact.Value != "" {
			parts = append(parts, fact.Name+" "+fact.Value)
		}
	}
	if parts == nil {
		return ""
	}
	return " with the same " + strings.Join(parts, " and ")
}
