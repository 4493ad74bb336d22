package detect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/files"
	"tocsin/internal/row"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// event is a document of a test: when it happened, when it is taken in, and about whom.
type event struct {
	At, In time.Time
	User   string
	N      int
	Bare   bool // it tells not when it was taken in
	Less   bool // it has no user
}

func (e event) json() string {
	of := map[string]any{"action": "ssh_login", "outcome": "failure"}
	if !e.Bare {
		of["ingested"] = e.In.Format(time.RFC3339Nano)
	}
	all := map[string]any{"@timestamp": e.At.Format(time.RFC3339Nano), "event": of, "user": map[string]any{"name": e.User}, "n": e.N}
	if e.Less {
		delete(all, "user")
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// stream is a source into which events come in their time.
type stream struct {
	mu     sync.Mutex
	events []event
	down   bool
	slow   time.Duration
	// names are the fields that the source says it has, and indices how many; nil where it does not tell.
	names   []string
	indices int
	// clerk says that it filters and counts itself.
	clerk bool
	// instead opens another source.
	instead func(ctx context.Context, indices []string) (query.Backend, error)
}

// telling is a source that tells what it has.
type telling struct {
	*files.Backend
	names   []string
	indices int
}

func (t *telling) Names(context.Context, []string, []string) ([]string, error) { return t.names, nil }

func (t *telling) Indices(context.Context, []string) (int, error) { return t.indices, nil }

func (s *stream) open(ctx context.Context, indices []string) (query.Backend, error) {
	if s.instead != nil {
		return s.instead(ctx, indices)
	}
	s.mu.Lock()
	down, slow := s.down, s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(slow):
		}
	}
	if down {
		return nil, errors.New("connection refused")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all bytes.Buffer
	for _, e := range s.events {
		if !e.In.After(time.Now()) {
			all.WriteString(e.json() + "\n")
		}
	}
	if s.clerk {
		newest := strings.Split(strings.TrimSuffix(all.String(), "\n"), "\n")
		if all.Len() == 0 {
			newest = nil
		}
		slices.Reverse(newest)
		return &backendtest.Clerk{Documents: newest}, nil
	}
	b := &files.Backend{Main: files.Input{Path: "-", Reader: &all}}
	if s.names != nil {
		return &telling{b, s.names, s.indices}, nil
	}
	return b, nil
}

func (s *stream) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// breaking is a detector whose results cannot always be kept.
type breaking struct {
	*detect.Detector
	broken func() bool
}

func (b *breaking) Keep(tx *store.Tx, batch alert.Batch) error {
	if err := b.Detector.Keep(tx, batch); err != nil {
		return err
	}
	if b.broken() {
		return errors.New("no room left")
	}
	return nil
}

// process is a running Tocsin as far as rules go.
type process struct {
	t      testing.TB
	dir    string
	source *stream
	others []detect.Source
	shares bool // what runs together is shared
	rules  []rule.Entry
	now    func() time.Time
	broken func() bool
	keep   time.Duration // how long what was found is kept
	// current gives the rules there are now; nil for rules.
	current func() []rule.Entry

	mu       sync.Mutex
	reported map[string]string // the newest trouble of each part
	running  *detect.Detector
}

// reports is what was told of parts that did not work, also of those that do now.
func (p *process) reports() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reported
}

func (p *process) report(part string, err error, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reported == nil {
		p.reported = map[string]string{}
	}
	if err != nil {
		p.reported[part] = err.Error()
	}
}

// all are the rules there are now.
func (p *process) all() []rule.Entry {
	if p.current != nil {
		return p.current()
	}
	return p.rules
}

// poke tells the running detector that rules may be others.
func (p *process) poke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running.Changed()
}

// run lets it live until ctx ends, then takes it down and gives what the ledger has.
func (p *process) run(ctx context.Context) []ledger.Entry {
	p.t.Helper()
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	db, err := store.Open(context.Background(), store.Options{Dir: p.dir, Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations, detect.Migrations)})
	must(err)
	defer func() { must(db.Close()) }()
	log := slog.New(slog.DiscardHandler)
	logs := detect.Source{Name: "logs", Open: p.source.open, Precision: time.Nanosecond}
	if p.shares {
		logs.Share, logs.Hold = p.source.share, p.source.hold
	}
	d, err := detect.New(ctx, detect.Options{
		DB: db, Rules: p.all, Log: log, Workers: 4,
		Sources: append([]detect.Source{logs}, p.others...),
		Now:     p.now, Report: p.report, Keep: p.keep,
	})
	must(err)
	p.mu.Lock()
	p.running = d
	p.mu.Unlock()
	decide, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: "#a", Interval: time.Hour, Wait: time.Hour}})
	must(err)
	in, err := intake.New(intake.Options{DB: db, Policy: decide, Sources: []intake.Source{&breaking{d, p.broken}}, Log: log})
	must(err)
	var wg sync.WaitGroup
	wg.Go(func() { must(d.Run(ctx)) })
	wg.Go(func() { must(in.Run(ctx)) })
	wg.Wait()
	book, err := ledger.New(ledger.Options{DB: db})
	must(err)
	entries, _, err := book.List(context.Background(), ledger.Filter{})
	must(err)
	for i := range entries {
		entries[i].Alert.Document, err = book.Document(context.Background(), entries[i].Alert.ID)
		must(err)
	}
	return entries
}

func parseRule(t testing.TB, text string) rule.Entry {
	t.Helper()
	r, err := rule.Parse([]byte(text), rule.ParseOptions{ID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return rule.Entry{ID: r.ID, Rule: r, Content: []byte(text)}
}

// episodes are what stands in the ledger: the key with the times of the first and last event.
func episodes(t testing.TB, entries []ledger.Entry, key string) []string {
	t.Helper()
	byID := map[alert.ID]alert.Alert{}
	for _, e := range entries {
		byID[e.Alert.ID] = e.Alert
	}
	out := []string{}
	for _, e := range entries {
		a := e.Alert
		if a.Withdrawn || a.Rule.Type == "health" {
			continue
		}
		if a.MergedInto != "" {
			if _, ok := byID[a.MergedInto]; !ok {
				t.Errorf("%s is merged into %s, which is not there", a.ID, a.MergedInto)
			}
			continue
		}
		who := a.User
		for _, f := range a.Facts {
			if f.Name == key {
				who = f.Value
			}
		}
		first, last := a.First, a.Last
		if first.IsZero() {
			first, last = a.Event, a.Event
		}
		out = append(out, fmt.Sprintf("%s %s %s", who, first.Format(time.TimeOnly), last.Add(1).Format(time.TimeOnly)))
	}
	slices.Sort(out)
	return out
}

// perfect is what one run over all events finds.
func perfect(t testing.TB, search string, window time.Duration, events []event) []string {
	t.Helper()
	var all strings.Builder
	for _, e := range events {
		all.WriteString(e.json() + "\n")
	}
	q, err := query.Compile(search, query.Options{Window: window, Latest: bubbleStart.Add(whole - 10*time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	result, err := q.Run(t.Context(), query.RunOptions{Documents: true, Backend: &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(all.String())}}})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for i := range result.Rows {
		r := &result.Rows[i]
		if r.Doc != nil {
			var e struct {
				At   time.Time `json:"@timestamp"`
				User struct{ Name string }
			}
			if err := json.Unmarshal([]byte(r.Doc.JSON), &e); err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s %s %s", e.User.Name, e.At.Format(time.TimeOnly), e.At.Format(time.TimeOnly)))
			continue
		}
		value := func(name string) string {
			i := slices.IndexFunc(result.Columns, func(c row.Column) bool { return c.Name == name })
			return r.Get(i).Text()
		}
		at := func(name string) string {
			when, err := time.Parse(time.RFC3339Nano, value(name))
			if err != nil {
				t.Fatal(err)
			}
			return when.Format(time.TimeOnly)
		}
		if c, ok := q.Command(); ok && c.Name == "missing" {
			last, err := time.Parse(time.RFC3339Nano, value("last"))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s %s %s", value("user.name"), at("last"), last.Add(c.Length).Format(time.TimeOnly)))
			continue
		}
		if c, ok := q.Command(); ok && c.Waits {
			first, err := time.Parse(time.RFC3339Nano, value("first"))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s %s %s", value("user.name"), at("first"), first.Add(c.Length).Format(time.TimeOnly)))
			continue
		}
		out = append(out, fmt.Sprintf("%s %s %s", value("user.name"), at("first"), at("last")))
	}
	slices.Sort(out)
	return out
}

// life is a random stream of events, and what happens to the process that judges them.
type life struct {
	events  []event
	ends    []time.Duration // of processes, by a crash
	outages [][2]time.Duration
	steps   map[time.Duration]time.Duration // of the clock: when, and how far it is off from then on
	breaks  int                             // of a hundred commits
	slow    time.Duration
	clerk   bool // the source filters and counts itself
	// keep is how long what was found is kept: longer than any event of a life comes late.
	keep time.Duration
}

const (
	lives   = 6                // of each rule
	whole   = 4 * time.Hour    // a life; the last hour is quiet
	settled = 10 * time.Minute // the rule has run by then
	latest  = 2*time.Hour + 10*time.Minute
)

func anyLife(t *rapid.T, start time.Time) life {
	l := life{steps: map[time.Duration]time.Duration{}}
	minutes := func(low, high int, name string) time.Duration {
		return time.Duration(rapid.IntRange(low*60, high*60).Draw(t, name)) * time.Second
	}
	for range rapid.IntRange(0, 6).Draw(t, "bursts") {
		at := minutes(-60, 170, "burst")
		user := rapid.SampledFrom([]string{"ann", "bob", "eve"}).Draw(t, "user")
		for range rapid.IntRange(1, 9).Draw(t, "events") {
			at += time.Duration(rapid.IntRange(1, 400).Draw(t, "after")) * time.Second
			in := max(at, 0) + time.Duration(rapid.IntRange(0, 20).Draw(t, "delay"))*time.Second
			if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
				in += minutes(0, 60, "delay of a late one")
			}
			if at > 175*time.Minute {
				break
			}
			if at < 0 { // of before the rule began: it is judged as it comes after the rule's first run
				in = max(in, settled)
			}
			l.events = append(l.events, event{At: start.Add(at), In: start.Add(in + time.Second), User: user, N: len(l.events)})
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "crashes") {
		l.ends = append(l.ends, minutes(1, 180, "crash"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "outages") {
		from := minutes(10, 160, "outage")
		l.outages = append(l.outages, [2]time.Duration{from, from + minutes(1, 60, "length of outage")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "clock steps") {
		l.steps[minutes(10, 170, "step")] = minutes(-40, 40, "offset")
	}
	l.steps[180*time.Minute] = 0 // the clock is right in the end
	l.breaks = rapid.SampledFrom([]int{0, 0, 30}).Draw(t, "broken commits of a hundred")
	l.slow = time.Duration(rapid.SampledFrom([]int{0, 1, 20}).Draw(t, "seconds a search takes")) * time.Second
	l.clerk = rapid.Bool().Draw(t, "a source that filters itself")
	l.keep = rapid.SampledFrom([]time.Duration{0, latest}).Draw(t, "what is kept")
	return l
}

var laws = []struct{ name, search string }{
	{"documents", `event.action:ssh_login and event.outcome:failure | where n % 2 == 0`},
	{"more than three", `event.action:ssh_login | count by user.name | search count > 3`},
	{"few", `event.action:ssh_login | count by user.name | search count <= 2`},
	{"exactly three", `event.action:ssh_login | count by user.name | where count == 3`},
	{"newterms", `event.action:ssh_login and not user.name: heart | newterms user.name over 20m`},
	{"changed", `event.action:ssh_login and not user.name: heart | changed n by user.name`},
	{"missing", `event.action:ssh_login and not user.name: heart | missing by user.name over 20m`},
	{"spike", `event.action:ssh_login and not user.name: heart | spike by user.name factor=2 baseline=30m min=2`},
	{"sequence", `event.action:ssh_login | sequence by user.name maxspan=15m [n >= 3] [n < 30]`},
	{"sequence that waits", `event.action:ssh_login | sequence by user.name maxspan=15m [n >= 3] ![n < 30]`},
}

// TestWhatStandsIsWhatOnePerfectRunFinds is the law of detection: over alerts not withdrawn, after following
// merged_into, the set of keys and episodes is that of one run over all the data.
func TestWhatStandsIsWhatOnePerfectRunFinds(t *testing.T) {
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			n, failing := 0, false
			rapid.Check(t, func(rt *rapid.T) {
				if n++; n > lives && !failing {
					return
				}
				dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
				var got, want []string
				start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when the clock of a bubble begins
				l := anyLife(rt, start)
				synctest.Test(t, func(t *testing.T) {
					if strings.Contains(law.search, "heart") { // what shows that the source lives
						for at := -2 * time.Hour; at < whole; at += 5 * time.Minute {
							l.events = append(l.events, event{At: start.Add(at), In: start.Add(max(at, 0) + time.Second), User: "heart"})
						}
					}
					got = l.live(t, dir, law.search, start)
					want = perfect(t, law.search, 10*time.Minute, l.events)
				})
				if diff := cmp.Diff(want, got); diff != "" {
					failing = true
					rt.Fatalf("episodes (- perfect run, + ours): %s", diff)
				}
			})
		})
	}
}

func (l life) live(t *testing.T, dir, search string, start time.Time) []string {
	e := parseRule(t, "name: r\nsource: logs\nevery: 5m\nwindow: 10m\nlookback: 1m\nmax_alerts: 100000\nsearch: "+fmt.Sprintf("%q", search)+"\n")
	return episodes(t, l.rules(t, dir, start, false, e), "user.name")
}

// rules lets rules live such a life, and gives what the ledger has in the end.
func (l life) rules(t *testing.T, dir string, start time.Time, shares bool, rules ...rule.Entry) []ledger.Entry {
	source := &stream{events: l.events, slow: l.slow, clerk: l.clerk}
	offset, random := time.Duration(0), rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	p := &process{
		t: t, dir: dir, source: source,
		now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(offset)
		},
		broken: func() bool {
			mu.Lock()
			defer mu.Unlock()
			return time.Since(start) < 3*time.Hour && random.IntN(100) < l.breaks
		},
		rules: rules, shares: shares, keep: l.keep,
	}
	stop, cancel := context.WithTimeout(context.Background(), whole)
	defer cancel()
	var wg sync.WaitGroup
	for _, o := range l.outages {
		wg.Go(func() {
			time.Sleep(o[0])
			source.set(func() { source.down = true })
			time.Sleep(o[1] - o[0])
			source.set(func() { source.down = false })
		})
	}
	for at, off := range l.steps {
		wg.Go(func() {
			time.Sleep(at)
			mu.Lock()
			offset = off
			mu.Unlock()
		})
	}
	slices.Sort(l.ends)
	var entries []ledger.Entry
	for _, end := range append(slices.Compact(l.ends), whole) {
		ctx, crash := context.WithDeadline(stop, start.Add(end))
		entries = p.run(ctx)
		crash()
	}
	wg.Wait()
	return entries
}
