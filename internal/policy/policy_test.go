package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
	"tocsin/internal/query"
)

var start = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

func filter(t testing.TB, text string) *query.Filter {
	t.Helper()
	f, err := query.CompileFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type queryFilter = query.Filter

func filter2(t *rapid.T, text string) *query.Filter {
	f, err := query.CompileFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func route(path, channel string) policy.Route {
	return policy.Route{Path: path, Channel: channel, GroupBy: []string{"rule.name"}, Wait: 10 * time.Second, Interval: 5 * time.Minute}
}

func made(t testing.TB, o policy.Options) *policy.Policy {
	t.Helper()
	p, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJudge(t *testing.T) {
	soc, hosts := route("route.routes[0]", "#soc"), route("route.routes[1]", "#hosts")
	soc.Match = filter(t, `severity: critical`)
	hosts.Match, hosts.GroupBy = filter(t, `host.name: web*`), []string{"host.name", "rule.name"}
	night := route("route.routes[1].routes[0]", "#night")
	night.Match = filter(t, `tags: night`)
	hosts.Routes = []policy.Route{night}
	root := route("route", "#a")
	root.Routes = []policy.Route{soc, hosts}
	p := made(t, policy.Options{Root: root, Forward: map[string]*query.Filter{"s": filter(t, `not tags: noisy and risk_score >= 20`)}})
	for _, tc := range []struct {
		name    string
		alter   func(*alert.Alert)
		kept    policy.Kept
		channel string
		by      string
	}{
		{"the root takes what no route does", func(*alert.Alert) {}, policy.Said, "#a", "rule.name=r"},
		{"the first route that matches", func(a *alert.Alert) { a.Severity = alert.SeverityCritical }, policy.Said, "#soc", "rule.name=r"},
		{"a field of the document", func(a *alert.Alert) { a.Document = json.RawMessage(`{"host.name":"web-1"}`) }, policy.Said, "#hosts", "host.name=web-1 rule.name=r"},
		{"several values are one group", func(a *alert.Alert) { a.Document = json.RawMessage(`{"host":{"name":["web-2","web-1","web-2"]}}`) }, policy.Said, "#hosts", "host.name=web-1, web-2 rule.name=r"},
		{"a route within a route", func(a *alert.Alert) {
			a.Tags, a.Document = []string{"night"}, json.RawMessage(`{"host":{"name":"web-1"}}`)
		}, policy.Said, "#night", "rule.name=r"},
		{"what is not forwarded", func(a *alert.Alert) { a.Tags = []string{"noisy"} }, policy.Excluded, "", ""},
		{"too low a risk", func(a *alert.Alert) { a.Risk = 19 }, policy.Excluded, "", ""},
		{"another source forwards all", func(a *alert.Alert) { a.Source, a.Risk = "other", 1 }, policy.Said, "#a", "rule.name=r"},
		{"a building block", func(a *alert.Alert) { a.BuildingBlock = true }, policy.Excluded, "", ""},
		{"closed", func(a *alert.Alert) { a.Status = alert.StatusClosed }, policy.Excluded, "", ""},
		{"acknowledged", func(a *alert.Alert) { a.Status = alert.StatusAcknowledged }, policy.Said, "#a", "rule.name=r"},
		{"maintenance", func(a *alert.Alert) { a.Maintenance = []string{"w"} }, policy.Silenced, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &alert.Alert{ID: "1", Source: "s", Rule: alert.Rule{Name: "r"}, Severity: alert.SeverityLow, Risk: 47, Document: json.RawMessage(`{}`)}
			tc.alter(a)
			v, err := p.Judge(start, a)
			if err != nil {
				t.Fatal(err)
			}
			var by []string
			for _, f := range v.By {
				by = append(by, f.Name+"="+f.Value)
			}
			if v.Kept != tc.kept || v.Channel != tc.channel || strings.Join(by, " ") != tc.by {
				t.Errorf("got %q %q %q, want %q %q %q", v.Kept, v.Channel, by, tc.kept, tc.channel, tc.by)
			}
			if v.Reason == "" {
				t.Error("no reason")
			}
			again, err := p.Judge(start, a)
			if err != nil || cmp.Diff(v.Group+v.Reason, again.Group+again.Reason) != "" {
				t.Errorf("the same alert got another verdict: %v", err)
			}
		})
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	for name, alter := range map[string]func(*policy.Route){
		"group_interval":  func(r *policy.Route) { r.Interval = 0 },
		"group_wait":      func(r *policy.Route) { r.Wait = -1 },
		"repeat_interval": func(r *policy.Route) { r.Repeat = -1 },
		"rate_limit":      func(r *policy.Route) { r.Rate = policy.Rate{Count: 1} },
	} {
		root, child := route("route", "#a"), route("route.routes[0]", "#b")
		alter(&child)
		root.Routes = []policy.Route{child}
		if _, err := policy.New(policy.Options{Root: root}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "route.routes[0]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// enter puts one alert into a group of the route.
func enter(t testing.TB, p *policy.Policy, at time.Time, g *policy.Group) *policy.Group {
	t.Helper()
	v, err := p.Judge(at, &alert.Alert{ID: "1", Source: "s", Rule: alert.Rule{Name: "r"}})
	if err != nil {
		t.Fatal(err)
	}
	return p.Enter(at, g, v, alert.SeverityLow)
}

func TestAClockThatStepsBackStretchesNoWait(t *testing.T) {
	p := made(t, policy.Options{Root: route("route", "#a"), Edits: everywhere})
	g := enter(t, p, start, nil)
	back := start.Add(-3 * time.Hour)
	if act := p.Step(back, g, policy.Traffic{}, 0); act != policy.ActWait || g.Due.Sub(back) > 10*time.Second {
		t.Fatalf("%s, due in %s, want to wait the group_wait", act, g.Due.Sub(back))
	}
	if act := p.Step(back.Add(10*time.Second), g, policy.Traffic{}, 0); act != policy.ActPost {
		t.Errorf("%s after group_wait, want a post", act)
	}
}

func TestAFullChannelEditsElseDigests(t *testing.T) {
	r := route("route", "#a")
	r.Rate = policy.Rate{Count: 3, Per: time.Minute}
	full := policy.Traffic{Said: []time.Time{start.Add(-time.Second)}, Unsaid: 1}
	for _, edits := range []bool{true, false} {
		p := made(t, policy.Options{Root: r, Edits: func(string) bool { return edits }})
		g := enter(t, p, start.Add(-time.Hour), nil)
		if act := p.Step(start, g, full, 0); act != policy.ActDigest {
			t.Errorf("edits %v: a group without a live message does %s, want the digest", edits, act)
		}
		g = enter(t, p, start.Add(-time.Hour), nil)
		p.Step(start, g, policy.Traffic{}, 0)
		enter(t, p, start, g)
		want := policy.ActEdit
		if !edits {
			want = policy.ActDigest
		}
		if act := p.Step(start.Add(r.Interval), g, policy.Traffic{Unsaid: 2}, 0); act != want {
			t.Errorf("edits %v: a group with a live message does %s, want %s", edits, act, want)
		}
	}
}

// Posting whenever policy says so, after any delay in the queue, no window holds more than the rate.
func TestTheRateHoldsWhateverTheQueueDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := route("route", "#a")
		r.Wait = 0
		r.Rate = policy.Rate{Count: rapid.IntRange(1, 6).Draw(t, "count"), Per: time.Minute}
		p, err := policy.New(policy.Options{Root: r, Edits: everywhere})
		if err != nil {
			t.Fatal(err)
		}
		now := start
		var said, queue []time.Time // queue holds when a message will be posted
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			var left []time.Time
			for _, at := range queue {
				if at.After(now) {
					left = append(left, at)
				} else {
					said = append(said, now)
				}
			}
			queue = left
			v, err := p.Judge(now, &alert.Alert{ID: "1"})
			if err != nil {
				t.Fatal(err)
			}
			g := p.Enter(now, nil, v, alert.SeverityLow)
			if p.Step(now, g, policy.Traffic{Said: said, Unsaid: len(queue)}, 0) == policy.ActPost {
				queue = append(queue, now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "delay"))*time.Millisecond))
			}
		}
		for i := range said {
			if j := i + r.Rate.Count; j < len(said) && said[j].Sub(said[i]) < r.Rate.Per {
				t.Fatalf("%d messages within %s", r.Rate.Count+1, said[j].Sub(said[i]))
			}
		}
	})
}

func TestRatesReadAsWritten(t *testing.T) {
	for want, r := range map[string]policy.Rate{
		"off": {}, "1/s": {Count: 1, Per: time.Second}, "6/m": {Count: 6, Per: time.Minute}, "2/h": {Count: 2, Per: time.Hour},
		"5/d": {Count: 5, Per: 24 * time.Hour}, "3 per 10m0s": {Count: 3, Per: 10 * time.Minute},
	} {
		if got := r.String(); got != want {
			t.Errorf("%v reads %s, want %s", r, got, want)
		}
	}
}

func TestASourceKeepsItsAlertBack(t *testing.T) {
	p, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: "#a", Interval: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	for fate, want := range map[alert.Fate]policy.Kept{
		alert.Excluded: policy.Excluded, alert.Silenced: policy.Silenced, alert.Suppressed: policy.Suppressed, alert.Shadow: policy.Shadow, alert.Sent: policy.Said,
	} {
		v, err := p.Judge(time.Now(), &alert.Alert{ID: "a", Held: &alert.Held{As: fate, Reason: "because"}})
		if err != nil || v.Kept != want || want != policy.Said && v.Reason != "because" {
			t.Errorf("held as %s: %+v, %v", fate, v, err)
		}
	}
	if v, err := p.Judge(time.Now(), &alert.Alert{ID: "a", Withdrawn: true}); err != nil || v.Kept != policy.Excluded {
		t.Errorf("withdrawn: %+v, %v", v, err)
	}
}

func TestWithoutAChannelAnAlertIsKeptAndNothingIsSaid(t *testing.T) {
	p, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Interval: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Judge(time.Now(), &alert.Alert{Source: "siem", SourceID: "1"})
	if err != nil || v.Kept != policy.Excluded || !strings.Contains(v.Reason, "no Slack") {
		t.Errorf("%+v, %v", v, err)
	}
}

func everywhere(string) bool { return true }
