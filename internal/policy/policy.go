// Package policy owns the decisions: which alerts are forwarded, to which channel and in which group,
// when a group is due, and whether what is due becomes a message, an edit of a live one or part of a
// channel's digest. It is pure: time, state and counts come as arguments, and it does no I/O.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/query"
)

// Rate is how many messages a channel may get in a period. The zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

func (r Rate) String() string {
	switch {
	case r.Count == 0:
		return "off"
	case r.Per == time.Second:
		return fmt.Sprintf("%d/s", r.Count)
	case r.Per == time.Minute:
		return fmt.Sprintf("%d/m", r.Count)
	case r.Per == time.Hour:
		return fmt.Sprintf("%d/h", r.Count)
	case r.Per == 24*time.Hour:
		return fmt.Sprintf("%d/d", r.Count)
	default:
		return fmt.Sprintf("%d per %s", r.Count, r.Per)
	}
}

// Options say what policy decides by.
type Options struct {
	Root Route
	// Forward holds for each source of detections the filter of alerts to forward, nil for all; a source
	// that is not named forwards all, and no switch turns it off.
	Forward map[string]*query.Filter
	// Maintenance are the windows in which alerts are silenced.
	Maintenance []Maintenance
	// Inhibit are the rules by which one alert hides others.
	Inhibit []Inhibition
	// Reach tells whether a channel that a rule names can be used: there is a way to say something there. Nil is
	// all of them.
	Reach func(channel string) bool
	// Edits tells whether messages of a channel can be edited in place; without it a live message never
	// changes and a digest is said once. Nil is nowhere.
	Edits func(channel string) bool
}

// Maintenance silences the alerts that match while one of its calendars holds.
type Maintenance struct {
	Name  string
	Match *query.Filter // nil matches everything
	When  []*Calendar
}

// Policy decides. It holds nothing that changes and may be used by several goroutines.
type Policy struct {
	root        *node
	routes      map[string]*Route
	forward     map[string]*query.Filter
	maintenance []Maintenance
	maintained  *index
	inhibit     inhibitions
	edits       func(channel string) bool
	reach       func(channel string) bool
	set         *Set
}

// New checks the options.
func New(o Options) (*Policy, error) {
	if o.Edits == nil {
		o.Edits = func(string) bool { return false }
	}
	if o.Reach == nil {
		o.Reach = func(string) bool { return true }
	}
	p := &Policy{reach: o.Reach, forward: o.Forward, maintenance: o.Maintenance, edits: o.Edits, routes: map[string]*Route{}, set: &Set{}}
	var err error
	walk(&o.Root, func(r *Route) {
		if err == nil {
			err = r.check()
		}
		p.routes[r.Path] = r
	})
	if err != nil {
		return nil, err
	}
	p.root = newNode(&o.Root)
	filters := make([]*query.Filter, len(o.Maintenance))
	for i, m := range o.Maintenance {
		filters[i] = m.Match
	}
	p.maintained = newIndex(filters)
	p.inhibit = newInhibitions(o.Inhibit)
	return p, nil
}

// With is the policy with what people set about alerts.
func (p *Policy) With(set *Set) *Policy {
	out := *p
	if out.set = set; set == nil {
		out.set = &Set{}
	}
	return &out
}

// Template is the text of a route's messages, by its path; empty for the usual one.
func (p *Policy) Template(path string) string {
	if r := p.routes[path]; r != nil {
		return r.Template
	}
	return ""
}

// Verdict is what is to become of one alert. The zero Kept forwards it.
type Verdict struct {
	Kept    Kept   // why it is not forwarded
	Reason  string // a sentence for people
	Cause   alert.Cause
	Channel string
	Group   string // the key of its group; the same for all alerts said together
	By      []alert.Fact
	Path    string // of the route
	// Also are the other routes that take the alert, each to another channel. They make copies: what becomes
	// of the alert is decided by the first.
	Also  []Verdict
	route *Route
	quiet bool
}

// Kept tells in which way an alert is kept back.
type Kept string

// The ways to keep an alert back. Said is none: it is forwarded.
const (
	Said       Kept = ""
	Excluded   Kept = "exclude"
	Silenced   Kept = "silence"
	Suppressed Kept = "suppress"
	Shadow     Kept = "shadow"
)

// held is how an alert is kept that its own source holds back.
var held = map[alert.Fate]Kept{alert.Excluded: Excluded, alert.Silenced: Silenced, alert.Suppressed: Suppressed, alert.Shadow: Shadow}

// Judge decides about one alert by itself: the same alert at the same time always gets the same
// verdict. An error means that its fields cannot be read. active tells which inhibiting alerts there are.
func (p *Policy) Judge(now time.Time, a *alert.Alert, active ...Inhibitor) (Verdict, error) {
	f := &fields{alert: a, now: now}
	v := p.judge(f, active)
	if f.err != nil {
		return Verdict{}, f.err
	}
	return v, nil
}

func (p *Policy) judge(f *fields, active []Inhibitor) Verdict {
	if v, kept := p.keep(f, active); kept {
		return v
	}
	var v Verdict
	taken := map[string]bool{}
	for i, r := range p.root.take(f, nil) {
		one := r.verdict(f.now, f, p.reach)
		switch {
		case i == 0:
			v = one
		case !taken[one.Channel]:
			v.Also = append(v.Also, one)
		}
		taken[one.Channel] = true
	}
	if v.Channel == "" {
		return Verdict{
			Kept: Excluded, Cause: alert.NewCause(alert.CauseNoChannel),
			Reason: "no Slack is configured: it is kept, and nothing is said",
		}
	}
	return v
}

// keep decides whether an alert is kept back, whatever the routes say.
func (p *Policy) keep(f *fields, active []Inhibitor) (Verdict, bool) {
	a := f.alert
	kept := func(as Kept, reason string, code alert.Code, params ...string) (Verdict, bool) {
		return Verdict{Kept: as, Reason: reason, Cause: alert.NewCause(code, params...)}, true
	}
	switch {
	case a.Withdrawn:
		return kept(Excluded, "withdrawn before it was said: what came later undid its condition", alert.CauseWithdrawn)
	case a.Held != nil && held[a.Held.As] != Said:
		return kept(held[a.Held.As], a.Held.Reason, alert.CauseHeld)
	case a.BuildingBlock:
		return kept(Excluded, "a building block: the alert it is part of is sent", alert.CauseBuildingBlock)
	case a.Status == alert.StatusClosed:
		return kept(Excluded, "closed before it was said", alert.CauseClosed)
	case len(a.Maintenance) > 0:
		windows := strings.Join(a.Maintenance, ", ")
		return kept(Silenced, "maintenance window "+windows+" of its source", alert.CauseSourceMaintenance, "windows", windows)
	}
	if t := p.set.first(f, Exception); t != nil {
		return kept(Excluded, t.sentence(), alert.CauseException, "id", t.ID, "by", t.Who, "until", t.until())
	}
	if forward, detections := p.forward[a.Source]; detections {
		if t := p.set.first(f, Forwarding); t != nil {
			if t.Off {
				return kept(Excluded, t.sentence(), alert.CauseSwitchedOff, "id", t.ID, "by", t.Who)
			}
		} else if forward != nil && !f.match(forward) {
			return kept(Excluded, "does not match what is forwarded from "+a.Source+": "+forward.String(),
				alert.CauseNotForwarded, "source", a.Source, "match", forward.String())
		}
	}
	if m := p.window(f); m != nil {
		return kept(Silenced, "maintenance window "+m.Name, alert.CauseMaintenance, "window", m.Name)
	}
	if t := p.set.first(f, Silence); t != nil {
		return kept(Silenced, t.sentence(), alert.CauseSilence, "id", t.ID, "by", t.Who, "until", t.until())
	}
	if by := p.inhibit.by(f, active); by != nil {
		return kept(Silenced, fmt.Sprintf("inhibited by %s: alert %s%s", by.rule, by.Alert, with(by.equal)),
			alert.CauseInhibited, "rule", by.rule, "alert", string(by.Alert))
	}
	return Verdict{}, false
}

// window is the first maintenance window that is open for the alert.
func (p *Policy) window(f *fields) *Maintenance {
	i := p.maintained.first(f, func(i int) bool {
		return slices.ContainsFunc(p.maintenance[i].When, func(c *Calendar) bool { return c.Contains(f.now) })
	})
	if i < 0 {
		return nil
	}
	return &p.maintenance[i]
}

// fields reads an alert's fields once, and only when something beyond its own names asks for them:
// flattening the document costs more than all the rest of a verdict.
type fields struct {
	alert *alert.Alert
	now   time.Time
	all   alert.Fields
	err   error
}

func (f *fields) read() alert.Fields {
	if f.all == nil && f.err == nil {
		f.all, f.err = f.alert.Fields()
	}
	return f.all
}

func (f *fields) match(filter *query.Filter) bool {
	all := f.read()
	return f.err == nil && filter.Match(all, f.now)
}

// values are those of one field; the alert's own names do not need its document.
func (f *fields) values(name string) []any {
	values, ok := f.alert.Own(name)
	if !ok {
		values = f.read()[name]
	}
	return values
}

// group is the values the route groups by.
func (f *fields) group(route *Route) []alert.Fact {
	if route.Solo {
		return nil
	}
	return f.facts(route.GroupBy)
}

// facts are the values of fields; several values of one field are one text of their own.
func (f *fields) facts(names []string) []alert.Fact {
	var by []alert.Fact
	for _, name := range names {
		values := f.values(name)
		texts := make([]string, 0, len(values))
		for _, value := range values {
			texts = append(texts, alert.Text(value))
		}
		slices.Sort(texts)
		by = append(by, alert.Fact{Name: name, Value: strings.Join(slices.Compact(texts), ", ")})
	}
	return by
}

// key makes one short name of its parts; equal parts give equal names.
func key(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// SoloKey names the notice of an alert that is said alone. It is the same for ever, so that no way of
// deciding about the alert twice can say it twice.
func SoloKey(id alert.ID) notice.Key { return notice.Key(key("alone", string(id))) }

// CopyKey names the notice of an alert's copy that is said alone in a channel. It is the same for ever.
func CopyKey(id alert.ID, channel string) notice.Key {
	return notice.Key(key("copy", string(id), channel))
}

// AtOnce reports whether the alert is said alone and nothing can hold it back: it needs no group.
func (v Verdict) AtOnce() bool {
	return v.route != nil && !v.quiet && v.route.Solo && len(v.route.Escalation) == 0 && v.route.Wait == 0 && v.route.Rate.Count == 0 && v.route.Repeat == 0
}
