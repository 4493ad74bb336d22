package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tried is what comes of a rule's tests, a line each.
func tried(t *testing.T, content string) []string {
	t.Helper()
	r, err := Parse([]byte(content), ParseOptions{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	results, err := tester.Run(t.Context(), &Entry{ID: r.ID, Rule: r})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, result := range results {
		line := "passed"
		if !result.Passed {
			line = strings.Join(result.Differences, "; ")
		}
		out = append(out, result.Test+": "+line)
	}
	return out
}

func TestTestsSayWhatDiffers(t *testing.T) {
	got := tried(t, `
name: Failures
search: event.outcome:failure | count by user.name | search count > 1
severity: {field: user.name, values: {root: critical}, default: low}
exceptions: [{match: 'user.name: backup', reason: the backup host}]
message: '{{.user.name}} failed {{.count}} times'
tests:
  - name: right
    events: &events
      - {"@timestamp": "2024-07-01T10:00:00Z", event: {outcome: failure}, user: {name: root}}
      - {"@timestamp": "2024-07-01T10:00:10Z", event: {outcome: failure}, user: {name: root}}
      - {"@timestamp": "2024-07-01T10:00:20Z", event.outcome: failure, user.name: backup}
      - {"@timestamp": "2024-07-01T10:00:20Z", event.outcome: failure, user.name: backup}
      - {"@timestamp": "2024-07-01T10:00:30Z", event.outcome: failure, user.name: null}
    alerts: [{user: {name: root}, count: "2", severity: critical, message: root failed 2 times, last: "2024-07-01T10:00:10Z", host.name: null}]
  - {name: wrong number, events: *events, alerts: 2}
  - {name: wrong field, events: *events, alerts: [{user.name: root, count: 3}]}
  - {name: too many, events: *events, alerts: [{user.name: root}, {user.name: backup}]}
  - {name: none, events: [], alerts: 0}
  - {name: cut, events: [{a: 1}], alerts: 1}
`)
	alert := `count: 2, first: "2024-07-01T10:00:00Z", last: "2024-07-01T10:00:10Z", message: "root failed 2 times", risk_score: 21, severity: "critical", user.name: "root"`
	want := []string{
		"right: passed",
		"wrong number: expected 2 alerts, there were 1; there was " + alert + "; 5 documents read, 2 rows found; excepted (the backup host): 1 row",
		`wrong field: missing count: 3, user.name: "root"; not expected ` + alert + "; 5 documents read, 2 rows found; excepted (the backup host): 1 row",
		`too many: missing user.name: "backup"; 5 documents read, 2 rows found; excepted (the backup host): 1 row`,
		"none: passed",
		"cut: expected 1 alert, there were 0; 1 document read, 0 rows found",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARunCanBeOneAlert(t *testing.T) {
	got := tried(t, `
name: Files
search: event.action:deleted
message_per: run
risk_score: {field: risk, default: 5}
message: '{{len .rows}} deleted:{{range .rows}} {{.file.name}}{{end}}'
tests:
  - name: one alert
    events: [{event.action: deleted, file.name: a, risk: 7}, {event.action: deleted, file.name: b, risk: 300}, {event.action: made, file.name: c}]
    alerts: [{rows: 2, message: "2 deleted: a b", risk_score: 7}]
  - name: no alert
    events: [{event.action: made}]
    alerts: 0
  - name: at a time of its own
    events: [{event.action: deleted, file.name: a}]
    now: 2024-07-01T10:30:00Z
    alerts: 1
`)
	want := []string{"one alert: passed", "no alert: passed", "at a time of its own: passed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTestsKeepTheHoursOfTheRule(t *testing.T) {
	got := tried(t, `
name: Nights
search: event.action:login
schedule: {time_zone: Europe/Berlin, runs: 22:00-06:00}
tests:
  - name: one of two
    events: [{"@timestamp": "2024-07-01T19:59:00Z", event.action: login}, {"@timestamp": "2024-07-01T20:00:00Z", event.action: login}]
    alerts: [{"@timestamp": "2024-07-01T20:00:00Z"}]
  - {name: day, events: [{"@timestamp": "2024-07-01T10:00:00Z", event.action: login}], alerts: 1}
`)
	want := []string{"one of two: passed", "day: expected 1 alert, there were 0; 1 document read, 1 row found; outside schedule.runs: 1 row"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAsManyAlertsAsCanBeAreMatched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (out []map[string]any) {
			for range rapid.IntRange(0, 5).Draw(t, name) {
				m := map[string]any{}
				for _, key := range []string{"a", "b"} {
					if v := rapid.IntRange(0, 2).Draw(t, key); v > 0 {
						m[key] = int64(v)
					}
				}
				out = append(out, m)
			}
			return out
		}
		wanted, alerts := draw("wanted"), draw("alerts")
		got := 0
		for i, want := range match(wanted, alerts) {
			if want >= 0 {
				got++
				if !matches(wanted[want], alerts[i]) {
					t.Fatalf("alert %d is not %d", i, want)
				}
			}
		}
		var most func(i int, used int) int
		most = func(i, used int) int {
			if i == len(wanted) {
				return 0
			}
			best := most(i+1, used)
			for j, a := range alerts {
				if used&(1<<j) == 0 && matches(wanted[i], a) {
					best = max(best, 1+most(i+1, used|1<<j))
				}
			}
			return best
		}
		if want := most(0, 0); got != want {
			t.Fatalf("%d matched, %d can be", got, want)
		}
	})
}

func TestEachKindOfSearchIsJudgedAsItRuns(t *testing.T) {
	events := `
      - {"@timestamp": "2024-07-01T10:00:10Z", a: x, n: 1}
      - {"@timestamp": "2024-07-01T10:01:10Z", a: x, n: 2}
      - {"@timestamp": "2024-07-01T10:02:10Z", a: y, n: 3}
      - {"@timestamp": "2024-07-01T10:20:10Z", a: x, n: 4}
`
	f := func(rule, alerts string) {
		t.Helper()
		for _, line := range tried(t, "name: a\n"+rule+"\ntests:\n  - name: t\n    events:"+events+"    alerts: "+alerts+"\n") {
			if line != "t: passed" {
				t.Errorf("%s\n%s", rule, line)
			}
		}
	}
	f("search: 'a:x'", "3")
	f("search: 'a:x | eval m = n * 2 | table m'", "[{m: 2, a: x, n: 1}, {m: 4}, {m: 8}]")
	f("search: 'a:x'\nsame_again_after: 1d", "3")
	f("search: 'a:x'\nmessage_per: run\nevery: 5m", "[{rows: 2}, {rows: 1}]")
	f("search: '* | count by a'\nwindow: 2m", `[{a: x, count: 2, first: "2024-07-01T10:00:10Z", last: "2024-07-01T10:01:10Z"}, {a: y, count: 1}, {a: x, count: 1}]`)
	f("search: '* | count by a | search count > 1'\nwindow: 1m", "0")
	f("search: '* | count by a over 30m | search count > 2'", "[{a: x, count: 3}]")
	f("search: '* | count by a'\nwindow: 2m\nschedule: {runs: '10:01-10:05'}", `[{a: x, count: 2, first: "2024-07-01T10:00:10Z"}, {a: y}]`)
	f("search: '* | top 1 a'\nevery: 5m", "[{a: x, count: 2}, {a: x, count: 1}]")
	f("search: '* | dedup a'\nevery: 1m\nwindow: 5m", "[{a: x, n: 1}, {a: x, n: 2}, {a: y}, {a: x, n: 4}]")
	f("search: '* | dedup a | fields a'\nevery: 1m\nwindow: 5m\nsame_again_after: off", "12")
	f("search: '* | bin _time span=1m | count by _time | stats max(count) as most'\nevery: 1h", "[{most: 1}]")
	f("search: '* | eventstats count as all | where all > 2'\nevery: 5m\nmessage_per: run", "[{rows: 3}]")
}

func TestATestThatIsTooLongIsRefused(t *testing.T) {
	got := tried(t, `
name: a
search: "* | dedup a"
every: 1s
tests: [{name: t, events: [{"@timestamp": "2024-07-01T10:00:00Z", a: 1}, {"@timestamp": "2025-07-01T10:00:00Z", a: 1}], alerts: 1}]
`)
	if len(got) != 1 || !strings.Contains(got[0], "give the test events of a shorter time") {
		t.Error(got)
	}
}
