package forecast_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/forecast"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

var update = flag.Bool("update", false, "write what is told into testdata")

const bruteForce = "name: SSH brute force\nsource: logs\nevery: 5m\nwindow: 5m\nlookback: 1m\nsame_again_after: 1h\n" +
	"exceptions:\n  - {match: 'user.name: scanner', reason: our own scanner}\n" +
	"search: 'event.action:ssh_login and event.outcome:(failure or unknown) and not user.name:heart | count by user.name | search count > 10'\n"

// tale is what happens to a rule before it is asked about a document.
func tale(start time.Time) []event {
	var out []event
	burst := func(user string, after time.Duration, n int) {
		for i := range n {
			out = append(out, event{At: start.Add(after + time.Duration(i)*10*time.Second), User: user, N: i})
		}
	}
	burst("bob", 20*time.Minute, 7)
	burst("eve", 22*time.Minute, 12)
	burst("eve", 48*time.Minute, 12)
	burst("scanner", 30*time.Minute, 15)
	burst("root", 77*time.Minute, 12)
	burst("late", 79*time.Minute, 14)
	burst("early", -3*time.Hour, 14)
	return out
}

// whyCases are documents and the rules they are asked about.
var whyCases = []struct {
	name, rule string
	event      event
	document   string
}{
	{name: "below the threshold", rule: bruteForce, event: event{User: "bob", N: 3}},
	{name: "alerted", rule: bruteForce, event: event{User: "eve", N: 3}},
	{name: "the same again", rule: bruteForce, event: event{User: "eve", N: 15}},
	{name: "excepted", rule: bruteForce, event: event{User: "scanner", N: 3}},
	{name: "not judged yet", rule: bruteForce, event: event{User: "root", N: 3}},
	{name: "its time is not over", rule: bruteForce, event: event{User: "late", N: 3}},
	{name: "before the rule began", rule: bruteForce, event: event{User: "early", N: 3}},
	{name: "clauses", rule: bruteForce, document: `{"@timestamp":"2000-01-01T00:20:00Z","event":{"action":"ssh_login","outcome":"success"},"user":{"name":"heart"}}`},
	{name: "no time", rule: bruteForce, document: `{"event":{"action":"ssh_login"}}`},
	{name: "no key", rule: bruteForce, document: `{"@timestamp":"2000-01-01T00:20:00Z","event":{"action":"ssh_login","outcome":"failure"}}`},
	{
		name: "a pipe", document: `{"_index":"logs","_source":{"@timestamp":"2000-01-01T00:20:00Z","event":{"action":"ssh_login"},"n":3}}`,
		rule: "name: Many\nsource: logs\nsearch: 'event.action:* | eval twice=n*2 | where twice > 10'\n",
	},
	{
		name: "off", document: `{"@timestamp":"2000-01-01T00:20:00Z","message":"x"}`,
		rule: "name: Off\nsource: logs\nenabled: false\nsearch: 'message:y'\n",
	},
	{
		name: "nothing new", event: event{User: "eve", N: 15},
		rule: "name: New user\nsource: logs\nsearch: 'event.action:ssh_login | newterms user.name over 1d'\n",
	},
	{
		name: "per window", event: event{User: "bob", N: 3},
		rule: "name: Two users\nsource: logs\nwindow: 5m\nsearch: 'event.action:ssh_login | stats count by user.name | sort - count | where count > 100'\n",
	},
}

// TestWhySaysWhereADocumentEnds: the whole answers are in testdata.
func TestWhySaysWhereADocumentEnds(t *testing.T) {
	var got strings.Builder
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		events := tale(start)
		var entries []rule.Entry
		for i, c := range whyCases {
			id := fmt.Sprintf("r%d", i)
			if c.rule == bruteForce {
				id = "brute"
			}
			r, err := rule.Parse([]byte(c.rule), rule.ParseOptions{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(entries, func(e rule.Entry) bool { return e.ID == id }) {
				entries = append(entries, rule.Entry{ID: id, Rule: r, Content: []byte(c.rule)})
			}
		}
		inBubble(t, events, entries, 80*time.Minute, func(f *forecast.Forecaster, fate func(context.Context, alert.ID) (forecast.Fate, bool, error)) {
			for i, c := range whyCases {
				id := fmt.Sprintf("r%d", i)
				if c.rule == bruteForce {
					id = "brute"
				}
				at := slices.IndexFunc(entries, func(e rule.Entry) bool { return e.ID == id })
				document := c.document
				if document == "" {
					document = nth(t, events, c.event.User, c.event.N)
				}
				a, err := f.Why(t.Context(), forecast.Question{Rule: entries[at].Rule, Document: []byte(document), Fate: fate})
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				fmt.Fprintf(&got, "-- %s --\n%s\n", c.name, told(a))
			}
		})
	})
	path := filepath.Join("testdata", "why.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got, or run with -update:\n%s", diff)
	}
}

// nth is the document of the n-th event of a user.
func nth(t testing.TB, events []event, user string, n int) string {
	t.Helper()
	for _, e := range events {
		if e.User != user {
			continue
		}
		if n == 0 {
			return e.json()
		}
		n--
	}
	t.Fatalf("%s has no such event", user)
	return ""
}

// told is an answer as people read it.
func told(a *forecast.Answer) string {
	var s strings.Builder
	fmt.Fprintln(&s, a.Sentence)
	for _, step := range a.Steps {
		fmt.Fprintf(&s, "  %-4s %-8s %s\n", step.Result, step.Name, step.Text)
		clauses(&s, step.Clauses, "                  ")
	}
	return s.String()
}

func clauses(s *strings.Builder, all []forecast.Clause, indent string) {
	for _, c := range all {
		fmt.Fprintf(s, "%s%v %s (%s)\n", indent, c.Matches, c.Text, c.Has)
		clauses(s, c.Parts, indent+"  ")
	}
}

// inBubble runs rules for a while, then asks.
func inBubble(t *testing.T, events []event, entries []rule.Entry, lived time.Duration, ask func(*forecast.Forecaster, func(context.Context, alert.ID) (forecast.Fate, bool, error))) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Migrations: migrations})
	must(err)
	defer func() { must(db.Close()) }()
	log := slog.New(slog.DiscardHandler)
	logs := source(events, time.Now)
	d, err := detect.New(t.Context(), detect.Options{DB: db, Rules: func() []rule.Entry { return entries }, Log: log, Sources: []detect.Source{logs}, Silence: 100 * time.Hour})
	must(err)
	decide, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: "#a", Interval: 5 * time.Minute, Wait: 10 * time.Second, GroupBy: []string{"rule.name"}}})
	must(err)
	in, err := intake.New(intake.Options{DB: db, Policy: decide, Sources: []intake.Source{d}, Log: log})
	must(err)
	ctx, cancel := context.WithTimeout(t.Context(), lived)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { must(d.Run(ctx)) })
	wg.Go(func() { must(in.Run(ctx)) })
	wg.Wait()
	book, err := ledger.New(ledger.Options{DB: db})
	must(err)
	f, err := forecast.New(forecast.Options{
		Sources: []detect.Source{logs}, Policy: func(context.Context) (*policy.Policy, error) { return decide, nil }, Replay: replay, Detect: d,
	})
	must(err)
	ask(f, func(ctx context.Context, id alert.ID) (forecast.Fate, bool, error) {
		entries, _, err := book.List(ctx, ledger.Filter{IDs: []string{string(id)}})
		if err != nil || len(entries) == 0 {
			return forecast.Fate{}, false, err
		}
		return forecast.Fate{ID: string(id), Fate: string(entries[0].Fate), Reason: entries[0].Reason, Steps: []string{"its reason: " + entries[0].Reason}}, true, nil
	})
}

func TestWhyRefusesWhatIsNoDocument(t *testing.T) {
	f := forecaster(t, policy.Route{Path: "route", Channel: "#a", Interval: time.Minute}, true, source(nil, time.Now))
	r := parse(t, bruteForce)
	for document, want := range map[string]string{
		``:                 "there is no document",
		`[1]`:              "not a JSON object",
		`{"a":1}` + "\n{}": "more than one document",
		`{"a":`:            "not JSON",
	} {
		_, err := f.Why(t.Context(), forecast.Question{Rule: r, Document: []byte(document)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
	a, err := f.Why(t.Context(), forecast.Question{Rule: r, Document: json.RawMessage(`{"_index":"i","_id":"7","_source":{"@timestamp":"2000-01-01T00:00:00Z"}}`)})
	if err != nil || a.ID != "7" || a.Index != "i" || string(a.Document) != `{"@timestamp":"2000-01-01T00:00:00Z"}` {
		t.Errorf("a hit is read as %+v, %v", a, err)
	}
}
