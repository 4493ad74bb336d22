package detect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/query"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// drawn is the chart of an alert in words: its title and bound, what fired, and its points that are not 0.
func drawn(a *alert.Alert) string {
	c := notice.ItemOf(a).Chart
	if c == nil {
		return "none"
	}
	at := func(p notice.Point) string { return fmt.Sprintf("%s=%g", p.At.Format("15:04:05"), p.Value) }
	var points []string
	for _, p := range c.Points {
		if p.Value != 0 {
			points = append(points, at(p))
		}
	}
	bound := "none"
	if c.Threshold != nil {
		bound = fmt.Sprint(*c.Threshold, " below ", c.Below, " inclusive ", c.Inclusive)
	}
	fired := "nothing"
	if c.Fired != nil {
		fired = at(*c.Fired)
	}
	return fmt.Sprintf("%s; bound %s; fired %s; %d points, %s", c.Title, bound, fired, len(c.Points), strings.Join(points, " "))
}

func charts(entries []ledger.Entry) []string {
	var out []string
	for _, e := range ofRules(entries) {
		who := e.Alert.User
		for _, f := range e.Alert.Facts {
			who = f.Value
		}
		out = append(out, who+": "+drawn(&e.Alert))
	}
	slices.Sort(out)
	return out
}

// minute is an event of a user so many minutes and seconds after the bubble began.
func minute(m, s int, user string, n int) event {
	return after(time.Duration(m)*time.Minute+time.Duration(s)*time.Second, user, n)
}

func TestAnAlertOfWindowsShowsHowItsMeasureWent(t *testing.T) {
	// Two a quarter of an hour, one in each of two windows, then seven within two minutes.
	quiet := several(20, func(i int) event { return minute(15*(i/2)+(i%2)*7, 0, "ann", 3) })
	burst := several(7, func(i int) event { return minute(151, 20*i, "ann", 50+i) })
	bob := several(9, func(i int) event { return minute(148, 10*i, "bob", 1) })
	events := slices.Concat(quiet, burst, bob)
	steady := several(100, func(i int) event { return minute(i, 0, "heart", 1) })
	for _, c := range []struct {
		name, rule string
		events     []event
		want       []string
	}{
		{
			"count", "search: 'event.action: ssh_login | count by user.name over 5m | search count > 5'", events,
			[]string{
				"ann: ssh_login in 5 minutes; bound 5 below false inclusive false; fired 02:33:00=7; 31 points, " +
					"00:05:00=1 00:10:00=1 00:20:00=1 00:25:00=1 00:35:00=1 00:40:00=1 00:50:00=1 00:55:00=1 01:05:00=1 01:10:00=1 01:20:00=1 01:25:00=1 " +
					"01:35:00=1 01:40:00=1 01:50:00=1 01:55:00=1 02:05:00=1 02:10:00=1 02:20:00=1 02:25:00=1 02:33:00=7",
				"bob: ssh_login in 5 minutes; bound 5 below false inclusive false; fired 02:29:20=9; 31 points, 02:29:20=9",
			},
		},
		{
			"at least, of one user, the window of the rule", "window: 5m\nsearch: 'user.name: ann | stats sum(n) as total by user.name | where total >= 100'", events,
			[]string{
				"ann: total in 5 minutes; bound 100 below false inclusive true; fired 02:33:00=371; 31 points, " +
					"00:05:00=3 00:10:00=3 00:20:00=3 00:25:00=3 00:35:00=3 00:40:00=3 00:50:00=3 00:55:00=3 01:05:00=3 01:10:00=3 01:20:00=3 01:25:00=3 " +
					"01:35:00=3 01:40:00=3 01:50:00=3 01:55:00=3 02:05:00=3 02:10:00=3 02:20:00=3 02:25:00=3 02:33:00=371",
			},
		},
		{
			"what has no value where there is nothing is not drawn as 0", "search: 'user.name: bob or n >= 50 | stats avg(n) as mean over 10m | where mean < 4'", events,
			[]string{": none"},
		},
		{
			"without a key, and a ratio", "search: 'event.action: ssh_login | stats dc(user.name) as users, count over 10m | eval each = count / users | where each >= 7'", events,
			[]string{
				": users in 10 minutes; bound none; fired 02:32:20=2; 31 points, " +
					"00:10:00=1 00:20:00=1 00:30:00=1 00:40:00=1 00:50:00=1 01:00:00=1 01:10:00=1 01:20:00=1 01:30:00=1 01:40:00=1 01:50:00=1 02:00:00=1 02:10:00=1 " +
					"02:20:00=1 02:30:00=2 02:32:20=2",
			},
		},
		{
			"missing", "search: 'event.action: ssh_login | missing by user.name over 20m'", slices.Concat(steady, several(300, func(i int) event { return minute(i, 30, "ann", 1) })),
			[]string{"heart: ssh_login in 20 minutes; bound none; fired 01:59:00=0; 31 points, 00:20:00=20 00:40:00=20 01:00:00=20 01:20:00=20 01:40:00=20"},
		},
		{
			"spike", "window: 10m\nsearch: 'event.action: ssh_login | spike by user.name factor=4 baseline=100m min=5'", slices.Concat(steady, several(45, func(i int) event { return minute(110, i, "heart", 1) })),
			[]string{
				"heart: ssh_login in 10 minutes; bound 36 below false inclusive false; fired 02:00:00=45; 31 points, " +
					"00:10:00=10 00:20:00=10 00:30:00=10 00:40:00=10 00:50:00=10 01:00:00=10 01:10:00=10 01:20:00=10 01:30:00=10 01:40:00=10 02:00:00=45",
			},
		},
		{"sequences have none", "search: '* | sequence by user.name maxspan=5m [n >= 50] [n >= 51]'", events, []string{"ann: none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := charts(run(t, 4*time.Hour, c.events, "name: r\nevery: 1m\n"+c.rule))
			if c.name == "spike" || c.name == "sequences have none" { // of several the first
				got = slices.CompactFunc(got, func(a, b string) bool { return a[:3] == b[:3] })
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// counting is a backend that counts what is read from it, and may refuse what is read for charts.
type counting struct {
	query.Backend
	reads, charts *atomic.Int64
	refuse        bool
}

func (c *counting) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	c.reads.Add(1)
	if r.Earliest.Equal(bubbleStart.Add(10*time.Minute - 30*5*time.Minute)) { // nothing else looks from there on
		c.charts.Add(1)
		if c.refuse {
			return plan.Cost{}, errors.New("the circuit breaker tripped")
		}
	}
	return c.Backend.Rows(ctx, r, p, schema, emit)
}

var _ exec.Backend = (*counting)(nil)

func TestAFloodOfAlertsCostsOneSearchForTheirCharts(t *testing.T) {
	flood := several(300, func(i int) event { return minute(10, 0, fmt.Sprintf("u%02d", i/6), i) })
	for _, refuse := range []bool{false, true} {
		var reads, charts atomic.Int64
		var entries []ledger.Entry
		synctest.Test(t, func(t *testing.T) {
			p := newProcess(t, t.TempDir(), flood, "name: r\nevery: 5m\nsearch: 'event.action: ssh_login | count by user.name over 5m | search count > 5'")
			p.source.clerk = true
			plainly := p.source
			p.source = &stream{instead: func(ctx context.Context, indices []string) (query.Backend, error) {
				b, err := plainly.open(ctx, indices)
				return &counting{Backend: b, reads: &reads, charts: &charts, refuse: refuse}, err
			}}
			entries = ofRules(p.live(time.Hour))
		})
		with := 0
		for _, e := range entries {
			if strings.Contains(string(e.Alert.Document), `"series"`) {
				with++
			}
		}
		want := 20
		if refuse {
			want = 0
		}
		if len(entries) != 50 || with != want || charts.Load() != 1 {
			t.Errorf("refused %v: %d alerts, %d with a chart, after %d searches for charts", refuse, len(entries), with, charts.Load())
		}
	}
}

func TestAChartFollowsItsAlertAndNothingElse(t *testing.T) {
	early := several(7, func(i int) event { return minute(30, 10*i, "ann", i) })
	more := several(9, func(i int) event { return minute(33, 5*i, "ann", i) })
	text := "name: r\nevery: 1m\nsearch: 'event.action: ssh_login | count by user.name over 5m | search count > 5'\n"
	dir := t.TempDir()
	var first, second, third []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, slices.Concat(early, more), text)
		first = ofRules(p.live(32 * time.Minute))
		second = ofRules(p.live(10 * time.Minute))
		// What is judged again, for what came late and changes nothing of it, stays as it is.
		p.source.set(func() {
			p.source.events = append(p.source.events, event{At: bubbleStart.Add(10 * time.Minute), In: time.Now(), User: "ann"},
				event{At: bubbleStart.Add(32 * time.Minute), In: time.Now(), User: "bob"})
		})
		third = ofRules(p.live(time.Hour))
	})
	of := func(entries []ledger.Entry) (string, json.RawMessage) {
		if len(entries) != 1 {
			t.Fatalf("%d alerts", len(entries))
		}
		return drawn(&entries[0].Alert), entries[0].Alert.Document
	}
	a, _ := of(first)
	b, doc := of(second)
	_, same := of(third)
	if !strings.Contains(a, "fired 00:31:00=7;") || !strings.Contains(b, "fired 00:33:40=16;") {
		t.Errorf("first %s, then %s", a, b)
	}
	if string(doc) != string(same) {
		t.Errorf("the picture changed alone:\n%s\n%s", doc, same)
	}
	if first[0].Alert.ID != second[0].Alert.ID || second[0].Alert.ID != third[0].Alert.ID {
		t.Error("ids changed")
	}
}

func TestWhatIsHeldBackHasNoChart(t *testing.T) {
	events := several(7, func(i int) event { return minute(30, 10*i, "ann", i) })
	got := charts(run(t, time.Hour, events, "name: r\nevery: 1m\nenabled: shadow\nsearch: 'event.action: ssh_login | count by user.name over 5m | search count > 5'"))
	if diff := cmp.Diff([]string{"ann: none"}, got); diff != "" {
		t.Error(diff)
	}
}
