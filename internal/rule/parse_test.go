package rule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

const bruteForce = `name: SSH brute force
search: event.action:ssh_login and event.outcome:failure | count by source.ip | search count > 10
source: siem
indices: [filebeat-*]            # else the source's
every: 5m
window: 5m                       # for aggregations without a window of their own; default: every
lookback: auto                   # overlap re-read on each run; never widens the window
severity: high
message_per: row                 # or run
dedupe_by: [source.ip]
same_again_after: 1h
attack: [T1110.001]
enabled: true                    # true | false | shadow
tests: [{name: eleven tries, events: ssh_eleven.ndjson, alerts: 1}]
`

func TestTheRuleOfTheContractIsRead(t *testing.T) {
	r, err := Parse([]byte(bruteForce), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := &Rule{
		ID: "ssh-brute-force", Name: "SSH brute force",
		Search: "event.action:ssh_login and event.outcome:failure | count by source.ip | search count > 10",
		Kind:   query.Windowed, By: []string{"source.ip"}, Source: "siem", Indices: []string{"filebeat-*"}, Every: 5 * time.Minute, Window: 5 * time.Minute, Lookback: Lookback{Auto: true},
		Severity: Severity{Fixed: alert.SeverityHigh}, Risk: Risk{Fixed: 73}, MessagePer: PerRow, DedupeBy: []string{"source.ip"},
		SameAgainAfter: time.Hour, MaxAlerts: 1000, Attack: []string{"T1110.001"}, Enabled: On,
		Tests: []Test{{Name: "eleven tries", Events: "ssh_eleven.ndjson", Alerts: 1}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

func TestTheSameAgainFollowsTheKindOfSearch(t *testing.T) {
	f := func(keys string, want time.Duration, off bool) {
		t.Helper()
		r, err := Parse([]byte("name: a\nwindow: 10m\n"+keys), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.SameAgainAfter != want || r.SameAgainOff != off {
			t.Errorf("%s: %v, %v", keys, r.SameAgainAfter, r.SameAgainOff)
		}
	}
	f("search: a:b", 0, false)
	f("search: a:b | count by c", 0, false)
	f("search: a:b | dedup c", 10*time.Minute, false)
	f("search: a:b | dedup c\nsame_again_after: off", 0, true)
	f("search: a:b | dedup c\nsame_again_after: 1h", time.Hour, false)
}
