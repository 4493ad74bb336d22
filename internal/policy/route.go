package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// Route says where alerts go and how they are grouped there. Of Routes the first that matches an alert takes
// it, and where that says Continue the next ones too; where none does the route itself takes it.
type Route struct {
	Path     string        // names the route in reasons: "route", "route.routes[0]"
	Match    *query.Filter // nil matches everything
	Continue bool          // the routes after it are asked too
	Channel  string
	From     *ChannelFrom // the channel by a field of the alert; nil is Channel for all
	OfRoot   bool         // Channel is the root's: that of the alert's rule takes its place
	FromRoot bool         // From is the root's, and gives way to the channel of the alert's rule too
	GroupBy  []string     // fields of the alert; empty is one group for the whole route
	Solo     bool         // no grouping: one message per alert
	Wait     time.Duration
	Interval time.Duration
	Repeat   time.Duration // 0 is off
	Rate     Rate
	// Mute and Active are its quiet hours: while one of Mute holds, and while it has Active and none of
	// them does. What comes then waits.
	Mute, Active []*Calendar
	Escalation   []Escalation // in the order of After
	Template     string       // the text of its messages; "" is the usual one
	Routes       []Route
}

// ChannelFrom takes a route's channel from a field of the alert.
type ChannelFrom struct {
	Field    string
	Channels map[string]string // the values that are allowed, and the channels they mean
	Else     string            // where none of the values is allowed; "" is the route's own channel
}

// Escalation is what is done where nobody took an alert up.
type Escalation struct {
	After    time.Duration // since the group's message was queued
	Mentions []string
	Channel  string // "" is the channel where the alerts were said
}

// node is a route with what is worked out once.
type node struct {
	*Route
	index  *index
	routes []*node
}

func newNode(r *Route) *node {
	n := &node{Route: r}
	filters := make([]*query.Filter, len(r.Routes))
	for i := range r.Routes {
		filters[i] = r.Routes[i].Match
		n.routes = append(n.routes, newNode(&r.Routes[i]))
	}
	n.index = newIndex(filters)
	return n
}

// take gives the routes that an alert takes, in the order of the tree; there is one at least.
func (n *node) take(f *fields, taken []*Route) []*Route {
	before := len(taken)
	n.index.each(f, func(i int) bool {
		taken = n.routes[i].take(f, taken)
		return n.routes[i].Continue
	})
	if len(taken) == before {
		taken = append(taken, n.Route)
	}
	return taken
}

// destination is where a route sends an alert, and what chose it.
type destination struct {
	channel string
	by      string // the value of the field that chose it; empty for none
	rule    bool   // the alert's rule chose it
	unheard string // the channel of the alert's rule where nothing can be said there
}

func (d destination) String() string {
	switch {
	case d.rule:
		return d.channel + " (the channel of its rule)"
	case d.unheard != "":
		return d.channel + " (nothing can be said in " + d.unheard + ", the channel of its rule)"
	}
	return d.channel
}

// destination is where the route sends an alert. What routes below the root say stands before the channel of the
// alert's rule, and that before what the root says.
func (r *Route) destination(f *fields, reach func(string) bool) destination {
	d := destination{channel: r.Channel}
	if own := f.alert.Rule.Channel; own != "" && r.OfRoot {
		if reach(own) {
			d.channel, d.rule = own, true
		} else {
			d.unheard = own
		}
	}
	if r.From == nil || d.channel == "" || d.rule && r.FromRoot { // without a way to say anything, no field opens one
		return d
	}
	for _, v := range f.values(r.From.Field) {
		text := alert.Text(v)
		if channel, ok := r.From.Channels[text]; ok {
			return destination{channel: channel, by: text}
		}
	}
	if r.From.Else != "" {
		return destination{channel: r.From.Else}
	}
	return d
}

// groupedBy is the route as it groups an alert whose rule says itself how its alerts are grouped, with the id of that
// rule: alerts of others stay out of its groups.
func (r *Route) groupedBy(a *alert.Alert) (route *Route, rule string) {
	by := a.Rule.GroupBy
	if len(by) == 0 {
		return r, ""
	}
	own := *r
	if own.Solo = slices.Equal(by, []string{"..."}); !own.Solo {
		own.GroupBy = by
	}
	return &own, a.Rule.ID
}

// verdict is what the route does with an alert.
func (r *Route) verdict(now time.Time, f *fields, reach func(string) bool) Verdict {
	r, own := r.groupedBy(f.alert)
	to := r.destination(f, reach)
	channel := to.channel
	v := Verdict{Channel: channel, By: f.group(r), Path: r.Path, route: r}
	if r.Solo {
		v.Group = key("solo", r.Path, string(f.alert.ID))
	} else {
		parts := []string{"group", r.Path, channel}
		if own != "" {
			parts = append(parts, "rule", own)
		}
		for _, fact := range v.By {
			parts = append(parts, fact.Name, fact.Value)
		}
		v.Group = key(parts...)
	}
	where := to.String()
	if to.by != "" {
		where += " (" + r.From.Field + " is " + to.by + ")"
	}
	if why, until, quiet := r.quiet(now); quiet {
		v.quiet = true
		v.Reason = fmt.Sprintf("waits for %s by %s until %s: %s", where, r.Path, clock(until), why)
		v.Cause = alert.NewCause(alert.CauseQuietHours, "route", r.Path, "channel", channel, "hours", why, "until", clock(until))
		return v
	}
	v.Reason = fmt.Sprintf("waits in its group for %s by %s: group_wait %s, then group_interval %s", where, r.Path, r.Wait, r.Interval)
	v.Cause = alert.NewCause(alert.CauseGroupWait, "route", r.Path, "channel", channel)
	return v
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// walk visits a route and all below it.
func walk(r *Route, each func(*Route)) {
	each(r)
	for i := range r.Routes {
		walk(&r.Routes[i], each)
	}
}

func (r *Route) check() error {
	switch {
	case r.Interval <= 0:
		return fmt.Errorf("%s: group_interval must be positive", r.Path)
	case r.Wait < 0 || r.Repeat < 0:
		return fmt.Errorf("%s: group_wait and repeat_interval must not be negative", r.Path)
	case r.Rate.Count < 0 || r.Rate.Count > 0 && r.Rate.Per <= 0:
		return fmt.Errorf("%s: rate_limit must have a positive count and period", r.Path)
	case !slices.IsSortedFunc(r.Escalation, func(a, b Escalation) int { return int(a.After - b.After) }):
		return fmt.Errorf("%s: the steps of escalation must stand in the order of after", r.Path)
	case slices.ContainsFunc(r.Escalation, func(e Escalation) bool { return e.After <= 0 }):
		return fmt.Errorf("%s: escalation must have a positive after", r.Path)
	case r.From != nil && strings.TrimSpace(r.From.Field) == "":
		return fmt.Errorf("%s: channel_from must name a field", r.Path)
	}
	return nil
}
