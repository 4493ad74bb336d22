package detect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/query"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
	"tocsin/internal/rule"
)

// health are the alerts about rules and sources: what, and whether it is over.
func health(entries []ledger.Entry) []string {
	out := []string{}
	for _, e := range entries {
		a := &e.Alert
		if a.Rule.Type != "health" {
			continue
		}
		if over := a.Status == alert.StatusClosed; over != strings.HasPrefix(a.Reason, "Resolved after ") || over == a.Ended.IsZero() {
			panic(fmt.Sprintf("%+v", a))
		}
		out = append(out, fmt.Sprint(strings.TrimPrefix(a.Rule.Name, "Tocsin: "), " ", a.Status))
	}
	slices.Sort(out)
	return out
}

const plainRule = "name: r\nevery: 1m\nsearch: 'event.action: ssh_login and user.name: ann'"

// TestWhatAilsIsOneAlertUntilItIsOver lets something go wrong, last over a restart, and end.
func TestWhatAilsIsOneAlertUntilItIsOver(t *testing.T) {
	alive := several(600, func(i int) event { return after(time.Duration(i+1)*time.Minute, "heart", i) })
	names := []string{"@timestamp", "event.action", "event.outcome", "user.name", "n"}
	for _, c := range []struct {
		name    string
		goWrong func(p *process)
		mend    func(p *process)
		what    string
		told    string
	}{
		{
			"silent", func(p *process) { p.source.events = alive[:30] }, func(p *process) { p.source.events = alive },
			"source silent", "has brought no event since 2000-01-01T00:30:00Z",
		},
		{
			"down", func(p *process) { p.source.down = true }, func(p *process) { p.source.down = false },
			"no rule runs", "No rule has run on source logs since 2000-01-01T00:29",
		},
		{
			"no such source", func(p *process) { p.rules = []rule.Entry{parseRule(p.t, plainRule+"\nsource: nowhere")} },
			func(p *process) { p.rules = []rule.Entry{parseRule(p.t, plainRule)} },
			"has not run", "there is no source",
		},
		{
			"a field", func(p *process) {
				p.source.names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "user.name" })
			},
			func(p *process) { p.source.names = names }, "fields vanished", "user.name, which it looks at, is no longer in source logs",
		},
		{
			"an index", func(p *process) { p.source.names, p.source.indices = names[:1], 0 },
			func(p *process) { p.source.names, p.source.indices = names, 1 }, "index gone", "Rule r finds nothing",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var well, wrong, still, over, again []ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, alive, plainRule)
				p.source.names, p.source.indices = names, 1
				well = p.live(30 * time.Minute)
				p.source.set(func() { c.goWrong(p) })
				wrong = p.live(80 * time.Minute)
				still = p.live(70 * time.Minute)
				p.source.set(func() { c.mend(p) })
				over = p.live(40 * time.Minute)
				again = p.live(40 * time.Minute)
			})
			for _, at := range []struct {
				name    string
				entries []ledger.Entry
				want    []string
			}{
				{"before", well, []string{}},
				{"while it lasts", wrong, []string{c.what + " open"}},
				{"after a restart", still, []string{c.what + " open"}},
				{"when it is over", over, []string{c.what + " closed"}},
				{"later", again, []string{c.what + " closed"}},
			} {
				if diff := cmp.Diff(at.want, health(at.entries)); diff != "" {
					t.Errorf("%s: %s", at.name, diff)
				}
			}
			if i := slices.IndexFunc(over, func(e ledger.Entry) bool { return e.Alert.Rule.Type == "health" }); i >= 0 && !strings.Contains(over[i].Alert.Reason, c.told) {
				t.Errorf("it says: %s", over[i].Alert.Reason)
			}
		})
	}
}

func TestAFieldThatNeverWasDoesNotVanish(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	var warnings []string
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, several(60, func(i int) event { return after(time.Duration(i+1)*time.Minute, "heart", i) }), plainRule)
		p.source.names, p.source.indices = []string{"event.action"}, 1
		entries = p.live(time.Hour)
		standing, err := p.running.Standing(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		warnings = standing.Warnings
	})
	if got := health(entries); len(got) > 0 {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"no document in source logs has the field user.name: what asks for it finds nothing"}, warnings); diff != "" {
		t.Errorf("its warnings: %s", diff)
	}
}

func TestOnlyTheRuleWhoseFieldVanishedSaysSo(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, several(100, func(i int) event { return after(time.Duration(i+1)*time.Minute, "heart", i) }), "name: one\nevery: 1m\nsearch: 'event.action: x'", "name: two\nevery: 1m\nsearch: 'user.name: x'")
		p.source.names, p.source.indices = []string{"event.action", "user.name"}, 1
		p.live(30 * time.Minute)
		p.source.names = []string{"event.action"}
		entries = p.live(30 * time.Minute)
	})
	if got := health(entries); len(got) != 1 || !strings.HasPrefix(entries[0].Alert.Reason, "Rule two may find nothing: user.name,") {
		t.Errorf("%v: %+v", got, entries)
	}
}

// TestAFieldThatNoEventHasAnyMoreHasVanished: mappings keep a field for ever, whatever shippers send.
func TestAFieldThatNoEventHasAnyMoreHasVanished(t *testing.T) {
	hourly := func(from, to int, less bool) (out []event) {
		for h := from; h < to; h++ {
			for _, into := range []time.Duration{time.Minute, 31 * time.Minute} {
				e := after(time.Duration(h)*time.Hour+into, "heart", h)
				e.Less = less
				out = append(out, e)
			}
		}
		return out
	}
	before := slices.Concat(hourly(-7*24, -5*24, false), hourly(-2, 20, false))
	for name, c := range map[string]struct {
		events []event
		want   []string
	}{
		"it is gone":                       {slices.Concat(before, hourly(20, 60, true)), []string{"fields vanished open"}},
		"it comes again":                   {slices.Concat(before, hourly(20, 50, true), hourly(50, 60, false)), []string{"fields vanished closed"}},
		"it was rare":                      {slices.Concat(hourly(-6*24, -6*24+4, false), hourly(-2, 60, true)), []string{}},
		"no event comes, which is told of": {before, []string{"source silent open"}},
	} {
		t.Run(name, func(t *testing.T) {
			var entries []ledger.Entry
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, c.events, "name: r\nevery: 6h\nsearch: 'event.action: ssh_login and user.name: ann'")
				p.source.names, p.source.indices = []string{"@timestamp", "event.action", "user.name"}, 1
				entries = p.live(55 * time.Hour)
			})
			if diff := cmp.Diff(c.want, health(entries)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// forgetful is a source that fails where it is asked for what is older than an hour and a half.
type forgetful struct{ query.Backend }

func (f forgetful) Rows(ctx context.Context, r plan.Read, p plan.Pushed, s *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	if r.TimeField == "@timestamp" && !r.Earliest.IsZero() && time.Since(r.Earliest) > 90*time.Minute {
		return plan.Cost{}, errors.New("the disk of old data is broken")
	}
	return f.Backend.Rows(ctx, r, p, s, emit)
}

func TestARuleThatCannotCatchUpSaysSo(t *testing.T) {
	dir := t.TempDir()
	var broken, mended []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, several(700, func(i int) event { return after(time.Duration(i+1)*time.Minute, "ann", i) }), plainRule)
		p.live(10 * time.Minute)
		time.Sleep(4 * time.Hour)
		events := p.source.events
		p.source.instead = func(ctx context.Context, indices []string) (query.Backend, error) {
			b, err := (&stream{events: events}).open(ctx, indices)
			return forgetful{b}, err
		}
		broken = p.live(time.Hour)
		p.source.instead = nil
		mended = p.live(time.Hour)
	})
	if diff := cmp.Diff([]string{"cannot catch up open"}, health(broken)); diff != "" {
		t.Errorf("while it cannot: %s", diff)
	}
	if diff := cmp.Diff([]string{"cannot catch up closed"}, health(mended)); diff != "" {
		t.Errorf("when it has: %s", diff)
	}
}

func TestARuleThatIsOffAilsNoMore(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, nil, plainRule)
		p.source.down = true
		if got := health(p.live(time.Hour)); len(got) != 1 {
			t.Error(got)
		}
		p.rules = nil
		entries = p.live(10 * time.Minute)
	})
	if diff := cmp.Diff([]string{"has not run closed"}, health(entries)); diff != "" {
		t.Error(diff)
	}
}
