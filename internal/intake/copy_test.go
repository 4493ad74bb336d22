package intake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/store"
)

func filter(t testing.TB, text string) *query.Filter {
	t.Helper()
	f, err := query.CompileFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// under is a route of its own under the root.
func under(t testing.TB, n int, channel, match string) policy.Route {
	r := byRule()
	r.Path, r.Channel, r.Rate = fmt.Sprintf("route.routes[%d]", n), channel, policy.Rate{}
	r.Match = filter(t, match)
	return r
}

func (h *house) entry(id alert.ID) ledger.Entry {
	h.t.Helper()
	entries, _, err := h.ledger.List(context.Background(), ledger.Filter{IDs: []string{string(id)}})
	if err != nil || len(entries) != 1 {
		h.t.Fatalf("alert %s: %d entries, %v", id, len(entries), err)
	}
	return entries[0]
}

func (h *house) copies(id alert.ID) (out []ledger.Copy) {
	h.t.Helper()
	err := h.db.View(context.Background(), func(tx *store.Tx) error {
		_, s, _, err := ledger.Stand(tx, id)
		if err == nil {
			out, err = ledger.Copies(tx, s.Seq)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// per gives for each channel how many alerts its messages stand for.
func (c *channel) per() map[string]int {
	out := map[string]int{}
	for _, m := range c.all() {
		out[m.Channel] += m.Count
	}
	return out
}

func TestARouteThatContinuesHasTheNextOnesSayItToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		audit, soc, again := under(t, 0, "#audit", `severity: (high or critical)`), under(t, 1, "#soc", `tags: prod`), under(t, 2, "#audit", `tags: prod`)
		audit.Continue, soc.Continue = true, true
		audit.Solo = true
		root.Routes = []policy.Route{audit, soc, again}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		both, first, second, neither := one("r", 1), one("r", 2), one("r", 3), one("r", 4)
		both.Tags, second.Tags = []string{"prod"}, []string{"prod"}
		second.Severity, neither.Severity = alert.SeverityLow, alert.SeverityLow
		h.run(time.Minute, func(context.Context) {
			h.take(both, first, second, neither)
			want(t, h.fates(), map[alert.Fate]int{alert.Pending: 4})
		})
		// #audit: both and first alone, second by its own route; #soc: both as a copy, second; #a: neither.
		want(t, c.per(), map[string]int{"#audit": 3, "#soc": 2, "#a": 1})
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 4})
		if e := h.entry(both.ID); e.Channel != "#audit" {
			t.Errorf("its fate is told by %s", e.Channel)
		}
		if got := h.copies(both.ID); len(got) != 1 || got[0].Channel != "#soc" || got[0].Fate != alert.Grouped {
			t.Errorf("copies %+v", got)
		}
		key := string(h.copies(both.ID)[0].Notice)
		if names, err := h.ledger.Names(t.Context(), []string{key}); err != nil || !slices.Contains(names[key], both.SourceID) {
			t.Errorf("the message names %v, %v", names, err)
		}
		if got := h.copies(second.ID); len(got) != 1 || got[0].Channel != "#audit" || got[0].Fate != alert.Sent {
			t.Errorf("copies %+v", got)
		}
		if got := h.copies(first.ID); len(got) != 0 {
			t.Errorf("copies %+v", got)
		}
	})
}

func TestACopyThatWaitsFollowsItsAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		audit, soc := under(t, 0, "#audit", `severity: high`), under(t, 1, "#soc", `tags: prod`)
		audit.Continue = true
		root.Routes = []policy.Route{audit, soc}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		a, b := one("r", 1), one("s", 1)
		a.Tags, b.Tags = []string{"prod"}, []string{"prod"}
		h.run(time.Minute, func(context.Context) {
			h.take(a, b)
			time.Sleep(time.Second)
			a.Tags, a.Updated = nil, time.Now()
			b.Status, b.Updated = alert.StatusClosed, time.Now()
			h.take(a, b)
		})
		want(t, c.per(), map[string]int{"#audit": 1})
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Excluded: 1})
		if len(h.copies(a.ID))+len(h.copies(b.ID)) != 0 {
			t.Error("a copy is left")
		}
	})
}

// A copy that cannot be said is seen to have failed, and changes nothing about its alert's fate.
func TestACopyThatFailsIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{refuse: "#soc"}
		root := byRule()
		audit, soc := under(t, 0, "#audit", `severity: high`), under(t, 1, "#soc", `tags: prod`)
		audit.Continue = true
		root.Routes = []policy.Route{audit, soc}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		a := one("r", 1)
		a.Tags = []string{"prod"}
		h.run(time.Minute, func(context.Context) { h.take(a) })
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1})
		if got := h.copies(a.ID); len(got) != 1 || got[0].Fate != alert.Failed || got[0].Reason == "" {
			t.Errorf("copies %+v", got)
		}
	})
}

func TestTheChannelComesFromAFieldThatIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		root.From = &policy.ChannelFrom{Field: "team", Channels: map[string]string{"db": "#db", "#db": "#db", "pay": "#pay-oncall"}, Else: "#nobody"}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		var all []alert.Alert
		for i, team := range []string{`"db"`, `"#db"`, `["x","pay"]`, `"#general"`, `null`} {
			a := one("r", i)
			a.Document = json.RawMessage(`{"team":` + team + `}`)
			all = append(all, a)
		}
		h.run(time.Minute, func(context.Context) { h.take(all...) })
		want(t, c.per(), map[string]int{"#db": 2, "#pay-oncall": 1, "#nobody": 2})
	})
}

func TestLowSeveritiesWaitForTheMorning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight UTC
		c := &channel{}
		night := &policy.Calendar{Name: "night", Spans: []policy.Span{{Times: [][2]int{{22 * 60, 24 * 60}, {0, 7 * 60}}}}}
		root := byRule()
		low := under(t, 0, "#a", `severity: low`)
		low.Mute = []*policy.Calendar{night}
		root.Routes = []policy.Route{low}
		dir := t.TempDir()
		h := newHouse(t, dir, c, root)
		a, b, critical := one("r", 1), one("s", 1), one("r", 2)
		a.Severity, b.Severity, critical.Severity = alert.SeverityLow, alert.SeverityLow, alert.SeverityCritical
		h.run(time.Hour, func(context.Context) { h.take(a, b, critical) })
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Pending: 2})
		h.db.Close()
		h = newHouse(t, dir, c, root) // a restart in the night
		defer h.db.Close()
		h.run(5*time.Hour+59*time.Minute, nil)
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Pending: 2})
		h.run(2*time.Minute, nil)
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Grouped: 2})
		want(t, len(c.all()), 2)
		if m := c.all()[1]; m.Kind != notice.KindDigest || m.Note != "This waited for the end of quiet hours night." || m.at.Hour() != 7 {
			t.Errorf("said %s at %s: %s", m.Kind, m.at, m.Note)
		}
		if e := h.entry(a.ID); e.Cause.Code != alert.CauseMorning || e.Cause.Params["hours"] != "quiet hours night" {
			t.Errorf("its cause is %+v", e.Cause)
		}
		codes := []alert.Code{h.entry(critical.ID).Cause.Code, h.entry(b.ID).Cause.Code}
		if !slices.Equal(codes, []alert.Code{alert.CauseSent, alert.CauseMorning}) {
			t.Errorf("causes %v", codes)
		}
	})
}

// Copies that are said at once are worded by their own route.
func TestACopyOnItsOwnIsWordedByItsRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		audit, soc := under(t, 0, "#audit", `severity: high`), under(t, 1, "#soc", `severity: high`)
		audit.Continue, audit.Solo, audit.Wait = true, true, 0
		soc.Solo, soc.Wait, soc.Template = true, 0, "look at {{ .rule.name }}"
		root.Routes = []policy.Route{audit, soc}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		a := one("r", 1)
		h.run(time.Minute, func(context.Context) { h.take(a, a) })
		want(t, c.per(), map[string]int{"#audit": 1, "#soc": 1})
		for _, m := range c.all() {
			if worded := m.Template != ""; worded != (m.Channel == "#soc") {
				t.Errorf("%s has the template %q", m.Channel, m.Template)
			}
		}
	})
}
