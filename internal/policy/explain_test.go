package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
)

func TestExplainSaysWhichRoutesWereAskedAndWhy(t *testing.T) {
	soc, prod, rest := route("route.routes[0]", "#soc"), route("route.routes[1]", "#prod"), route("route.routes[2]", "#soc")
	soc.Match, prod.Match = filter(t, `severity: critical and host.name: web*`), filter(t, `tags: prod`)
	prod.Continue = true
	root := route("route", "#a")
	root.Routes = []policy.Route{soc, prod, rest}
	p := made(t, policy.Options{Root: root})
	a, err := policy.Sample(json.RawMessage(`{"kibana.alert.rule.name":"r","severity":"critical","host":{"name":"db-1"},"tags":["prod","x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Explain(start, a)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range e.Steps {
		line := fmt.Sprint(s.Path, " ", s.Matched)
		for _, c := range s.Clauses {
			line += fmt.Sprint(" [", c.Text, " ", c.Matched, " ", c.Values, "]")
		}
		got = append(got, line)
	}
	for _, taken := range e.Taken {
		got = append(got, taken.Path+" "+taken.Channel)
	}
	want := []string{
		"route.routes[0] false [severity:critical true [{severity critical}]] [host.name:web* false [{host.name db-1}]]",
		"route.routes[1] true [tags:prod true [{tags prod, x}]]",
		"route.routes[2] true",
		"route.routes[1] #prod", "route.routes[2] #soc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Explain takes the routes that Judge takes, and an index of many filters changes nothing.
func TestExplainAgreesWithJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{`severity: high`, `severity: (low or high)`, `tags: a`, `tags: (a or b) and severity: low`, `not tags: a`, `host.name: h*`, `host.name: h1`, ``}
		n := 0
		var draw func(depth int, path string) policy.Route
		draw = func(depth int, path string) policy.Route {
			n++
			r := route(path, fmt.Sprint("#", rapid.IntRange(0, 5).Draw(t, "channel")))
			r.Match = filter2(t, rapid.SampledFrom(texts).Draw(t, "match"))
			r.Continue = rapid.Bool().Draw(t, "continue")
			for i := range rapid.IntRange(0, depth).Draw(t, "routes") {
				r.Routes = append(r.Routes, draw(depth-1, fmt.Sprintf("%s.routes[%d]", path, i)))
			}
			return r
		}
		root := draw(4, "route")
		root.Match = nil
		p, err := policy.New(policy.Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		a := &alert.Alert{
			ID: "1", Severity: rapid.SampledFrom([]alert.Severity{alert.SeverityLow, alert.SeverityHigh}).Draw(t, "severity"),
			Tags:     rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "tags"),
			Document: json.RawMessage(`{"host.name":"` + rapid.SampledFrom([]string{"h1", "h2", "x"}).Draw(t, "host") + `"}`),
		}
		v, err := p.Judge(start, a)
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.Explain(start, a)
		if err != nil {
			t.Fatal(err)
		}
		judged, explained := []string{v.Path + v.Channel}, []string{}
		for _, also := range v.Also {
			judged = append(judged, also.Path+also.Channel)
		}
		for _, taken := range e.Taken {
			if taken.Left == "" {
				explained = append(explained, taken.Path+taken.Channel)
			}
		}
		if strings.Join(judged, " ") != strings.Join(explained, " ") {
			t.Fatalf("judged %v, explained %v", judged, explained)
		}
		seen := map[string]bool{}
		for _, also := range append(v.Also, v) {
			if seen[also.Channel] {
				t.Fatalf("channel %s gets it twice", also.Channel)
			}
			seen[also.Channel] = true
		}
	})
}

func TestSetsDecideInTheirOrderAndTime(t *testing.T) {
	root := route("route", "#a")
	all := []policy.Tuning{
		{ID: "x1", Kind: policy.Exception, Match: filter(t, `tags: known`), Who: "ann", Why: "the scanner"},
		{ID: "f1", Kind: policy.Forwarding, Match: filter(t, `rule.name: "r" and tags: keep`)},
		{ID: "f2", Kind: policy.Forwarding, Match: filter(t, `rule.name: "r"`), Off: true, Who: "bob"},
		{ID: "s1", Kind: policy.Silence, Match: filter(t, `host.name: web*`), From: start, Until: start.Add(time.Hour), Who: "ann", Why: "patching"},
	}
	set := policy.NewSet(all)
	p := made(t, policy.Options{Root: root, Forward: map[string]*queryFilter{"kibana": filter(t, `severity: high`)}}).With(set)
	judge := func(at time.Time, source, rule, tags, host string) string {
		a := &alert.Alert{ID: "1", Source: source, Rule: alert.Rule{Name: rule}, Severity: alert.SeverityLow, Tags: strings.Fields(tags), Document: json.RawMessage(`{"host.name":"` + host + `"}`)}
		v, err := p.Judge(at, a)
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Cause.Code) + " " + v.Cause.Params["id"]
	}
	for _, tc := range []struct{ got, want string }{
		{judge(start, "own", "r", "known", "db"), "exception x1"},
		{judge(start, "own", "r", "", "db"), "group_wait "}, // switches are about detections of others
		{judge(start, "kibana", "r", "", "db"), "switched_off f2"},
		{judge(start, "kibana", "r", "keep", "db"), "group_wait "}, // a switch stands before the file's match
		{judge(start, "kibana", "other", "", "db"), "not_forwarded "},
		{judge(start, "own", "r", "", "web-1"), "silence s1"},
		{judge(start.Add(-time.Second), "own", "r", "", "web-1"), "group_wait "},
		{judge(start.Add(time.Hour), "own", "r", "", "web-1"), "group_wait "},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
	if next := set.Next(start); !next.Equal(start.Add(time.Hour)) || !set.Next(next).IsZero() || !set.Turned(start, next) || set.Turned(next, next.Add(time.Hour)) {
		t.Errorf("next is %s", next)
	}
}

func TestOneAlertHidesOthers(t *testing.T) {
	rule := policy.Inhibition{Name: "host down", Source: filter(t, `rule.name: down`), Target: filter(t, `tags: service`), Equal: []string{"host.name"}, For: time.Hour}
	p := made(t, policy.Options{Root: route("route", "#a"), Inhibit: []policy.Inhibition{rule}})
	of := func(id, rule, host string, tags ...string) *alert.Alert {
		return &alert.Alert{ID: alert.ID(id), Rule: alert.Rule{Name: rule}, Tags: tags, Document: json.RawMessage(`{"host.name":"` + host + `"}`)}
	}
	down := of("d", "down", "web-1")
	hides, err := p.Inhibits(start, down)
	if err != nil || len(hides) != 1 || hides[0].For != time.Hour {
		t.Fatalf("%v, %v", hides, err)
	}
	active := []policy.Inhibitor{{Key: hides[0].Key, Alert: down.ID}}
	for _, tc := range []struct {
		alert *alert.Alert
		want  policy.Kept
	}{
		{of("1", "r", "web-1", "service"), policy.Silenced},
		{of("2", "r", "web-2", "service"), policy.Said},
		{of("3", "r", "web-1"), policy.Said},
		{of("4", "down", "web-1", "service"), policy.Said}, // on both sides
		{down, policy.Said},
	} {
		keys, err := p.HiddenBy(start, tc.alert)
		if err != nil {
			t.Fatal(err)
		}
		if hidden := len(keys) == 1 && keys[0] == hides[0].Key; hidden != (tc.want == policy.Silenced) {
			t.Errorf("alert %s would be hidden by %v", tc.alert.ID, keys)
		}
		v, err := p.Judge(start, tc.alert, active...)
		if err != nil || v.Kept != tc.want {
			t.Errorf("alert %s: %q %s, %v", tc.alert.ID, v.Kept, v.Reason, err)
		}
		if v.Kept == policy.Silenced && v.Reason != "inhibited by host down: alert d with the same host.name web-1" {
			t.Errorf("reason %s", v.Reason)
		}
	}
	held := of("5", "down", "web-1")
	held.BuildingBlock = true
	if hides, err := p.Inhibits(start, held); err != nil || len(hides) != 0 {
		t.Errorf("what nobody hears of hides %v, %v", hides, err)
	}
}
