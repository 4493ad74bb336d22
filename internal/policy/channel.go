package policy

import (
	"fmt"
	"slices"
	"time"
)

// Way is one way by which alerts come to a channel.
type Way struct {
	Path   string        // of the route
	Match  string        // of the route; "" matches every alert that gets so far
	By     string        // the value of a field that chooses the channel, "team is pay"; "" where it is the route's own
	After  time.Duration // of a step of escalation; 0 is none
	OfRoot bool          // the channel of an alert's rule takes its place
	Rate   Rate
	// Mute and Active name its quiet hours; Quiet says which of them hold now, and Until when to look again.
	Mute, Active []string
	Quiet        string
	Until        time.Time
}

// Heard is a channel and all ways into it, in the order of the routes.
type Heard struct {
	Channel string
	Ways    []Way
}

// Channels are those that routes can send to, in the order of the routes.
func (p *Policy) Channels(now time.Time) []Heard {
	var out []Heard
	add := func(channel string, w Way) {
		if channel == "" {
			return
		}
		i := slices.IndexFunc(out, func(h Heard) bool { return h.Channel == channel })
		if i < 0 {
			i = len(out)
			out = append(out, Heard{Channel: channel})
		}
		out[i].Ways = append(out[i].Ways, w)
	}
	walk(p.root.Route, func(r *Route) {
		w := Way{Path: r.Path, OfRoot: r.OfRoot, Rate: r.Rate}
		if r.Match != nil {
			w.Match = r.Match.String()
		}
		for _, c := range r.Mute {
			w.Mute = append(w.Mute, c.Name)
		}
		for _, c := range r.Active {
			w.Active = append(w.Active, c.Name)
		}
		w.Quiet, w.Until, _ = r.quiet(now)
		if r.From == nil || r.From.Else == "" {
			add(r.Channel, w)
		}
		if r.From != nil {
			byField := w
			byField.OfRoot = r.FromRoot
			var values []string
			for value := range r.From.Channels {
				values = append(values, value)
			}
			slices.Sort(values)
			for _, value := range values {
				// "#pay" may be said without its "#": that is one way.
				if _, twice := r.From.Channels["#"+value]; twice {
					continue
				}
				byField.By = fmt.Sprintf("%s is %s", r.From.Field, value)
				add(r.From.Channels[value], byField)
			}
			byField.By = fmt.Sprintf("%s is none of the channels allowed", r.From.Field)
			add(r.From.Else, byField)
		}
		for _, e := range r.Escalation {
			if e.Channel != "" {
				step := w
				step.After = e.After
				add(e.Channel, step)
			}
		}
	})
	return out
}

// Reach tells whether something can be said in a channel that a rule names.
func (p *Policy) Reach(channel string) bool { return p.reach(channel) }
