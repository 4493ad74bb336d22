package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/policy"
)

func TestChannelsAreThoseOfTheRoutesWithTheWaysThere(t *testing.T) {
	night := &policy.Calendar{Name: "night", Spans: []policy.Span{{Times: [][2]int{{0, 6 * 60}}}}}
	p, err := policy.New(policy.Options{Root: policy.Route{
		Path: "route", Channel: "#all", OfRoot: true, FromRoot: true, Interval: time.Minute, Rate: policy.Rate{Count: 6, Per: time.Minute},
		Routes: []policy.Route{
			{
				Path: "route.routes[0]", Match: filter(t, "severity: critical"), Channel: "#soc", Interval: time.Minute, Mute: []*policy.Calendar{night},
				Escalation: []policy.Escalation{{After: 30 * time.Minute, Channel: "#boss"}, {After: time.Hour, Mentions: []string{"@here"}}},
			},
			{
				Path: "route.routes[1]", Channel: "#all", OfRoot: true, Interval: time.Minute,
				From: &policy.ChannelFrom{Field: "team", Channels: map[string]string{"#pay": "#pay", "pay": "#pay"}, Else: "#else"},
			},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	said := func(now time.Time) (out []string) {
		for _, h := range p.Channels(now) {
			for _, w := range h.Ways {
				out = append(out, fmt.Sprintf("%s by %s, match %q, %q, after %s, of root %v, quiet %q", h.Channel, w.Path, w.Match, w.By, w.After, w.OfRoot, w.Quiet))
			}
		}
		return out
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	want := []string{
		`#all by route, match "", "", after 0s, of root true, quiet ""`,
		`#soc by route.routes[0], match "severity:critical", "", after 0s, of root false, quiet ""`,
		`#boss by route.routes[0], match "severity:critical", "", after 30m0s, of root false, quiet ""`,
		`#pay by route.routes[1], match "", "team is #pay", after 0s, of root false, quiet ""`,
		`#else by route.routes[1], match "", "team is none of the channels allowed", after 0s, of root false, quiet ""`,
	}
	if diff := cmp.Diff(want, said(noon)); diff != "" {
		t.Error(diff)
	}
	for _, h := range p.Channels(noon.Add(15 * time.Hour)) { // 03:00
		if w := h.Ways[0]; h.Channel == "#soc" && (w.Quiet != "quiet hours night" || !w.Until.Equal(noon.Add(18*time.Hour))) {
			t.Errorf("at night: %q until %s", w.Quiet, w.Until)
		}
	}
}
