package detect_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
)

// eachMinute are events of users u1 to un, one a minute.
func eachMinute(n int) []event {
	return several(n, func(i int) event { return after(time.Duration(i+1)*time.Minute, fmt.Sprint("u", i+1), i) })
}

// once says of which events there is not exactly one alert.
func once(t *testing.T, entries []ledger.Entry, n int) {
	t.Helper()
	got := map[string]int{}
	for _, e := range ofRules(entries) {
		got[e.Alert.User]++
	}
	for i := range n {
		if user := fmt.Sprint("u", i+1); got[user] != 1 {
			t.Errorf("%s has %d alerts", user, got[user])
		}
	}
	if len(got) != n {
		t.Errorf("alerts of %d users, want %d", len(got), n)
	}
}

// during runs f a while after the bubble's start.
func during(wg *sync.WaitGroup, at time.Duration, f func()) {
	wg.Go(func() {
		time.Sleep(time.Until(bubbleStart.Add(at)))
		f()
	})
}

func TestAClockThatStepsLosesAndDoublesNothing(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, -3 * time.Minute, 3 * time.Minute, time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			dir := t.TempDir()
			var entries []ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, eachMinute(90), plainLogins)
				var mu sync.Mutex
				offset := time.Duration(0)
				p.now = func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return time.Now().Add(offset)
				}
				set := func(d time.Duration) func() {
					return func() { mu.Lock(); offset = d; mu.Unlock() }
				}
				var wg sync.WaitGroup
				during(&wg, 30*time.Minute, set(off))
				during(&wg, 50*time.Minute, set(0))
				p.live(40 * time.Minute) // it ends while the clock is wrong
				entries = p.live(80 * time.Minute)
				wg.Wait()
			})
			once(t, entries, 90)
			for _, e := range ofRules(entries) { // once the clock is right, alerts come at once
				if wait := e.SeenAt.Sub(e.Alert.Event); e.Alert.Event.After(bubbleStart.Add(52*time.Minute)) && wait > 2*time.Minute {
					t.Errorf("the alert of %v was made %v later", e.Alert.Event, wait)
				}
			}
		})
	}
}

const plainLogins = "name: r\nevery: 1m\nsearch: 'event.action: ssh_login'\n"

func TestAnOutageIsCaughtUpInOrderAndLate(t *testing.T) {
	const hours = 5
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, eachMinute(60*(hours+2)), plainLogins)
		p.source.slow = time.Second // so that what is found at once is seen to be
		var wg sync.WaitGroup
		during(&wg, 30*time.Minute, func() { p.source.set(func() { p.source.down = true }) })
		during(&wg, 30*time.Minute+hours*time.Hour, func() { p.source.set(func() { p.source.down = false }) })
		entries = ofRules(p.live((hours + 3) * time.Hour))
		wg.Wait()
	})
	once(t, entries, 60*(hours+2))
	slices.Reverse(entries) // as they were recorded
	last, late, steps := time.Time{}, 0, map[time.Time]int{}
	for _, e := range entries {
		if !e.Alert.Late {
			continue
		}
		late++
		steps[e.SeenAt]++
		if e.Alert.Event.Before(last) {
			t.Errorf("%v was caught up after %v", e.Alert.Event, last)
		}
		last = e.Alert.Event
	}
	if most := 60 * hours; late < most-10 || late > most+10 {
		t.Errorf("%d alerts are late, of an outage of %d minutes", late, most)
	}
	for at, n := range steps {
		if n > 65 {
			t.Errorf("%d minutes were caught up at once, at %v", n, at)
		}
	}
}

func TestTenThousandRowsOfOneRunAreCounted(t *testing.T) {
	storm := several(10_000, func(i int) event { return after(time.Minute+time.Duration(i)*time.Millisecond, "u", i) })
	entries := ofRules(run(t, 7*time.Minute, storm, "name: r\nevery: 5m\nmax_alerts: 100\nsearch: 'event.action: ssh_login'"))
	got, _ := fates(entries)
	if diff := cmp.Diff(map[alert.Fate]int{alert.Pending: 101, alert.Suppressed: 9900}, got); diff != "" {
		t.Errorf("fates: %s", diff)
	}
	if !slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		return e.Alert.Count == 9900 && strings.HasPrefix(e.Alert.Reason, "9900 more alerts")
	}) {
		t.Error("no alert tells how many more there were")
	}
}

func TestARuleSlowerThanItsIntervalFindsAll(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, eachMinute(40), "name: r\nevery: 10s\nsearch: 'event.action: ssh_login'")
		p.source.slow = 25 * time.Second
		entries = p.live(time.Hour)
	})
	once(t, entries, 40)
}

func TestARuleMayChangeWhileItRuns(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, eachMinute(60), "name: r\nevery: 1m\nsearch: 'event.action: ssh_login and n < 1000'")
		p.source.slow = 20 * time.Second
		changed := parseRule(t, "name: r\nevery: 1m\nseverity: critical\nsearch: 'event.action: ssh_login and n >= 0'")
		var mu sync.Mutex
		current := p.rules
		p.current = func() []rule.Entry {
			mu.Lock()
			defer mu.Unlock()
			return current
		}
		var wg sync.WaitGroup
		for at := 20*time.Minute + 7*time.Second; at < 30*time.Minute; at += 47 * time.Second { // at all moments of a run
			other := []rule.Entry{changed}
			if int(at.Seconds())%2 == 0 {
				other = p.rules
			}
			during(&wg, at, func() { mu.Lock(); current = other; mu.Unlock(); p.poke() })
		}
		during(&wg, 30*time.Minute, func() { mu.Lock(); current = []rule.Entry{changed}; mu.Unlock(); p.poke() })
		entries = p.live(80 * time.Minute)
		wg.Wait()
	})
	once(t, entries, 60)
	for _, e := range ofRules(entries) {
		if e.Alert.Event.After(bubbleStart.Add(32*time.Minute)) && e.Alert.Severity != alert.SeverityCritical {
			t.Errorf("the rule of before still found %s", e.Alert.User)
		}
	}
}

// TestWithoutATimeOfIngestWhatCameLateIsFoundByCounting: the source tells of no event when it took it in.
func TestWithoutATimeOfIngestWhatCameLateIsFoundByCounting(t *testing.T) {
	type arrival struct {
		in   time.Time
		json string
	}
	var all []arrival
	put := func(user string, at, in time.Duration) {
		all = append(all, arrival{bubbleStart.Add(in), fmt.Sprintf(`{"@timestamp":%q,"user":{"name":%q}}`, bubbleStart.Add(at).Format(time.RFC3339Nano), user)})
	}
	for i := range 300 {
		put("on time", time.Duration(i)*time.Minute, time.Duration(i)*time.Minute+time.Second)
	}
	for i := range 4 { // the fourth comes two hours late
		put("ann", 60*time.Minute+time.Duration(i)*time.Second, 60*time.Minute+time.Duration(i+1)*time.Second+time.Duration(i/3)*2*time.Hour)
	}
	put("one", 90*time.Minute, 200*time.Minute)
	for search, want := range map[string][]string{
		"'user.name: one'": {"one 01:30 true"},
		"'not user.name: on* | count by user.name over 5m | search count > 3'": {"ann 01:00 true"},
	} {
		dir := t.TempDir()
		var got []string
		synctest.Test(t, func(t *testing.T) {
			p := newProcess(t, dir, nil, "name: r\nevery: 1m\nsearch: "+search)
			p.source.instead = func(context.Context, []string) (query.Backend, error) {
				var text strings.Builder
				for _, a := range all {
					if !a.in.After(time.Now()) {
						text.WriteString(a.json + "\n")
					}
				}
				return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(text.String())}}, nil
			}
			p.live(150 * time.Minute)
			entries := p.live(100 * time.Minute)
			for _, e := range ofRules(entries) {
				got = append(got, fmt.Sprint(e.Alert.User, " ", e.Alert.Event.Format("15:04"), " ", e.Alert.Late))
				if wait := e.SeenAt.Sub(bubbleStart); wait > 220*time.Minute {
					t.Errorf("%s was found after %v", e.Alert.User, wait)
				}
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", search, diff)
		}
	}
}

func TestARuleThatTakesLongerThanItsIntervalIsNamed(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	var warnings []string
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, several(20, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) }), "name: r\nevery: 5s\nsearch: 'event.action: ssh_login'")
		p.source.slow = 12 * time.Second
		entries = ofRules(p.live(30 * time.Minute))
		standing, err := p.running.Standing(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		warnings = standing.Warnings
	})
	if len(entries) != 20 {
		t.Errorf("%d alerts of 20 events", len(entries))
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "its last run took 12s, longer than its interval of 5 seconds") {
		t.Errorf("warnings: %q", warnings)
	}
}
