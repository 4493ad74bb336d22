package forecast_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/forecast"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// event is a document of a test.
type event struct {
	At   time.Time
	User string
	N    int
}

func (e event) json() string {
	b, err := json.Marshal(map[string]any{
		"@timestamp": e.At.Format(time.RFC3339Nano), "event": map[string]any{"action": "ssh_login", "outcome": "failure", "ingested": e.At.Format(time.RFC3339Nano)},
		"user": map[string]any{"name": e.User}, "n": e.N,
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// source shows the events that happened up to a moment.
func source(events []event, now func() time.Time) detect.Source {
	return detect.Source{Name: "logs", Precision: time.Nanosecond, Open: func(context.Context, []string) (query.Backend, error) {
		var all bytes.Buffer
		for _, e := range events {
			if !e.At.After(now()) {
				all.WriteString(e.json() + "\n")
			}
		}
		return &files.Backend{Main: files.Input{Path: "-", Reader: &all}}, nil
	}}
}

func replay(documents []string) query.Backend {
	return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(documents, "\n"))}}
}

// channelLog is a channel that takes every message.
type channelLog struct {
	edits bool

	mu   sync.Mutex
	said map[notice.Key]notice.Notice
	at   map[notice.Key]time.Time
}

func (l *channelLog) Post(_ context.Context, n notice.Notice) (notice.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[n.Key], l.at[n.Key] = n, time.Now()
	return notice.Receipt{Channel: n.Channel, TS: fmt.Sprint(len(l.said))}, nil
}

func (l *channelLog) Edit(_ context.Context, n notice.Notice, _ notice.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[n.Key] = n
	return nil
}

func (l *channelLog) Find(context.Context, string, time.Time, []notice.Key) (map[notice.Key]notice.Receipt, error) {
	return nil, notice.ErrNoHistory
}
func (l *channelLog) Edits(string) bool   { return l.edits }
func (l *channelLog) History(string) bool { return false }
func (l *channelLog) Clock() time.Time    { return time.Time{} }

// texts are the messages in order of time: when to the minute, where, what kind, of how many alerts.
func (l *channelLog) texts() []string {
	type line struct {
		at   time.Time
		text string
	}
	var all []line
	for key, n := range l.said {
		kind := "post"
		if n.Kind == notice.KindDigest {
			kind = "digest"
		}
		if n.Repeat {
			kind = "repeat"
		}
		all = append(all, line{l.at[key], fmt.Sprintf("%s %s %d", n.Channel, kind, n.Count)})
	}
	slices.SortFunc(all, func(a, b line) int {
		return a.at.Truncate(time.Second).Compare(b.at.Truncate(time.Second))*2 + strings.Compare(a.text, b.text)
	})
	out := []string{}
	for _, one := range all {
		out = append(out, one.at.UTC().Truncate(5*time.Second).Format(time.TimeOnly)+" "+one.text)
	}
	return out
}

const (
	lived   = 4 * time.Hour
	settled = 10 * time.Minute
)

// anyEvents are bursts of events of a few users, none in the first minutes nor in the last hour.
func anyEvents(t *rapid.T, start time.Time) []event {
	var out []event
	for range rapid.IntRange(1, 12).Draw(t, "bursts") {
		at := settled + time.Duration(rapid.IntRange(0, 160*60).Draw(t, "burst"))*time.Second
		user := rapid.SampledFrom([]string{"ann", "bob", "eve"}).Draw(t, "user")
		for range rapid.IntRange(1, 14).Draw(t, "events") {
			at += time.Duration(rapid.IntRange(1, 250).Draw(t, "after")) * time.Second
			if at > 3*time.Hour {
				break
			}
			out = append(out, event{At: start.Add(at), User: user, N: len(out)})
		}
	}
	return out
}

// anyRule is a rule of a search with some of all that decides about its alerts.
func anyRule(t *rapid.T, search string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "name: r\nsource: logs\nwindow: 10m\nlookback: 1m\nsearch: %q\n", search)
	pick := func(name string, lines ...string) {
		s.WriteString(rapid.SampledFrom(lines).Draw(t, name))
	}
	pick("every", "every: 5m\n", "every: 5m\n", "every: 7m\n", "every: 1m\n")
	pick("again", "", "same_again_after: 30m\n", "same_again_after: 3m\n", "same_again_after: 1h\ndedupe_by: [user.name]\n", "same_again_after: 20m\n")
	pick("most", "", "", "max_alerts: 2\n", "max_alerts: 1\n")
	pick("per", "", "", "", "message_per: run\n")
	pick("exceptions", "", "", "exceptions:\n  - {match: 'user.name: bob', reason: known}\n",
		"exceptions:\n  - {match: 'user.name: eve', reason: known, until: 2000-01-01T02:00:00Z}\n")
	pick("hours", "", "", "schedule: {speaks: '01:00-24:00'}\n", "schedule: {runs: '00:30-02:30'}\n")
	return s.String()
}

func anyRoute(t *rapid.T) policy.Route {
	seconds := func(name string, list ...int) time.Duration {
		return time.Duration(rapid.SampledFrom(list).Draw(t, name)) * time.Second
	}
	return policy.Route{
		Path: "route", Channel: "#a", Wait: seconds("wait", 0, 11, 67), Interval: seconds("interval", 61, 307),
		GroupBy: rapid.SampledFrom([][]string{{"rule.name"}, {"user.name"}}).Draw(t, "group"), Solo: rapid.Bool().Draw(t, "solo"),
		// No period is a multiple of an interval: whether a message that is just that old still counts is decided by
		// milliseconds.
		Rate: rapid.SampledFrom([]policy.Rate{{}, {Count: 6, Per: 57 * time.Second}, {Count: 2, Per: 587 * time.Second}, {Count: 1, Per: 3571 * time.Second}}).Draw(t, "rate"),
	}
}

var searches = []struct {
	name, text string
	heart      bool
}{
	{name: "documents", text: `event.action:ssh_login | where n % 2 == 0`},
	{name: "more than three", text: `event.action:ssh_login | count by user.name | search count > 3`},
	{name: "more than six", text: `event.action:ssh_login | count by user.name | where count >= 6`},
	{name: "few", text: `event.action:ssh_login | count by user.name | search count <= 2`},
	{name: "newterms", text: `event.action:ssh_login and not user.name: heart | newterms user.name over 20m`, heart: true},
	{name: "missing", text: `event.action:ssh_login and not user.name: heart | missing by user.name over 20m`, heart: true},
	{name: "spike", text: `event.action:ssh_login | spike by user.name factor=2 baseline=30m min=2`},
	{name: "sequence", text: `event.action:ssh_login | sequence by user.name maxspan=15m [n >= 3] [n < 60]`},
	{name: "per window", text: `event.action:ssh_login | stats count, max(n) as most by user.name | where count > 1 | sort count`},
	{name: "with a bin", text: `event.action:ssh_login | bin _time span=5m | stats count by _time, user.name | search count > 2`},
	{name: "subsearch", text: `event.action:ssh_login and [n < 9 | fields user.name | dedup user.name] | dedup user.name | table user.name, n`},
}

// TestABacktestIsWhatWouldHaveHappened: alerts and messages of a backtest are those of a process that ran all the
// time while every event came at once.
func TestABacktestIsWhatWouldHaveHappened(t *testing.T) {
	const lives = 4
	for _, search := range searches {
		t.Run(search.name, func(t *testing.T) {
			n, failing := 0, false
			rapid.Check(t, func(rt *rapid.T) {
				if n++; n > lives && !failing {
					return
				}
				start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when the clock of a bubble begins
				events := anyEvents(rt, start)
				text, route, edits := anyRule(rt, search.text), anyRoute(rt), rapid.Bool().Draw(rt, "edits")
				if search.heart {
					for at := -2 * time.Hour; at < lived; at += 5 * time.Minute {
						events = append(events, event{At: start.Add(at), User: "heart", N: 100})
					}
				}
				dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
				var got, want []string
				var wantSaid []string
				synctest.Test(t, func(t *testing.T) { want, wantSaid = live(t, dir, text, events, route, edits) })
				got, gotSaid := backtest(t, text, events, route, edits, start)
				if diff := cmp.Diff(want, got); diff != "" {
					failing = true
					rt.Fatalf("alerts (- as it happened, + backtest): %s\n%s", diff, text)
				}
				if diff := cmp.Diff(wantSaid, gotSaid); gotSaid != nil && diff != "" {
					failing = true
					rt.Fatalf("messages (- as it happened, + backtest): %s\n%s\n%+v edits %v", diff, text, route, edits)
				}
			})
		})
	}
}

func parse(t testing.TB, text string) *rule.Rule {
	t.Helper()
	r, err := rule.Parse([]byte(text), rule.ParseOptions{ID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func forecaster(t testing.TB, route policy.Route, edits bool, s detect.Source) *forecast.Forecaster {
	t.Helper()
	decide, err := policy.New(policy.Options{Root: route, Edits: func(string) bool { return edits }})
	if err != nil {
		t.Fatal(err)
	}
	f, err := forecast.New(forecast.Options{Sources: []detect.Source{s}, Policy: func(context.Context) (*policy.Policy, error) { return decide, nil }, Replay: replay})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func backtest(t testing.TB, text string, events []event, route policy.Route, edits bool, start time.Time) (alerts, said []string) {
	t.Helper()
	f := forecaster(t, route, edits, source(events, func() time.Time { return start.Add(lived) }))
	b, err := f.Backtest(t.Context(), forecast.Ask{Rule: parse(t, text), From: start, To: start.Add(lived)})
	if err != nil {
		t.Fatal(err)
	}
	owes := len(b.Reasons) == 1 && strings.Contains(b.Reasons[0], "to be said again while its channel had no room")
	if !b.Exact && !owes || b.FoundAll != len(b.Found) {
		t.Fatalf("the backtest is not exact: %v", b.Reasons)
	}
	alerts = []string{}
	for _, a := range b.Found {
		alerts = append(alerts, fmt.Sprintf("%s %s %s %d %s %s", a.ID, a.First.Format(time.TimeOnly), a.Last.Format(time.TimeOnly), a.Count, a.Held, a.Reason))
	}
	slices.Sort(alerts)
	l := &channelLog{said: map[notice.Key]notice.Notice{}, at: map[notice.Key]time.Time{}}
	for i, m := range b.Said {
		if m.At.After(start.Add(lived)) {
			continue // the process is gone by then
		}
		kind := map[string]notice.Kind{"digest": notice.KindDigest}[m.Kind]
		key := notice.Key(fmt.Sprint(i))
		l.said[key], l.at[key] = notice.Notice{Channel: m.Channel, Kind: kind, Count: m.Alerts, Repeat: m.Kind == "repeat"}, m.At
	}
	if b.Messages != len(b.Said) {
		t.Errorf("%d messages are counted, %d told", b.Messages, len(b.Said))
	}
	if owes { // the messages are not followed then
		return alerts, nil
	}
	return alerts, l.texts()
}

var migrations = slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations, detect.Migrations)

// live lets a process run in the bubble, and gives what it made.
func live(t *testing.T, dir, text string, events []event, route policy.Route, edits bool) (alerts, said []string) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(context.Background(), store.Options{Dir: dir, Migrations: migrations})
	must(err)
	defer func() { must(db.Close()) }()
	log := slog.New(slog.DiscardHandler)
	r := parse(t, text)
	d, err := detect.New(t.Context(), detect.Options{
		DB: db, Rules: func() []rule.Entry { return []rule.Entry{{ID: r.ID, Rule: r, Content: []byte(text)}} }, Log: log, Workers: 4,
		Sources: []detect.Source{source(events, time.Now)}, Silence: 100 * time.Hour,
	})
	must(err)
	decide, err := policy.New(policy.Options{Root: route, Edits: func(string) bool { return edits }})
	must(err)
	channel := &channelLog{edits: edits, said: map[notice.Key]notice.Notice{}, at: map[notice.Key]time.Time{}}
	out, err := outbox.New(outbox.Options{DB: db, Sender: channel, Log: log, InDoubt: outbox.Resend})
	must(err)
	in, err := intake.New(intake.Options{DB: db, Policy: decide, Sources: []intake.Source{d}, Log: log, Wake: out.Wake, Edits: channel.Edits})
	must(err)
	ctx, cancel := context.WithTimeout(t.Context(), lived)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { must(d.Run(ctx)) })
	wg.Go(func() { must(in.Run(ctx)) })
	wg.Go(func() { must(out.Run(ctx)) })
	wg.Wait()
	book, err := ledger.New(ledger.Options{DB: db})
	must(err)
	entries, _, err := book.List(context.Background(), ledger.Filter{})
	must(err)
	alerts = []string{}
	for _, e := range entries {
		a := e.Alert
		first, last := a.First, a.Last
		if first.IsZero() {
			first = a.Event
		}
		if last.IsZero() {
			last = first
		}
		held := alert.Fate("")
		if a.Held != nil {
			held = a.Held.As
		}
		alerts = append(alerts, fmt.Sprintf("%s %s %s %d %s %s", a.ID, first.UTC().Format(time.TimeOnly), last.UTC().Format(time.TimeOnly), a.Count, held, a.Reason))
	}
	slices.Sort(alerts)
	return alerts, channel.texts()
}

func TestWhatDependsOnWhenItRunsIsNotCalledExact(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	events := []event{{At: start.Add(time.Hour), User: "bob"}, {At: start.Add(61 * time.Minute), User: "bob"}}
	f := forecaster(t, policy.Route{Path: "route", Channel: "#a", Interval: time.Minute}, true, source(events, func() time.Time { return start.Add(lived) }))
	r := parse(t, "name: r\nevery: 1m\nsearch: 'event.action:ssh_login and @timestamp > now-3m | stats count by user.name over 5m | search count > 1'\n")
	b, err := f.Backtest(t.Context(), forecast.Ask{Rule: r, From: start, To: start.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if b.Exact || len(b.Reasons) != 1 || b.Alerts != 1 {
		t.Errorf("exact is %v for %q, with %d alerts", b.Exact, b.Reasons, b.Alerts)
	}
}

// TestWithoutAChannelItTellsWhatWouldBeSaid: what would be said is said of a channel that is not there yet.
func TestWithoutAChannelItTellsWhatWouldBeSaid(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	events := []event{{At: start.Add(time.Hour), User: "bob"}, {At: start.Add(2 * time.Hour), User: "eve"}}
	of := func(channel string) func(context.Context) (*policy.Policy, error) {
		decide, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: channel, Interval: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		return func(context.Context) (*policy.Policy, error) { return decide, nil }
	}
	r := parse(t, "name: r\nevery: 1m\nsearch: 'event.action:ssh_login | count by user.name'\n")
	ask := forecast.Ask{Rule: r, From: start, To: start.Add(4 * time.Hour)}
	o := forecast.Options{
		Sources: []detect.Source{source(events, func() time.Time { return start.Add(lived) })}, Replay: replay,
		Policy: of(""), Imagined: of("webhook"), Unsaid: func(channel string) bool { return channel == "webhook" },
	}
	f, err := forecast.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Backtest(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if b.Alerts != 2 || b.Messages != 2 || b.Unsaid != 2 || len(b.Held) != 0 || b.Said[0].Channel != "" || b.Found[0].Channel != "" {
		t.Errorf("%+v", b)
	}
	if want := "would have alerted twice for 2 users in 4 hours: 2 Slack messages, once there is a channel: none is configured yet"; b.Sentence != want {
		t.Errorf("sentence %q, want %q", b.Sentence, want)
	}
}

// TestEscalationsAreNotCounted: a route that escalates says more than is told.
func TestEscalationsAreNotCounted(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	events := []event{{At: start.Add(time.Hour), User: "bob"}}
	route := policy.Route{Path: "route", Channel: "#a", Interval: time.Minute, Escalation: []policy.Escalation{{After: time.Hour}}}
	f := forecaster(t, route, true, source(events, func() time.Time { return start.Add(lived) }))
	ask := forecast.Ask{Rule: parse(t, "name: r\nevery: 1m\nsearch: 'event.action:ssh_login'\n"), From: start, To: start.Add(4 * time.Hour)}
	b, err := f.Backtest(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if b.Exact || len(b.Reasons) != 1 || !strings.Contains(b.Reasons[0], "escalation") {
		t.Errorf("exact is %v for %q", b.Exact, b.Reasons)
	}
	ask.From = start.Add(2 * time.Hour)
	if b, err = f.Backtest(t.Context(), ask); err != nil || !b.Exact {
		t.Errorf("without any alert: %v, %v", b.Reasons, err)
	}
}
