package policy

import (
	"strconv"
	"time"

	"tocsin/internal/notice"
)

// Escalating is a message of a route that escalates, until somebody takes up what it says.
type Escalating struct {
	Notice  notice.Key `json:"notice"`
	Group   string     `json:"group"`
	Path    string     `json:"path"` // of the route
	Channel string     `json:"channel"`
	Since   time.Time  `json:"since"`
	Step    int        `json:"step"` // the steps done
	Touched time.Time  `json:"touched"`
	Due     time.Time  `json:"due"`
}

// Escalate begins to wait for somebody to take up what a group just said by a notice; nil where its route does
// not escalate.
func (p *Policy) Escalate(now time.Time, g *Group, by notice.Key) *Escalating {
	r := p.routes[g.Path]
	if r == nil || len(r.Escalation) == 0 {
		return nil
	}
	return &Escalating{
		Notice: by, Group: g.Key, Path: g.Path, Channel: g.Channel, Since: now, Touched: now, Due: now.Add(r.Escalation[0].After),
	}
}

// Target is where the next step of an escalation goes, with the rate it keeps to.
func (p *Policy) Target(e *Escalating) (channel string, rate Rate) {
	r := p.routes[e.Path]
	if r == nil || e.Step >= len(r.Escalation) {
		return e.Channel, Rate{}
	}
	if to := r.Escalation[e.Step].Channel; to != "" {
		return to, r.Rate
	}
	return e.Channel, r.Rate
}

// StepEscalation decides what an escalation does at now: ActPost says the step that is given, ActEnd is that it
// is over. answered tells that somebody took up what was said, or that all of it ended; traffic is that of the
// channel that Target gives.
func (p *Policy) StepEscalation(now time.Time, e *Escalating, answered bool, t Traffic) (Act, Escalation) {
	if now.Before(e.Touched) { // a clock that stepped back stretches no wait
		back := e.Touched.Sub(now)
		e.Since, e.Due, e.Touched = e.Since.Add(-back), e.Due.Add(-back), now
	}
	r := p.routes[e.Path]
	switch {
	case answered || r == nil || e.Step >= len(r.Escalation):
		return ActEnd, Escalation{}
	case e.Due.After(now):
		return ActWait, Escalation{}
	}
	e.Touched = now
	if !t.room(now, r.Rate, false) {
		e.Due = t.free(now, r.Rate)
		return ActWait, Escalation{}
	}
	step := r.Escalation[e.Step]
	e.Step++
	if e.Step < len(r.Escalation) {
		e.Due = later(now, e.Since.Add(r.Escalation[e.Step].After))
	} else {
		e.Due = now // nothing is left: it ends
	}
	if step.Channel == "" {
		step.Channel = e.Channel
	}
	return ActPost, step
}

// EscalationKey names the notice of a step of an escalation. It is the same for ever.
func EscalationKey(e *Escalating) notice.Key {
	return notice.Key(key("escalation", string(e.Notice), e.Group, strconv.Itoa(e.Step)))
}
