package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
)

func TestAChannelOfARuleTakesThePlaceOfTheRoots(t *testing.T) {
	routes := []policy.Route{
		{Path: "route.routes[0]", Match: filter(t, "severity: critical"), Channel: "#soc", Interval: time.Minute},
		{Path: "route.routes[1]", Match: filter(t, "host.name: db*"), Channel: "#root", OfRoot: true, FromRoot: true, Interval: time.Minute},
		{
			Path: "route.routes[2]", Match: filter(t, "team: *"), Channel: "#root", OfRoot: true, Interval: time.Minute,
			From: &policy.ChannelFrom{Field: "team", Channels: map[string]string{"pay": "#pay"}},
		},
		{
			Path: "route.routes[3]", Match: filter(t, "site: *"), Channel: "#root", OfRoot: true, Interval: time.Minute,
			From: &policy.ChannelFrom{Field: "site", Channels: map[string]string{"hq": "#hq"}, Else: "#elsewhere"},
		},
	}
	root := policy.Route{Path: "route", Channel: "#root", OfRoot: true, FromRoot: true, Interval: time.Minute, Routes: routes}
	field := root
	field.From = &policy.ChannelFrom{Field: "owner", Channels: map[string]string{"ann": "#ann"}, Else: "#nobody"}
	reach := func(channel string) bool { return channel != "notify:gone" }
	for name, test := range map[string]struct {
		root               policy.Route
		own, document      string
		channel, path, why string
	}{
		"the rule says nothing":             {root, "", `{}`, "#root", "route", "for #root by"},
		"the rule's own":                    {root, "#own", `{}`, "#own", "route", "#own (the channel of its rule)"},
		"a route with a channel wins":       {root, "#own", `{"severity":"critical"}`, "#soc", "route.routes[0]", "for #soc by"},
		"a route without one does not":      {root, "#own", `{"host":{"name":"db-1"}}`, "#own", "route.routes[1]", "#own (the channel"},
		"a field a route asks wins":         {root, "#own", `{"team":"pay"}`, "#pay", "route.routes[2]", "(team is pay)"},
		"where it says nothing, the rule's": {root, "#own", `{"team":"?"}`, "#own", "route.routes[2]", "#own (the channel"},
		"unless it has an else":             {root, "#own", `{"site":"?"}`, "#elsewhere", "route.routes[3]", "for #elsewhere by"},
		"the root's field gives way":        {field, "#own", `{"owner":"ann"}`, "#own", "route", "#own (the channel"},
		"and decides without a rule's":      {field, "", `{"owner":"ann"}`, "#ann", "route", "(owner is ann)"},
		"and has its else":                  {field, "", `{"owner":"bob"}`, "#nobody", "route", "for #nobody by"},
		"an output there is not":            {root, "notify:gone", `{}`, "#root", "route", "#root (nothing can be said in notify:gone, the channel of its rule)"},
	} {
		p, err := policy.New(policy.Options{Root: test.root, Reach: reach})
		if err != nil {
			t.Fatal(err)
		}
		a := &alert.Alert{ID: "a", Rule: alert.Rule{ID: "r", Name: "n", Channel: test.own}, Document: json.RawMessage(test.document)}
		if strings.Contains(test.document, "critical") {
			a.Severity = alert.SeverityCritical
		}
		v, err := p.Judge(time.Now(), a)
		if err != nil {
			t.Fatal(err)
		}
		if v.Channel != test.channel || v.Path != test.path || !strings.Contains(v.Reason, test.why) {
			t.Errorf("%s: %s by %s, %q; want %s by %s, %q", name, v.Channel, v.Path, v.Reason, test.channel, test.path, test.why)
		}
		e, err := p.Explain(time.Now(), a)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Taken[0]; got.Channel != test.channel || got.OfRule != (test.channel == test.own) {
			t.Errorf("%s: explained as %+v", name, got)
		}
	}
}

func TestWithoutAWayToSayAnythingARuleOpensNone(t *testing.T) {
	p, err := policy.New(policy.Options{Root: policy.Route{Path: "route", OfRoot: true, Interval: time.Minute}, Reach: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Judge(time.Now(), &alert.Alert{ID: "a", Rule: alert.Rule{Channel: "#own"}})
	if err != nil || v.Channel != "" || v.Kept != policy.Excluded {
		t.Errorf("%+v, %v", v, err)
	}
}
