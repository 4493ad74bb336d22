package detect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/detect"
	"tocsin/internal/ledger"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
	"tocsin/internal/rule"
)

// memory is a backend of documents at hand that is safe for concurrent use.
type memory []byte

func (m memory) backend() *files.Backend {
	return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(m)}}
}

func (m memory) Plan(ctx context.Context, r plan.Read) (plan.Pushed, error) {
	return m.backend().Plan(ctx, r)
}

func (m memory) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	return m.backend().Rows(ctx, r, p, schema, emit)
}

// together are ids of rules that have their turns in the same moment.
func together(n int, every time.Duration) (ids []string) {
	for i := 0; len(ids) < n; i++ {
		if id := fmt.Sprint("r", i); detect.Jitter(id, every) == detect.Jitter("r0", every) {
			ids = append(ids, id)
		}
	}
	return ids
}

// share gives each run the same documents, and is told that each has ended.
func (s *stream) share(_ context.Context, b query.Backend, n int) (runs []query.Backend, leave func(i int) (slow bool)) {
	all, err := s.documents(b)
	left := make([]bool, n)
	var mu sync.Mutex
	for range n {
		if err != nil {
			runs = append(runs, broken{err})
			continue
		}
		runs = append(runs, all)
	}
	return runs, func(i int) bool {
		mu.Lock()
		defer mu.Unlock()
		if left[i] {
			panic("a run has ended twice")
		}
		left[i] = true
		return false
	}
}

// documents are those of a backend.
func (s *stream) documents(b query.Backend) (memory, error) {
	q, err := query.Compile("*", query.Options{})
	if err != nil {
		return nil, err
	}
	out, err := q.Run(context.Background(), query.RunOptions{Backend: b, Documents: true})
	if err != nil {
		return nil, err
	}
	var all memory
	for i := range out.Rows {
		all = append(append(all, out.Rows[i].Doc.JSON...), '\n')
	}
	return all, nil
}

// hold gives what was taken in lately, as a source with a field for that does; more than 20 are too many.
func (s *stream) hold(_ context.Context, _ query.Backend, l detect.Lately) (held query.Backend, n int, newest int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all memory
	for _, e := range s.events {
		if e.In.After(time.Now()) || e.In.Before(l.Since) {
			continue
		}
		newest = max(newest, e.In.UnixMicro())
		if e.At.Before(l.Before) {
			n++
			all = append(append(all, e.json()...), '\n')
		}
	}
	if n > 20 {
		return nil, 0, 0, nil
	}
	return all, n, newest, nil
}

// broken is a backend that cannot be read.
type broken struct{ err error }

func (b broken) Plan(context.Context, plan.Read) (plan.Pushed, error) { return plan.Pushed{}, b.err }

func (b broken) Rows(context.Context, plan.Read, plan.Pushed, *row.Schema, func(*row.Row) error) (plan.Cost, error) {
	return plan.Cost{}, b.err
}

// TestRulesThatShareFindWhatEachFindsAlone is the law of detection for several rules that have their turns at once.
func TestRulesThatShareFindWhatEachFindsAlone(t *testing.T) {
	n, failing := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > lives && !failing {
			return
		}
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
		l := anyLife(rt, bubbleStart)
		got, want := map[string][]string{}, map[string][]string{}
		synctest.Test(t, func(t *testing.T) {
			var rules []rule.Entry
			ids := together(len(laws), 5*time.Minute)
			for i, law := range laws {
				if strings.Contains(law.search, "heart") {
					continue
				}
				e := parseRule(t, "name: r\nsource: logs\nevery: 5m\nwindow: 10m\nlookback: 1m\nmax_alerts: 100000\nsearch: "+fmt.Sprintf("%q", law.search)+"\n")
				e.ID, e.Rule.ID, e.Rule.Name = ids[i], ids[i], ids[i]
				rules = append(rules, e)
				want[law.name] = perfect(t, law.search, 10*time.Minute, l.events)
			}
			entries := map[string][]ledger.Entry{}
			for _, e := range l.rules(t, dir, bubbleStart, true, rules...) {
				entries[e.Alert.Rule.ID] = append(entries[e.Alert.Rule.ID], e)
			}
			for i, law := range laws {
				if want[law.name] != nil {
					got[law.name] = episodes(t, entries[ids[i]], "user.name")
				}
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			failing = true
			rt.Fatalf("episodes (- perfect run, + ours): %s", diff)
		}
	})
}

// hanging is a backend of which reads never end for some searches.
type hanging struct {
	memory
	slow string
}

func (h hanging) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	if text := fmt.Sprint(r.Fields); strings.Contains(text, h.slow) {
		<-ctx.Done()
		return plan.Cost{}, ctx.Err()
	}
	return h.memory.Rows(ctx, r, p, schema, emit)
}

// ruleOn adds a rule of a source, every minute, under an id.
func ruleOn(t *testing.T, p *process, id, source, search string) {
	t.Helper()
	e := parseRule(t, fmt.Sprintf("name: r\nsource: %s\nevery: 1m\nwindow: 5m\nlookback: 1m\nsearch: %q\n", source, search))
	e.ID, e.Rule.ID, e.Rule.Name = id, id, id
	p.rules = append(p.rules, e)
}

// alertsOf counts the alerts of each rule, and how long after its event each was made at most.
func alertsOf(entries []ledger.Entry) (counts map[string]int, latest map[string]time.Duration) {
	counts, latest = map[string]int{}, map[string]time.Duration{}
	for _, e := range entries {
		id := e.Alert.Rule.ID
		counts[id]++
		latest[id] = max(latest[id], e.SeenAt.Sub(e.Alert.Event))
	}
	return counts, latest
}

func TestASlowRuleHoldsUpNoOther(t *testing.T) {
	for _, shares := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			events := several(8, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) })
			p := newProcess(t, t.TempDir(), events)
			logs := detect.Source{Name: "some", Precision: time.Nanosecond, Open: func(ctx context.Context, indices []string) (query.Backend, error) {
				b, err := p.source.open(ctx, indices)
				if err != nil {
					return nil, err
				}
				all, err := p.source.documents(b)
				return hanging{all, "hangs"}, err
			}}
			most := 0
			if shares {
				logs.Share = func(_ context.Context, b query.Backend, n int) ([]query.Backend, func(int) bool) {
					most = max(most, n)
					return slices.Repeat([]query.Backend{b}, n), func(int) bool { return false }
				}
			}
			p.others = []detect.Source{logs}
			// Three times as many as there are workers never answer.
			ids := together(20, time.Minute)
			slow, quick := ids[:12], ids[12:]
			for _, id := range slow {
				ruleOn(t, p, id, "some", "event.action:ssh_login and hangs:no")
			}
			for _, id := range quick {
				ruleOn(t, p, id, "some", "event.action:ssh_login")
			}
			counts, latest := alertsOf(p.live(10 * time.Minute))
			for _, id := range quick {
				if counts[id] != len(events) || latest[id] > 90*time.Second {
					t.Errorf("shares %v: rule %s made %d alerts, the latest %s after its event", shares, id, counts[id], latest[id])
				}
			}
			if text := p.reports()["rule runs"]; !strings.Contains(text, "12 of 20 rules") || !strings.Contains(text, "it was not done after 2m0s") {
				t.Errorf("shares %v: told: %q", shares, text)
			}
			if shares && most < 20 {
				t.Errorf("at most %d runs were together", most)
			}
		})
	}
}

func TestASourceThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := several(8, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) })
		p := newProcess(t, t.TempDir(), events)
		p.others = []detect.Source{{Name: "hung", Open: func(ctx context.Context, _ []string) (query.Backend, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}
		for i := range 12 {
			ruleOn(t, p, fmt.Sprint("hung", i), "hung", "event.action:ssh_login")
			ruleOn(t, p, fmt.Sprint("well", i), "logs", "event.action:ssh_login")
		}
		counts, latest := alertsOf(p.live(12 * time.Minute))
		for i := range 12 {
			id := fmt.Sprint("well", i)
			if counts[id] != len(events) || latest[id] > 90*time.Second {
				t.Errorf("rule %s made %d alerts, the latest %s after its event", id, counts[id], latest[id])
			}
		}
		if text := p.reports()["rule runs"]; !strings.Contains(text, "12 of 24 rules") {
			t.Errorf("told: %q", text)
		}
	})
}

func TestARuleThatFailsInABatchFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := several(8, func(i int) event { return after(time.Duration(i+1)*time.Minute, "u", i) })
		p := newProcess(t, t.TempDir(), events)
		most := 0
		logs := detect.Source{Name: "some", Precision: time.Nanosecond, Open: p.source.open, Hold: p.source.hold}
		logs.Share = func(ctx context.Context, b query.Backend, n int) ([]query.Backend, func(int) bool) {
			most = max(most, n)
			runs, leave := p.source.share(ctx, b, n)
			for i := range runs {
				runs[i] = failing{runs[i], "fails"}
			}
			return runs, leave
		}
		p.others = []detect.Source{logs}
		ids := together(6, time.Minute)
		ruleOn(t, p, ids[0], "some", "event.action:ssh_login and fails:no")
		for _, id := range ids[1:] {
			ruleOn(t, p, id, "some", "event.action:ssh_login")
		}
		counts, _ := alertsOf(p.live(10 * time.Minute))
		for _, id := range ids[1:] {
			if counts[id] != len(events) {
				t.Errorf("rule %s made %d alerts", id, counts[id])
			}
		}
		if text := p.reports()["rule runs"]; !strings.Contains(text, "1 of 6 rules") || !strings.Contains(text, "2 shards failed") || most < 6 {
			t.Errorf("told: %q; at most %d runs were together", text, most)
		}
	})
}

// failing is a backend of which reads of a field fail.
type failing struct {
	query.Backend
	field string
}

func (f failing) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	if strings.Contains(fmt.Sprint(r.Fields), f.field) {
		return plan.Cost{}, errors.New("2 shards failed")
	}
	return f.Backend.Rows(ctx, r, p, schema, emit)
}
