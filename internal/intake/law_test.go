package intake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// life is what happened to a house that lived through a script.
type life struct {
	decided []string // of each alert: its fate, cause and channel, and those of its copies
	said    []string // each message as it stood in the end, in order
}

// script is a stream of alerts, and of what people do, for a day and a bit. The same seed is the same script.
type script struct {
	seed     uint64
	restarts bool
	webhook  bool
}

// lawPolicy has routes of every kind: ones that continue, quiet hours, channels by field, an escalation, inhibition.
func (s script) policy(t testing.TB, c *channel) policy.Options {
	dice := rand.New(rand.NewPCG(s.seed, 1))
	root := byRule()
	root.Rate = []policy.Rate{{Count: 2, Per: time.Minute}, {Count: 6, Per: time.Minute}, {Count: 3, Per: 10 * time.Minute}}[dice.IntN(3)]
	route := func(n int, channel, match string) policy.Route {
		r := root
		r.Path, r.Channel, r.Match = fmt.Sprintf("route.routes[%d]", n), channel, filter(t, match)
		return r
	}
	critical, audit, low, team := route(0, "#soc", "severity: critical"), route(1, "#audit", "tags: audit"), route(2, "#a", "severity: low"), route(3, "#a", "host.name: *")
	critical.Continue, audit.Continue = dice.IntN(2) == 0, true
	critical.Wait, critical.Interval = 5*time.Second, time.Minute
	critical.Escalation = []policy.Escalation{{After: 20 * time.Minute, Mentions: []string{"@here"}}, {After: 40 * time.Minute, Channel: "#a"}}
	audit.Solo = dice.IntN(2) == 0
	low.Mute = []*policy.Calendar{{Name: "night", Spans: []policy.Span{{Times: [][2]int{{20 * 60, 24 * 60}, {0, 7 * 60}}}}}}
	team.From = &policy.ChannelFrom{Field: "host.name", Channels: map[string]string{"web-1": "#web"}}
	team.Repeat = 3 * time.Hour
	root.Routes = []policy.Route{critical, audit, low, team}
	return policy.Options{
		Root: root, Edits: c.Edits,
		Inhibit: []policy.Inhibition{{Name: "down", Source: filter(t, "rule.name: rule0"), Target: filter(t, "rule.name: rule1"), Equal: []string{"host.name"}, For: 15 * time.Minute}},
	}
}

// live plays the script and checks the laws that hold of any one life.
func (s script) live(t *testing.T, rt *rapid.T) (out life) {
	synctest.Test(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(s.seed, 2))
		breaks := rand.New(rand.NewPCG(s.seed, 3)) // has no part in the script
		c := &channel{webhook: s.webhook}
		o := s.policy(t, c)
		dir := t.TempDir()
		h := newHouseOf(t, dir, c, o)
		var all []alert.Alert
		var silences []string
		taken, changed := map[alert.ID]time.Time{}, map[alert.ID][]time.Time{}
		steps := 12 + dice.IntN(25)
		for n := range steps {
			var batch []alert.Alert
			for range []int{0, 1, 1, 2, 5, 40}[dice.IntN(6)] {
				a := on(one(fmt.Sprint("rule", dice.IntN(5)), len(all)+len(batch)), fmt.Sprint("web-", dice.IntN(3)))
				a.Severity = []alert.Severity{alert.SeverityLow, alert.SeverityHigh, alert.SeverityHigh, alert.SeverityCritical}[dice.IntN(4)]
				a.Ongoing = dice.IntN(4) == 0
				if dice.IntN(3) == 0 {
					a.Tags = []string{"audit"}
				}
				if len(batch)%2 == 0 { // with a picture beside it
					a.Document = json.RawMessage(`{"tocsin":{"series":{"title":"count","points":[[1774425600000,3],[1774425900000,12]]}}}`)
				}
				batch = append(batch, a)
				taken[a.ID] = time.Now()
			}
			all = append(all, batch...)
			for range dice.IntN(3) { // repeats, and changes of what was
				if len(all) > 0 {
					i := dice.IntN(len(all))
					if dice.IntN(2) == 0 {
						all[i].Updated = time.Now()
						changed[all[i].ID] = append(changed[all[i].ID], time.Now())
						switch dice.IntN(3) {
						case 0:
							all[i].Status = alert.StatusClosed
						case 1:
							all[i].Ongoing, all[i].Ended = false, time.Now()
						default:
							all[i].Count++
						}
					}
					batch = append(batch, all[i])
				}
			}
			doing := dice.IntN(6)
			pick := dice.IntN(1 << 20)
			gap := time.Duration(1+dice.IntN(90)) * time.Minute
			if dice.IntN(3) == 0 {
				gap = time.Duration(1+dice.IntN(40)) * time.Second
			}
			first := gap + 137*time.Millisecond // no message is under way then
			if s.restarts && breaks.IntN(2) == 0 {
				first = time.Duration(breaks.Int64N(int64(gap/time.Second)))*time.Second + 137*time.Millisecond
			}
			h.run(first, func(context.Context) {
				h.take(batch...)
				switch {
				case doing == 0:
					match := []string{"host.name: web-1", "rule.name: rule2", "severity: low"}[pick%3]
					silences = append(silences, h.set(tuning.Draft{Kind: policy.Silence, Match: match, Until: time.Now().Add(time.Duration(1+pick%7200) * time.Second)}).ID)
				case doing == 1 && len(silences) > 0:
					h.desk().Expire(context.Background(), policy.Silence, silences[pick%len(silences)], "ann", "") //nolint:errcheck // it may be over
				case doing == 2 && len(all) > 0:
					h.handle(all[pick%len(all)], []tuning.Action{tuning.Acknowledge, tuning.Close, tuning.Reopen}[pick%3])
				}
			})
			if left := gap + 137*time.Millisecond - first; left > 0 {
				h.db.Close()
				h = newHouseOf(t, dir, c, o)
				h.run(left, nil)
			}
			if n == steps-1 { // every condition ends, so that everything is said in the end
				for i := range all {
					if all[i].Ongoing {
						all[i].Ongoing, all[i].Ended, all[i].Updated = false, time.Now(), time.Now()
					}
				}
			}
		}
		defer func() { h.db.Close() }()
		h.run(2*24*time.Hour, func(context.Context) { h.take(all...) })
		s.laws(t, rt, h, c, all, taken, changed, o)
		out.decided = h.decisions(all)
		for _, m := range c.all() {
			out.said = append(out.said, fmt.Sprintf("%s %s %s %d %v", m.at.Format(time.RFC3339), m.Channel, m.Kind, m.Count, m.Escalation != nil))
		}
		slices.Sort(out.said) // what is said in several channels at one moment has no order
	})
	return out
}

func (h *house) decisions(all []alert.Alert) (out []string) {
	for _, a := range all {
		e := h.entry(a.ID)
		line := fmt.Sprint(e.Fate, " ", e.Cause.Code, " ", e.Channel)
		for _, c := range h.copies(a.ID) {
			line += fmt.Sprint("; ", c.Channel, " ", c.Fate)
		}
		out = append(out, line)
	}
	return out
}

// laws are what must hold of any life.
func (s script) laws(t *testing.T, rt *rapid.T, h *house, c *channel, all []alert.Alert, taken map[alert.ID]time.Time, changed map[alert.ID][]time.Time, o policy.Options) {
	fates := h.fates() // exactly one each: they add up
	if fates[alert.Pending]+fates[alert.Failed] > 0 {
		rt.Errorf("in the end: %v", fates)
	}
	// Nothing is said twice: each notice once, each alert in at most one message of a channel, and all that is to be said
	// is counted by exactly one.
	keys, named, counted := map[notice.Key]int{}, map[string]int{}, map[string]int{}
	for _, m := range c.all() {
		keys[m.Key]++
		if m.Repeat || m.Escalation != nil {
			continue
		}
		counted[m.Channel] += m.Count
		for _, it := range m.Items {
			named[m.Channel+" "+string(it.Alert)]++
		}
	}
	for key, n := range keys {
		if n != 1 {
			rt.Errorf("notice %s was said %d times", key, n)
		}
	}
	for what, n := range named {
		if n != 1 {
			rt.Errorf("%s is named %d times", what, n)
		}
	}
	sayings := map[string]int{}
	for _, a := range all {
		if e := h.entry(a.ID); e.Fate == alert.Sent || e.Fate == alert.Grouped {
			sayings[e.Channel]++
		}
		for _, copied := range h.copies(a.ID) {
			sayings[copied.Channel]++
			if copied.Fate != alert.Sent && copied.Fate != alert.Grouped {
				rt.Errorf("a copy is %s: %s", copied.Fate, copied.Reason)
			}
		}
	}
	if diff := cmp.Diff(sayings, counted); diff != "" {
		rt.Errorf("to be said and said: %s", diff)
	}
	rateHolds(t, c, o.Root.Rate.Count, o.Root.Rate.Per)
	// A critical alert is said within what its route allows and the rate makes it wait, whatever else there is.
	if s.webhook {
		return
	}
	route := o.Root.Routes[0]
	bound := max(route.Wait, route.Interval) + route.Rate.Per + 10*time.Second
	for _, a := range all {
		if a.Severity != alert.SeverityCritical {
			continue
		}
		if e := h.entry(a.ID); e.Fate != alert.Sent && e.Fate != alert.Grouped || e.Channel != "#soc" {
			continue
		}
		at, ok := c.firstNamed("#soc", a.ID)
		from := taken[a.ID]
		for _, change := range changed[a.ID] { // one that was hidden is judged anew when it changes
			if !change.After(at) {
				from = change
			}
		}
		if ok && at.Sub(from) > bound && !h.wasSilenced(a) {
			rt.Errorf("a critical alert of %s was said %s later", from, at.Sub(from))
		}
	}
}

// wasSilenced reports whether an alert was taken in while something hid it: then it is said when that ends.
func (h *house) wasSilenced(a alert.Alert) bool {
	var s ledger.Standing
	err := h.db.View(context.Background(), func(tx *store.Tx) (err error) {
		_, s, _, err = ledger.Stand(tx, a.ID)
		return err
	})
	return err != nil || s.Ongoing || !a.Ended.IsZero()
}

func (c *channel) firstNamed(channel string, id alert.ID) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.first[channel+" "+string(id)]
	return at, ok
}

// For any stream of alerts, routes, silences and restarts: every alert has exactly one fate and ends in one, nothing is said
// twice, no channel gets more than its rate, a critical alert does not wait behind a digest, the same input gives the same
// decisions, and a restart changes nothing.
func TestTheLawsOfSayingHoldOverAnyDay(t *testing.T) {
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > 3 { // each is three days of a house, twice
			return
		}
		s := script{seed: rapid.Uint64().Draw(rt, "seed"), webhook: rapid.IntRange(0, 3).Draw(rt, "webhook") == 0}
		once := s.live(t, rt)
		s.restarts = true
		again := s.live(t, rt)
		if diff := cmp.Diff(once, again, cmp.AllowUnexported(life{})); diff != "" {
			rt.Errorf("with restarts (+) something else was decided or said: %s", diff)
		}
	})
}
