package forecast

import (
	"cmp"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
)

// Message is one message that would have been said.
type Message struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	// Kind is post, digest, or repeat: an alert that went on for so long that it is said again.
	Kind string `json:"kind"`
	// Alerts is how many alerts it names or counts in the end.
	Alerts int `json:"alerts"`
	// Edits is how often alerts were added to it after it was posted.
	Edits int `json:"edits,omitempty"`
}

// messages is what intake does with alerts, at a time that is told and with a channel that takes every message
// at once: policy decides, and nothing is written. It keeps nothing of an alert that was said.
type messages struct {
	policy *policy.Policy

	groups  map[string]*policy.Group
	waiting map[string][]alert.ID // alerts of a group that no message names
	digests map[string]*policy.Digest
	serials map[string]int
	traffic map[string][]time.Time // when messages were posted, by channel
	live    map[notice.Key]*Message
	pending map[notice.Key]int // alerts of a digest that was not said yet

	fates map[alert.ID]*standing
	said  []*Message
	last  time.Time
	// repeats says that a route would have said again what is still open, which is not followed.
	repeats bool
	// escalates says the same of a route that escalates.
	escalates bool
	// owes says that something was to be said again when it could not be: when it can, and whether it is over by then, is
	// not followed.
	owes bool
}

// standing is what became of an alert.
type standing struct {
	group string // that it waits in; empty where it waits in none
	named bool   // a message names it, or will
	again int    // how often it was said once more
}

func newMessages(p *policy.Policy) *messages {
	return &messages{
		policy: p, groups: map[string]*policy.Group{}, waiting: map[string][]alert.ID{},
		digests: map[string]*policy.Digest{}, serials: map[string]int{}, traffic: map[string][]time.Time{},
		live: map[notice.Key]*Message{}, pending: map[notice.Key]int{}, fates: map[alert.ID]*standing{},
	}
}

// take takes alerts in at a time not before the last one. It tells each alert's verdict.
func (m *messages) take(now time.Time, alerts []alert.Alert, each func(a *alert.Alert, fresh bool, v *policy.Verdict)) error {
	m.until(now)
	for i := range alerts {
		a := &alerts[i]
		v, err := m.policy.Judge(now, a)
		if err != nil {
			return err
		}
		stands := m.fates[a.ID]
		each(a, stands == nil, &v)
		forward := v.Kept == policy.Said
		switch {
		case stands == nil:
			m.fates[a.ID] = &standing{}
		case stands.named:
			m.again(now, a, stands, v)
			continue
		case stands.group != "" && forward && v.Group == stands.group:
			continue
		case stands.group != "":
			m.groups[stands.group].Leave()
			m.waiting[stands.group] = slices.DeleteFunc(m.waiting[stands.group], func(id alert.ID) bool { return id == a.ID })
			stands.group = ""
		}
		if forward {
			m.enter(now, a, v)
		}
	}
	m.flush(now)
	return nil
}

// again says once more an alert that still goes on, where its channel has room.
func (m *messages) again(now time.Time, a *alert.Alert, stands *standing, v policy.Verdict) {
	if a.Again <= stands.again || a.Held != nil || v.Kept != policy.Said && v.Kept != policy.Silenced {
		return
	}
	if v.Kept == policy.Silenced || !m.policy.Again(now, v, m.of(now, v.Channel, v.Rate())) {
		m.owes = true
		return
	}
	stands.again = a.Again
	m.post(now, &Message{At: now, Channel: v.Channel, Kind: "repeat", Alerts: 1})
}

// enter puts an alert into its group, and copies of it into the groups of the other routes that take it.
func (m *messages) enter(now time.Time, a *alert.Alert, v policy.Verdict) {
	for i, one := range append([]policy.Verdict{v}, v.Also...) {
		if one.AtOnce() {
			m.post(now, &Message{At: now, Channel: one.Channel, Kind: "post", Alerts: 1})
			if i == 0 {
				m.fates[a.ID].named = true
			}
			continue
		}
		m.groups[one.Group] = m.policy.Enter(now, m.groups[one.Group], one, a.Severity)
		m.waiting[one.Group] = append(m.waiting[one.Group], a.ID)
		if i == 0 {
			m.fates[a.ID].group = one.Group
		}
		m.repeats = m.repeats || m.groups[one.Group].Repeat > 0
	}
}

// until does what is due up to a time: a run takes longer than a timer, so what is due with it comes first.
func (m *messages) until(now time.Time) {
	for {
		next, ok := m.next()
		if !ok || next.After(now) {
			return
		}
		m.flush(later(next, m.last))
	}
}

// next is when something is due next.
func (m *messages) next() (next time.Time, ok bool) {
	for _, g := range m.groups {
		if !ok || g.Due.Before(next) {
			next, ok = g.Due, true
		}
	}
	for _, d := range m.digests {
		if !ok || d.Due.Before(next) {
			next, ok = d.Due, true
		}
	}
	return next, ok
}

// flush steps all that is due, in intake's order: groups, the worst first, then digests.
func (m *messages) flush(now time.Time) {
	m.last = now
	var due []*policy.Group
	for _, g := range m.groups {
		if !g.Due.After(now) {
			due = append(due, g)
		}
	}
	slices.SortFunc(due, func(a, b *policy.Group) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.Due.Compare(b.Due), cmp.Compare(a.Key, b.Key))
	})
	for _, g := range due {
		m.step(now, g)
	}
	var digests []*policy.Digest
	for _, d := range m.digests {
		if !d.Due.After(now) {
			digests = append(digests, d)
		}
	}
	slices.SortFunc(digests, func(a, b *policy.Digest) int { return cmp.Compare(a.Channel, b.Channel) })
	for _, d := range digests {
		m.stepDigest(now, d)
	}
}

func (m *messages) step(now time.Time, g *policy.Group) {
	before := g.Live
	act := m.policy.Step(now, g, m.of(now, g.Channel, g.Rate), 0)
	if act == policy.ActPost || act == policy.ActDigest {
		m.escalates = m.escalates || m.policy.Escalate(now, g, g.Live) != nil
	}
	switch act {
	case policy.ActPost:
		one := &Message{At: now, Channel: g.Channel, Kind: "post", Alerts: m.named(g.Key)}
		delete(m.live, before)
		m.live[g.Live] = one
		m.post(now, one)
	case policy.ActEdit:
		if one := m.live[g.Live]; one != nil {
			one.Edits++
			one.Alerts += m.named(g.Key)
		}
	case policy.ActDigest:
		m.serials[g.Channel]++
		d := m.policy.Collect(now, m.digests[g.Channel], g, m.serials[g.Channel])
		n := m.named(g.Key)
		d.Waiting += n
		m.pending[d.Key] += n
		m.digests[g.Channel] = d
	case policy.ActEnd:
		m.end(g)
	case policy.ActRepeat, policy.ActWait:
	}
	if g.Solo && g.Waiting == 0 && g.Repeat == 0 {
		m.end(g)
	}
}

func (m *messages) end(g *policy.Group) {
	delete(m.groups, g.Key)
	delete(m.live, g.Live)
}

// named takes the alerts that wait in a group into a message.
func (m *messages) named(group string) int {
	ids := m.waiting[group]
	delete(m.waiting, group)
	for _, id := range ids {
		if stands := m.fates[id]; stands.group == group {
			stands.group, stands.named = "", true
		}
	}
	return len(ids)
}

func (m *messages) stepDigest(now time.Time, d *policy.Digest) {
	switch m.policy.StepDigest(now, d, m.of(now, d.Channel, d.Rate)) {
	case policy.ActPost:
		one := &Message{At: now, Channel: d.Channel, Kind: "digest", Alerts: m.pending[d.Key]}
		m.pending[d.Key] = 0
		m.live[d.Key] = one
		m.post(now, one)
	case policy.ActEdit:
		if one := m.live[d.Key]; one != nil {
			one.Edits++
			one.Alerts += m.pending[d.Key]
			m.pending[d.Key] = 0
		}
	case policy.ActEnd:
		delete(m.digests, d.Channel)
		delete(m.live, d.Key)
		delete(m.pending, d.Key)
	default:
	}
}

func (m *messages) post(now time.Time, one *Message) {
	m.said = append(m.said, one)
	m.traffic[one.Channel] = append(m.traffic[one.Channel], now)
}

// of is what a channel got in the last period of a rate.
func (m *messages) of(now time.Time, channel string, rate policy.Rate) policy.Traffic {
	if rate.Count == 0 {
		return policy.Traffic{}
	}
	said := m.traffic[channel]
	i, _ := slices.BinarySearchFunc(said, now.Add(-rate.Per-time.Second), time.Time.Compare)
	return policy.Traffic{Said: said[i:]}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
