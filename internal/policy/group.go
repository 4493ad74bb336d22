package policy

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// Group is the state of one open group. Its size does not grow with its alerts.
type Group struct {
	Key     string        `json:"key"`
	Path    string        `json:"path"` // of its route
	Channel string        `json:"channel"`
	By      []alert.Fact  `json:"by,omitempty"`
	Solo    bool          `json:"solo,omitempty"`
	Wait    time.Duration `json:"wait"`
	Every   time.Duration `json:"every"`
	Repeat  time.Duration `json:"repeat,omitempty"`
	Rate    Rate          `json:"rate"`

	Opened  time.Time `json:"opened"`
	Touched time.Time `json:"touched"` // when it was last looked at, to notice a clock that stepped back
	Due     time.Time `json:"due"`
	Waiting int       `json:"waiting"` // alerts that no notice names yet
	// Severity is the highest of what waits: where a channel has little room left, the worst go first.
	Severity alert.Severity `json:"severity,omitempty"`
	Live     notice.Key     `json:"live,omitempty"`
	Flushes  int            `json:"flushes,omitempty"`
	Said     time.Time      `json:"said,omitzero"` // when it last said something
	// Quiet says which quiet hours kept what waits; what they kept goes to the channel's digest.
	Quiet string `json:"quiet,omitempty"`
}

// Digest is a channel's open digest: the one message that takes what the rate limit holds back.
type Digest struct {
	Channel string        `json:"channel"`
	Key     notice.Key    `json:"key"`
	Rate    Rate          `json:"rate"`
	Every   time.Duration `json:"every"` // ends when this brought nothing new

	Opened  time.Time `json:"opened"`
	Touched time.Time `json:"touched"`
	Due     time.Time `json:"due"`
	Waiting int       `json:"waiting"` // alerts not yet in a revision of it
	Last    time.Time `json:"last"`    // when the last alert came
	Said    bool      `json:"said"`    // posted, so further flushes are edits
	Serial  int       `json:"serial"`
	Quiet   string    `json:"quiet,omitempty"`   // the quiet hours whose alerts it has
	Limited bool      `json:"limited,omitempty"` // it has alerts that the rate limit held back
}

// Traffic is what a channel got and will get, as the outbox knows it.
type Traffic struct {
	Said   []time.Time // when the messages of the last period were posted, oldest first; edits are not counted
	Unsaid int         // messages that wait to be posted or are in doubt
}

// Enter puts one forwarded alert into its group: the stored one, or nil for a new one.
func (p *Policy) Enter(now time.Time, g *Group, v Verdict, s alert.Severity) *Group {
	if g == nil {
		g = &Group{
			Key: v.Group, Path: v.route.Path, Channel: v.Channel, By: v.By, Solo: v.route.Solo,
			Wait: v.route.Wait, Every: v.route.Interval, Repeat: v.route.Repeat, Rate: v.route.Rate,
			Opened: now, Touched: now, Due: now.Add(v.route.Wait),
		}
	}
	if g.Waiting == 0 && g.Flushes > 0 && g.Repeat > 0 {
		// It may be sleeping until its next repeat.
		g.Due = earlier(g.Due, later(now, g.Touched.Add(g.Every)))
	}
	g.Waiting++
	g.Severity = max(g.Severity, s)
	return g
}

// Leave takes back one alert that was waiting in the group.
func (g *Group) Leave() { g.Waiting = max(0, g.Waiting-1) }

// Act is what a due group or digest does.
type Act string

// The acts.
const (
	ActPost   Act = "post"   // a new message names what waits
	ActEdit   Act = "edit"   // the live message takes what waits
	ActDigest Act = "digest" // what waits goes to the channel's digest
	ActRepeat Act = "repeat" // a new message says what is still open
	ActEnd    Act = "end"    // nothing new came: it is over
	ActWait   Act = "wait"   // not yet
)

// Step decides what a group does at now. open counts its alerts whose condition is still open. The
// group is changed to what it is afterwards; a post and a repeat set Live to the new notice's key.
func (p *Policy) Step(now time.Time, g *Group, t Traffic, open int) Act {
	g.heal(now)
	if g.Due.After(now) {
		return ActWait
	}
	g.Touched = now
	why, until, quiet := p.quiet(now, g)
	if quiet && (g.Waiting > 0 || p.repeats(g, open)) {
		g.Quiet, g.Due = why, until
		return ActWait
	}
	if g.Waiting == 0 {
		g.Quiet = ""
		return p.idle(now, g, t, open)
	}
	if g.Quiet != "" {
		g.Waiting, g.Severity, g.Due = 0, 0, now.Add(g.Every)
		g.Flushes++
		return ActDigest
	}
	room := t.room(now, g.Rate, true)
	switch {
	case g.Live != "" && (!room || g.Waiting > notice.NamedMost) && p.edits(g.Channel):
		g.say(now, g.Live)
		return ActEdit
	case room:
		g.say(now, notice.Key(key("post", g.Key, stamp(g.Opened), strconv.Itoa(g.Flushes))))
		return ActPost
	default:
		g.Waiting, g.Severity, g.Due = 0, 0, now.Add(g.Every)
		g.Flushes++
		return ActDigest
	}
}

// quiet asks the route as it is now: one that is gone has no quiet hours.
func (p *Policy) quiet(now time.Time, g *Group) (why string, until time.Time, quiet bool) {
	if r := p.routes[g.Path]; r != nil {
		return r.quiet(now)
	}
	return "", time.Time{}, false
}

func (p *Policy) repeats(g *Group, open int) bool {
	return g.Repeat > 0 && open > 0 && !g.Said.IsZero()
}

func (p *Policy) idle(now time.Time, g *Group, t Traffic, open int) Act {
	if !p.repeats(g, open) {
		return ActEnd
	}
	if again := g.Said.Add(g.Repeat); again.After(now) {
		g.Due = again
		return ActWait
	}
	if !t.room(now, g.Rate, true) {
		g.Due = t.free(now, g.Rate)
		return ActWait
	}
	g.say(now, notice.Key(key("repeat", g.Key, stamp(g.Opened), strconv.Itoa(g.Flushes))))
	return ActRepeat
}

func (g *Group) say(now time.Time, key notice.Key) {
	g.Live, g.Said, g.Waiting, g.Severity, g.Due = key, now, 0, 0, now.Add(g.Every)
	g.Flushes++
}

// heal keeps a clock that stepped back from stretching a wait.
func (g *Group) heal(now time.Time) {
	if now.Before(g.Touched) {
		g.Due = earlier(g.Due, now.Add(max(0, g.Due.Sub(g.Touched))))
		g.Touched = now
		g.Said = earlier(g.Said, now)
	}
}

// Collect opens the channel's digest to more alerts of a group: the open one, or a new one where there
// is none (nil) or the open one can no longer change. The caller counts them into Waiting. serial
// tells the digests of a channel apart; it must not repeat.
func (p *Policy) Collect(now time.Time, d *Digest, g *Group, serial int) *Digest {
	if d == nil || d.Said && !p.edits(g.Channel) {
		d = &Digest{
			Channel: g.Channel, Key: notice.Key(key("digest", g.Channel, stamp(now), strconv.Itoa(serial))),
			Rate: g.Rate, Every: max(g.Every, g.Rate.Per), Opened: now, Touched: now, Due: now, Serial: serial,
		}
		if !p.edits(g.Channel) { // it is said once, so it first collects
			d.Due = now.Add(g.Rate.Per)
		}
	}
	if g.Quiet != "" {
		d.Quiet = g.Quiet
	} else {
		d.Limited = true
	}
	if d.Waiting == 0 && d.Said {
		d.Due = later(now, d.Touched.Add(d.Rate.Per))
	}
	d.Last = now
	return d
}

// StepDigest decides what a digest does at now: ActPost, ActEdit, ActWait or ActEnd. Where messages
// cannot be edited, a digest that was posted is over.
func (p *Policy) StepDigest(now time.Time, d *Digest, t Traffic) Act {
	if now.Before(d.Touched) {
		d.Due = earlier(d.Due, now.Add(max(0, d.Due.Sub(d.Touched))))
		d.Touched, d.Last = now, earlier(d.Last, now)
	}
	if d.Due.After(now) {
		return ActWait
	}
	switch {
	case d.Waiting == 0 && (!p.edits(d.Channel) || !d.Last.Add(d.Every).After(now)):
		return ActEnd
	case d.Waiting == 0:
		d.Touched, d.Due = now, d.Last.Add(d.Every)
		return ActWait
	case !d.Said && !t.room(now, d.Rate, false):
		d.Due = t.free(now, d.Rate)
		return ActWait
	}
	act := ActEdit
	if !d.Said {
		act = ActPost
	}
	d.Said, d.Waiting, d.Touched = true, 0, now
	d.Due = d.Last.Add(d.Every)
	if !p.edits(d.Channel) {
		d.Due = now
	}
	return act
}

// room reports whether one more message fits under the rate. Of the messages that a rate allows, the
// last is kept for the digest, so that what is held back is said at once and not a period later.
func (t Traffic) room(now time.Time, r Rate, keepLast bool) bool {
	if r.Count == 0 {
		return true
	}
	limit := r.Count
	if keepLast && limit > 1 {
		limit--
	}
	return t.within(now, r)+t.Unsaid < limit
}

func (t Traffic) within(now time.Time, r Rate) int {
	i, _ := slices.BinarySearchFunc(t.Said, now.Add(-r.Per-grain), func(at, from time.Time) int {
		return cmp.Or(at.Compare(from), -1) // what is exactly a period old no longer counts
	})
	return len(t.Said) - i
}

// free is the time to look again for room.
func (t Traffic) free(now time.Time, r Rate) time.Time {
	soon := now.Add(time.Second)
	n := t.within(now, r)
	if t.Unsaid > 0 || n < r.Count {
		return soon
	}
	return later(soon, t.Said[len(t.Said)-r.Count].Add(r.Per+grain))
}

// grain makes a period a little longer than it is said to be: times are stored without their last digits.
const grain = time.Millisecond

func stamp(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
