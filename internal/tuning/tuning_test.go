package tuning_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

var start = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

type filter = query.Filter

type desk struct {
	*tuning.Book
	t       *testing.T
	db      *store.DB
	now     time.Time
	changes int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: tuning.Migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{t: t, db: db, now: start}
	d.Book, err = tuning.New(tuning.Options{DB: db, Changed: func() { d.changes++ }, Now: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) live() (ids []string, changes int64) {
	d.t.Helper()
	err := d.db.View(context.Background(), func(tx *store.Tx) error {
		all, err := tuning.Live(tx, d.now)
		if err != nil {
			return err
		}
		for _, t := range all {
			ids = append(ids, t.ID)
		}
		changes, err = tuning.Changes(tx)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return ids, changes
}

func silence(match string) tuning.Draft {
	return tuning.Draft{Kind: policy.Silence, Match: match, Until: start.Add(2 * time.Hour), Who: "ann", Why: "patching"}
}

func TestASilenceIsMadeChangedAndExpired(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	draft := silence("host.name: web*")
	draft.From = start.Add(time.Hour)
	e, err := d.Add(ctx, draft)
	if err != nil || e.State != tuning.Pending || e.Version != 1 || e.ID[:2] != "s-" {
		t.Fatalf("%+v, %v", e, err)
	}
	if ids, _ := d.live(); !cmp.Equal(ids, []string{e.ID}) {
		t.Errorf("live %v", ids)
	}
	longer := silence("host.name: (web* or db*)")
	longer.Until = start.Add(5 * time.Hour)
	changed, err := d.Change(ctx, e.ID, 1, longer)
	if err != nil || changed.Version != 2 || !changed.From.Equal(draft.From) || changed.Match != longer.Match {
		t.Fatalf("%+v, %v", changed, err)
	}
	var conflict *tuning.ConflictError
	if _, err := d.Change(ctx, e.ID, 1, longer); !errors.As(err, &conflict) {
		t.Errorf("a change of an old version: %v", err)
	}
	d.now = start.Add(90 * time.Minute)
	over, err := d.Expire(ctx, policy.Silence, e.ID[:6], "bob", "done early")
	if err != nil || over.State != tuning.Expired || !over.Until.Equal(d.now) {
		t.Fatalf("%+v, %v", over, err)
	}
	if _, err := d.Expire(ctx, policy.Silence, e.ID, "bob", ""); !errors.As(err, &conflict) {
		t.Errorf("what is over is expired again: %v", err)
	}
	ids, changes := d.live()
	if len(ids) != 0 || changes != 3 || d.changes != 3 {
		t.Errorf("live %v after %d changes, told of %d", ids, changes, d.changes)
	}
	_, history, err := d.Get(ctx, policy.Silence, e.ID)
	var got []string
	for _, v := range history {
		got = append(got, fmt.Sprintln(v.Version, v.Action, v.Who, v.Note, v.Entry.Match))
	}
	want := []string{"3 expired bob done early host.name: (web* or db*)\n", "2 changed ann patching host.name: (web* or db*)\n", "1 made ann patching host.name: web*\n"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	var missing *tuning.NotFoundError
	if _, _, err := d.Get(ctx, policy.Exception, e.ID); !errors.As(err, &missing) {
		t.Errorf("it is found as something else: %v", err)
	}
}

func TestListsStandInOrderAndByState(t *testing.T) {
	d := newDesk(t)
	var ids []string
	for i := range 3 {
		d.now = start.Add(time.Duration(i) * time.Minute)
		e, err := d.Add(t.Context(), silence(fmt.Sprint("a: ", i)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if _, err := d.Expire(t.Context(), policy.Silence, ids[1], "ann", ""); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[tuning.State][]string{tuning.Active: {ids[2], ids[0]}, tuning.Expired: {ids[1]}, "": {ids[2], ids[1], ids[0]}, tuning.Pending: nil} {
		all, err := d.List(t.Context(), policy.Silence, state)
		var got []string
		for _, e := range all {
			got = append(got, e.ID)
		}
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", state, got, want, err)
		}
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	d := newDesk(t)
	for _, tc := range []struct {
		alter  func(*tuning.Draft)
		field  string
		column int
	}{
		{func(d *tuning.Draft) { d.Match = "host.name: (a or" }, "match", 17},
		{func(d *tuning.Draft) { d.Match = " " }, "match", 0},
		{func(d *tuning.Draft) { d.Who = " " }, "who", 0},
		{func(d *tuning.Draft) { d.Why = "" }, "why", 0},
		{func(d *tuning.Draft) { d.Until = time.Time{} }, "until", 0},
		{func(d *tuning.Draft) { d.Forever = true }, "until", 0},
		{func(d *tuning.Draft) { d.Until = start.Add(-time.Hour) }, "until", 0},
		{func(d *tuning.Draft) { d.From = start.Add(3 * time.Hour) }, "until", 0},
		{func(d *tuning.Draft) { d.Kind, d.Match = policy.Exception, "*" }, "match", 0},
	} {
		draft := silence("a: b")
		tc.alter(&draft)
		_, err := d.Add(t.Context(), draft)
		var wrong *tuning.InputError
		if !errors.As(err, &wrong) || wrong.Field != tc.field || wrong.Column != tc.column {
			t.Errorf("%+v: %v", draft, err)
		}
	}
	if d.changes != 0 {
		t.Error("something was made")
	}
}

func TestASwitchIsMadeOfItsParts(t *testing.T) {
	d := newDesk(t)
	e, err := d.Add(t.Context(), tuning.Draft{Kind: policy.Forwarding, Rule: `say "hi"\now`, Tag: "test", Match: "a: b or c: d", Who: "ann", Why: "noisy"})
	if err != nil || e.Match != `rule.name: "say \"hi\"\\now" and tags: "test" and (a: b or c: d)` || *e.Forward {
		t.Fatalf("%+v, %v", e, err)
	}
	root := policy.Route{Path: "route", Channel: "#a", Interval: time.Minute}
	p, err := policy.New(policy.Options{Root: root, Forward: map[string]*filter{"k": nil}})
	if err != nil {
		t.Fatal(err)
	}
	err = d.db.View(t.Context(), func(tx *store.Tx) error {
		live, err := tuning.Live(tx, d.now)
		if err != nil {
			return err
		}
		for doc, want := range map[string]policy.Kept{`{"c":"d"}`: policy.Excluded, `{"c":"e"}`: policy.Said} {
			a := &alert.Alert{Source: "k", Rule: alert.Rule{Name: `say "hi"\now`}, Tags: []string{"test"}, Document: json.RawMessage(doc)}
			v, err := p.With(policy.NewSet(live)).Judge(start, a)
			if err != nil || v.Kept != want {
				t.Errorf("%s: %q, %v", doc, v.Kept, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPreviewCountsWhatWouldHaveBeenHidden(t *testing.T) {
	p, err := tuning.NewPreviewer(silence("host.name: web* and severity: (low or high)"), start.Add(-time.Hour), start)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 52 {
		a := &alert.Alert{ID: alert.ID(fmt.Sprint(i)), Rule: alert.Rule{Name: fmt.Sprint("r", i%2)}, Severity: alert.SeverityHigh, Document: json.RawMessage(`{"host.name":"web-1"}`)}
		if i >= 41 {
			a.Document = json.RawMessage(`{"host.name":"db"}`)
		}
		fate := alert.Sent
		if i%10 == 0 {
			fate = alert.Silenced
		}
		if err := p.Take(a, fate); err != nil {
			t.Fatal(err)
		}
	}
	got := p.Done()
	if got.Matched != 41 || got.Seen != 52 || got.Said != 36 || got.Held != 5 || got.Worst != "high" || len(got.Newest) != 5 || got.Newest[0].ID != "40" ||
		!cmp.Equal(got.Rules, []tuning.PreviewRule{{Rule: "r0", Matched: 21, Seen: 26}, {Rule: "r1", Matched: 20, Seen: 26}}) {
		t.Errorf("%+v", got)
	}
}

func TestAcknowledgementsAreKeptInOrder(t *testing.T) {
	d := newDesk(t)
	all := []tuning.Acknowledgement{
		{Alert: "a", Action: tuning.Acknowledge, At: start, Who: "ann"},
		{Alert: "a", Action: tuning.Close, At: start.Add(time.Minute), Who: "bob", Why: "the scanner", Verdict: tuning.FalsePositive},
	}
	err := d.db.Update(t.Context(), func(tx *store.Tx) error {
		for _, a := range all {
			if err := tuning.Record(tx, a); err != nil {
				return err
			}
		}
		got, err := tuning.Recorded(tx, "a")
		if diff := cmp.Diff(all, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
