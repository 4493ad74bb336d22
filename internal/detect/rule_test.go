package detect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/rule"
)

// bubbleStart is when the clock of a synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// run lets rules live on events for some simulated time; the YAML may leave out the source.
func run(t *testing.T, during time.Duration, events []event, rules ...string) []ledger.Entry {
	t.Helper()
	var entries []ledger.Entry
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, events, rules...)
		entries = p.live(during)
	})
	return entries
}

func newProcess(t *testing.T, dir string, events []event, rules ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, source: &stream{events: events}, now: time.Now, broken: func() bool { return false }}
	for i, text := range rules {
		e := parseRule(t, text)
		if i > 0 {
			r := *e.Rule
			r.ID = fmt.Sprint("r", i)
			e.ID, e.Rule = r.ID, &r
		}
		p.rules = append(p.rules, e)
	}
	return p
}

func (p *process) live(during time.Duration) []ledger.Entry {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), during)
	defer cancel()
	return p.run(ctx)
}

// fates counts what became of alerts, and gives one reason of each fate.
func fates(entries []ledger.Entry) (counts map[alert.Fate]int, reasons map[alert.Fate]string) {
	counts, reasons = map[alert.Fate]int{}, map[alert.Fate]string{}
	for _, e := range entries {
		counts[e.Fate]++
		reasons[e.Fate] = e.Reason
	}
	return counts, reasons
}

func after(d time.Duration, user string, n int) event {
	at := bubbleStart.Add(d)
	return event{At: at, In: at.Add(time.Second), User: user, N: n}
}

func several(n int, each func(i int) event) (out []event) {
	for i := range n {
		out = append(out, each(i))
	}
	return out
}

func TestARuleHoldsItsAlertsBack(t *testing.T) {
	ten := several(10, func(i int) event { return after(time.Duration(i+1)*time.Minute, fmt.Sprint("u", i%2), i) })
	for _, c := range []struct {
		name, more string
		want       map[alert.Fate]int
		reason     string
	}{
		{"plain", "", map[alert.Fate]int{alert.Pending: 10}, ""},
		{"shadow", "enabled: shadow", map[alert.Fate]int{alert.Shadow: 10}, "shadow mode"},
		{
			"exception", "exceptions: [{match: 'user.name: u0', reason: a scanner of ours}]",
			map[alert.Fate]int{alert.Pending: 5, alert.Excluded: 5},
			"a scanner of ours",
		},
		{
			"an exception that has ended", "exceptions: [{match: 'user.name: u0', reason: a scanner of ours, until: 1999-01-01}]",
			map[alert.Fate]int{alert.Pending: 10},
			"",
		},
		{
			"the same again", "dedupe_by: [user.name]\nsame_again_after: 4m", // of each user at 1 3 5 7 9 and 2 4 6 8 10 minutes
			map[alert.Fate]int{alert.Pending: 6, alert.Suppressed: 4}, "same_again_after is 4 minutes",
		},
		{
			"a field that is not there is never the same", "dedupe_by: [host.name]\nsame_again_after: 4m",
			map[alert.Fate]int{alert.Pending: 10},
			"",
		},
		{
			"higher severity is never the same", "same_again_after: 1d\nseverity: {field: n, values: {\"3\": high, \"5\": critical}, default: low}",
			map[alert.Fate]int{alert.Pending: 3, alert.Suppressed: 7},
			"same_again_after",
		},
		{"hours to run", "schedule: {runs: '00:00-00:05'}", map[alert.Fate]int{alert.Pending: 4}, ""},
		{"hours to speak", "schedule: {speaks: '08:00-18:00'}", map[alert.Fate]int{alert.Silenced: 10}, "outside the hours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reasons := fates(run(t, 20*time.Minute, ten, "name: r\nevery: 1m\nsearch: 'event.action: ssh_login'\n"+c.more))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("fates: %s", diff)
			}
			found := c.reason == ""
			for _, r := range reasons {
				found = found || strings.Contains(r, c.reason)
			}
			if !found {
				t.Errorf("reasons: %v", reasons)
			}
		})
	}
}

func TestWhatIsOverTheMostOfARunIsCountedAndNamed(t *testing.T) {
	storm := several(30, func(i int) event { return after(time.Minute+time.Duration(i)*time.Millisecond, "u", i) })
	entries := run(t, 10*time.Minute, storm, "name: r\nevery: 5m\nmax_alerts: 10\nsearch: 'event.action: ssh_login'")
	got, reasons := fates(entries)
	if diff := cmp.Diff(map[alert.Fate]int{alert.Pending: 11, alert.Suppressed: 20}, got); diff != "" {
		t.Errorf("fates: %s", diff)
	}
	if !strings.Contains(reasons[alert.Suppressed], "max_alerts") {
		t.Errorf("reasons: %v", reasons)
	}
	if !slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		return e.Alert.Count == 20 && strings.HasPrefix(e.Alert.Reason, "20 more alerts")
	}) {
		t.Error("no alert tells how many more there were")
	}
}

func TestOneAlertIsMadeOfARun(t *testing.T) {
	events := append(several(5, func(i int) event { return after(time.Minute+time.Duration(i)*time.Second, "u", i) }), after(7*time.Minute, "v", 9))
	late := after(2*time.Minute, "late", 7)
	late.In = bubbleStart.Add(30 * time.Minute)
	entries := run(t, time.Hour, append(events, late), "name: r\nevery: 5m\nmessage_per: run\nsearch: 'event.action: ssh_login'\nmessage: '{{.count}} of {{.rule.name}}'")
	counts := map[string]int{}
	for _, e := range entries {
		counts[fmt.Sprint(e.Alert.Time.Format(time.TimeOnly), " ", e.Alert.Count, " late ", e.Alert.Late)]++
	}
	want := map[string]int{"00:05:00 5 late false": 1, "00:10:00 1 late false": 1, "00:05:00 1 late true": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
}

func TestARuleJudgedAtTicksFindsWhatAPerfectRunFinds(t *testing.T) {
	var events []event
	for i := range 90 {
		e := after(time.Duration(i*41)*time.Second, fmt.Sprint("u", i%3), i)
		if i%7 == 3 {
			e.In = e.In.Add(time.Duration(i%50) * time.Minute)
		}
		events = append(events, e)
	}
	const every, window = 5 * time.Minute, 10 * time.Minute
	var entries []ledger.Entry
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, events, "name: r\nevery: 5m\nwindow: 10m\nsame_again_after: off\nsearch: 'event.action: ssh_login | count by user.name | sort - count | head 2 | search count >= 3'")
		for range 4 {
			p.live(30 * time.Minute)
		}
		entries = p.live(30 * time.Minute)
	})
	want := map[string]bool{}
	for tick := bubbleStart; tick.Before(bubbleStart.Add(150 * time.Minute)); tick = tick.Add(every) {
		counts := map[string]int{}
		for _, e := range events {
			if e.At.After(tick.Add(-window)) && !e.At.After(tick) {
				counts[e.User]++
			}
		}
		users := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			if counts[a] != counts[b] {
				return counts[b] - counts[a]
			}
			return strings.Compare(a, b)
		})
		for _, u := range users[:min(2, len(users))] {
			if counts[u] >= 3 {
				want[fmt.Sprint(tick.Format(time.TimeOnly), " ", u, " ", counts[u])] = true
			}
		}
	}
	got := map[string]bool{}
	for _, e := range entries {
		if e.Alert.Withdrawn || e.Alert.Rule.Type == "health" {
			continue
		}
		name := fmt.Sprint(e.Alert.Time.Format(time.TimeOnly), " ", e.Alert.User, " ", e.Alert.Count)
		if got[name] {
			t.Errorf("%s stands twice", name)
		}
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 5 {
		t.Errorf("alerts (- perfect run, + ours): %s", diff)
	}
}

func TestABrokenRuleIsNamedAndDisturbsNoOther(t *testing.T) {
	var entries []ledger.Entry
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		events := several(20, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) })
		p := newProcess(t, dir, events,
			"name: broken\nevery: 1m\nsource: nowhere\nsearch: 'event.action: ssh_login'",
			"name: fails\nevery: 1m\nsearch: 'from gone event.action: ssh_login | count by user.name | where count > 0'",
			"name: works\nevery: 1m\nsearch: 'event.action: ssh_login'",
		)
		entries = p.live(30 * time.Minute)
		reports := p.reports()
		if got := reports["rule runs"]; !strings.Contains(got, "rule r: there is no source \"nowhere\"") || !strings.Contains(got, `there is no dataset "gone"`) {
			t.Errorf("reported: %s", got)
		}
	})
	names := map[string]int{}
	for _, e := range entries {
		names[e.Alert.Rule.Name]++
	}
	if names["works"] != 20 || names["Tocsin: has not run"] != 2 {
		t.Errorf("alerts: %v", names)
	}
}

func TestAPausedRuleCatchesUp(t *testing.T) {
	var entries []ledger.Entry
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		events := several(60, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) })
		p := newProcess(t, dir, events, "name: r\nevery: 1m\nsearch: 'event.action: ssh_login'")
		on := p.rules
		p.live(10 * time.Minute)
		off := *on[0].Rule
		off.Enabled = rule.Off
		p.rules = []rule.Entry{{ID: "r", Rule: &off, Content: on[0].Content}}
		p.live(20 * time.Minute)
		p.rules = on
		entries = p.live(40 * time.Minute)
	})
	late := 0
	for _, e := range entries {
		if e.Alert.Late {
			late++
		}
	}
	if len(entries) != 60 || late < 15 || late > 25 {
		t.Errorf("%d alerts, %d of them late", len(entries), late)
	}
}

func TestAChangedRuleKeepsItsEpisodes(t *testing.T) {
	var entries []ledger.Entry
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		events := several(40, func(i int) event { return after(time.Duration(i+1)*30*time.Second, "u", i) })
		const text = "name: r\nevery: 1m\nwindow: 5m\nsearch: 'event.action: ssh_login | count by user.name | search count > %d'"
		p := newProcess(t, dir, events, fmt.Sprintf(text, 2))
		p.live(10 * time.Minute)
		p.rules = []rule.Entry{parseRule(t, fmt.Sprintf(text, 4))}
		entries = p.live(20 * time.Minute)
	})
	if len(entries) != 1 || entries[0].Alert.Withdrawn || entries[0].Alert.First != bubbleStart.Add(30*time.Second) || entries[0].Alert.Last.Before(bubbleStart.Add(19*time.Minute)) {
		t.Errorf("alerts: %+v", entries)
	}
}

func TestAnAlertTellsWhatHappened(t *testing.T) {
	events := several(11, func(i int) event { return after(time.Duration(i+1)*time.Second, "ann", i) })
	entries := run(t, 10*time.Minute, events, `name: Failed logins
every: 1m
window: 5m
severity: high
attack: [T1110.001]
tags: [ssh]
owner: soc
runbook: https://example.org/ssh
search: event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10
`)
	if len(entries) != 1 {
		t.Fatalf("%d alerts", len(entries))
	}
	a := entries[0].Alert
	if want := "11 failed ssh_login by ann in 5 minutes, more than 10"; a.Reason != want {
		t.Errorf("reason %q, want %q", a.Reason, want)
	}
	if a.Count != 11 || a.User != "ann" || a.Severity != alert.SeverityHigh || a.Rule.Owner != "soc" || a.Rule.Runbook == "" || a.Rule.Version == "" ||
		len(a.Threat) == 0 || a.Threat[0].TacticName == "" || !a.First.Equal(events[0].At) || !a.Last.Equal(events[10].At) {
		t.Errorf("alert: %+v", a)
	}
	var body struct {
		Count  int    `json:"count"`
		User   string `json:"user.name"`
		Tocsin struct {
			Samples []struct {
				Source struct{ N int } `json:"_source"`
			}
		}
	}
	if err := json.Unmarshal(a.Document, &body); err != nil || body.Count != 11 || body.User != "ann" || len(body.Tocsin.Samples) != 3 {
		t.Errorf("document %s, %v", a.Document, err)
	}
	if text, err := json.Marshal(a.Facts); err != nil || string(text) != `[{"name":"user.name","value":"ann"}]` {
		t.Errorf("facts %s, %v", text, err)
	}
}
