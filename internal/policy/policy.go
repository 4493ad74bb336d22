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

// Route says where alerts go and how they are grouped there. The first of Routes that matches an
// alert takes it, else the route itself does.
type Route struct {
	Path     string        // names the route in reasons: "route", "route.routes[0]"
	Match    *query.Filter // nil matches everything
	Channel  string
	GroupBy  []string // fields of the alert; empty is one group for the whole route
	Solo     bool     // no grouping: one message per alert
	Wait     time.Duration
	Interval time.Duration
	Repeat   time.Duration // 0 is off
	Rate     Rate
	Routes   []Route
}

// Options say what policy decides by.
type Options struct {
	Root Route
	// Forward holds for each source the filter of alerts to forward; a source that is not named
	// forwards all.
	Forward map[string]*query.Filter
	// Edits tells that messages can be edited in place; without it a live message never changes and
	// a digest is said once.
	Edits bool
}

// Policy decides. It holds nothing that changes and may be used by several goroutines.
type Policy struct {
	root    Route
	forward map[string]*query.Filter
	edits   bool
}

// New checks the options.
func New(o Options) (*Policy, error) {
	var err error
	walk(&o.Root, func(r *Route) {
		switch {
		case err != nil:
		case r.Interval <= 0:
			err = fmt.Errorf("%s: group_interval must be positive", r.Path)
		case r.Wait < 0 || r.Repeat < 0:
			err = fmt.Errorf("%s: group_wait and repeat_interval must not be negative", r.Path)
		case r.Rate.Count < 0 || r.Rate.Count > 0 && r.Rate.Per <= 0:
			err = fmt.Errorf("%s: rate_limit must have a positive count and period", r.Path)
		}
	})
	if err != nil {
		return nil, err
	}
	return &Policy{root: o.Root, forward: o.Forward, edits: o.Edits}, nil
}

func walk(r *Route, each func(*Route)) {
	each(r)
	for i := range r.Routes {
		walk(&r.Routes[i], each)
	}
}

// Verdict is what is to become of one alert. The zero Kept forwards it.
type Verdict struct {
	Kept    Kept   // why it is not forwarded
	Reason  string // a sentence for people
	Channel string
	Group   string // the key of its group; the same for all alerts said together
	By      []alert.Fact
	route   *Route
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
// verdict. An error means that its fields cannot be read.
func (p *Policy) Judge(now time.Time, a *alert.Alert) (Verdict, error) {
	switch {
	case a.Withdrawn:
		return Verdict{Kept: Excluded, Reason: "withdrawn before it was said: what came later undid its condition"}, nil
	case a.Held != nil && held[a.Held.As] != Said:
		return Verdict{Kept: held[a.Held.As], Reason: a.Held.Reason}, nil
	case a.BuildingBlock:
		return Verdict{Kept: Excluded, Reason: "a building block: the alert it is part of is sent"}, nil
	case a.Status == alert.StatusClosed:
		return Verdict{Kept: Excluded, Reason: "closed before it was said"}, nil
	case len(a.Maintenance) > 0:
		return Verdict{Kept: Silenced, Reason: "maintenance window " + strings.Join(a.Maintenance, ", ") + " of its source"}, nil
	}
	f := fields{alert: a, now: now}
	if forward := p.forward[a.Source]; forward != nil && !f.match(forward) {
		if f.err == nil {
			return Verdict{Kept: Excluded, Reason: "does not match what is forwarded from " + a.Source + ": " + forward.String()}, nil
		}
		return Verdict{}, f.err
	}
	route := &p.root
	for {
		next := slices.IndexFunc(route.Routes, func(r Route) bool { return r.Match == nil || f.match(r.Match) })
		if next < 0 {
			break
		}
		route = &route.Routes[next]
	}
	if route.Channel == "" {
		return Verdict{Kept: Excluded, Reason: "no Slack is configured: it is kept, and nothing is said"}, f.err
	}
	by := f.group(route)
	if f.err != nil {
		return Verdict{}, f.err
	}
	v := Verdict{Channel: route.Channel, By: by, route: route}
	if route.Solo {
		v.Group = key("solo", route.Path, string(a.ID))
		v.Reason = waits(route)
		return v, nil
	}
	parts := []string{"group", route.Path, route.Channel}
	for _, fact := range by {
		parts = append(parts, fact.Name, fact.Value)
	}
	v.Group = key(parts...)
	v.Reason = waits(route)
	return v, nil
}

// waits says what an alert that was just put into a group waits for.
func waits(r *Route) string {
	return fmt.Sprintf("waits in its group for %s by %s: group_wait %s, then group_interval %s", r.Channel, r.Path, r.Wait, r.Interval)
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

// group is the values the route groups by; several values of one field are one group of their own.
func (f *fields) group(route *Route) []alert.Fact {
	if route.Solo {
		return nil
	}
	var by []alert.Fact
	for _, name := range route.GroupBy {
		values, ok := f.alert.Own(name)
		if !ok {
			values = f.read()[name]
		}
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

// AtOnce reports whether the alert is said alone and nothing can hold it back: it needs no group.
func (v Verdict) AtOnce() bool {
	return v.route != nil && v.route.Solo && v.route.Wait == 0 && v.route.Rate.Count == 0 && v.route.Repeat == 0
}
