package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// channel is a Sender that keeps every message as it stands and when it was posted.
type channel struct {
	mu      sync.Mutex
	said    []*message
	beside  []message // what was added to messages, one for each post
	edits   int
	webhook bool
	down    bool
	refuse  string               // a channel that takes nothing
	first   map[string]time.Time // when a channel first named an alert
}

type message struct {
	notice.Notice
	at time.Time
}

func (c *channel) Post(_ context.Context, n notice.Notice) (notice.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return notice.Receipt{}, &notice.RetryError{Scope: notice.ScopeService, Code: "down"}
	}
	if n.Channel == c.refuse && c.refuse != "" {
		return notice.Receipt{}, &notice.RejectedError{Scope: notice.ScopeMessage, Code: "refused"}
	}
	c.said = append(c.said, &message{n, time.Now()})
	c.note(n)
	if c.webhook {
		return notice.Receipt{Channel: n.Channel, At: time.Now()}, nil
	}
	return notice.Receipt{Channel: n.Channel, TS: fmt.Sprint(len(c.said)), At: time.Now()}, nil
}

// Attach adds to a message what stands beside it.
func (c *channel) Attach(_ context.Context, n notice.Notice, _ notice.Receipt, first bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(n.Thread) > 0 {
		c.beside = append(c.beside, message{n, time.Now()})
	}
	if first && len(n.Items) == 1 && n.Items[0].Chart != nil {
		c.beside = append(c.beside, message{n, time.Now()})
	}
	return nil
}

func (c *channel) Edit(_ context.Context, n notice.Notice, r notice.Receipt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var i int
	if _, err := fmt.Sscan(r.TS, &i); err != nil || i < 1 || i > len(c.said) {
		return notice.ErrGone
	}
	c.edits++
	c.said[i-1].Notice = n
	c.note(n)
	return nil
}

func (c *channel) note(n notice.Notice) {
	if c.first == nil {
		c.first = map[string]time.Time{}
	}
	for _, it := range n.Items {
		if key := n.Channel + " " + string(it.Alert); c.first[key].IsZero() {
			c.first[key] = time.Now()
		}
	}
}

func (c *channel) Find(context.Context, string, time.Time, []notice.Key) (map[notice.Key]notice.Receipt, error) {
	return nil, notice.ErrNoHistory
}
func (c *channel) Edits(string) bool   { return !c.webhook }
func (c *channel) History(string) bool { return false }
func (c *channel) Clock() time.Time    { return time.Now() }

// all gives the messages as they stand.
func (c *channel) all() []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]message, 0, len(c.said))
	for _, m := range c.said {
		out = append(out, *m)
	}
	return out
}

// edited counts the edits.
func (c *channel) edited() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edits
}

// house is a pipeline on a database, without a source.
type house struct {
	t      testing.TB
	db     *store.DB
	intake *intake.Intake
	outbox *outbox.Outbox
	ledger *ledger.Ledger
}

func newHouse(t testing.TB, dir string, c *channel, root policy.Route, sources ...intake.Source) *house {
	t.Helper()
	return newHouseOf(t, dir, c, policy.Options{Root: root, Edits: c.Edits}, sources...)
}

// reporting adds to the options of the next houses; nil adds nothing.
var reporting func(*intake.Options)

// newHouseOf is newHouse with all of policy.
func newHouseOf(t testing.TB, dir string, c *channel, o policy.Options, sources ...intake.Source) *house {
	t.Helper()
	h := &house{t: t}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	h.db, err = store.Open(context.Background(), store.Options{Dir: dir, Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations)})
	must()
	log := slog.New(slog.DiscardHandler)
	rules, err := policy.New(o)
	must()
	h.outbox, err = outbox.New(outbox.Options{DB: h.db, Sender: c, Pace: 0, Log: log, Attach: c.Attach})
	must()
	options := intake.Options{DB: h.db, Policy: rules, Sources: sources, Wake: h.outbox.Wake, Edits: c.Edits, Log: log}
	if reporting != nil {
		reporting(&options)
	}
	h.intake, err = intake.New(options)
	must()
	h.ledger, err = ledger.New(ledger.Options{DB: h.db})
	must()
	return h
}

// run lets the house live for a while of simulated time; meanwhile may be nil.
func (h *house) run(during time.Duration, meanwhile func(ctx context.Context)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), during)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { h.intake.Run(ctx) })
	wg.Go(func() { h.outbox.Run(ctx) })
	if meanwhile != nil {
		meanwhile(ctx)
	}
	wg.Wait()
}

func (h *house) take(alerts ...alert.Alert) {
	h.t.Helper()
	if _, err := h.intake.Commit(context.Background(), alert.Batch{Source: "s", Alerts: alerts}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) fates() map[alert.Fate]int {
	h.t.Helper()
	c, err := h.ledger.Count(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		h.t.Fatal(err)
	}
	out := map[alert.Fate]int{}
	for f, n := range c.ByFate {
		if n > 0 {
			out[f] = n
		}
	}
	return out
}

func one(rule string, n int) alert.Alert {
	id := fmt.Sprint(rule, "/", n)
	at := time.Now().Add(-time.Second)
	return alert.Alert{
		ID: alert.NewID("s", id), Source: "s", SourceID: id, Time: at, Updated: at, Rule: alert.Rule{Name: rule},
		Severity: alert.SeverityHigh, Status: alert.StatusOpen, Document: json.RawMessage(`{"host":{"name":"h"}}`),
	}
}

func byRule() policy.Route {
	return policy.Route{
		Path: "route", Channel: "#a", GroupBy: []string{"rule.name"}, Wait: 10 * time.Second, Interval: 5 * time.Minute,
		Rate: policy.Rate{Count: 6, Per: time.Minute},
	}
}

func want(t *testing.T, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("got %s, want %s", g, w)
	}
}

func TestAGroupSpeaksOnceThenInIntervalsThenInItsLiveMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		h.run(16*time.Minute, func(context.Context) {
			h.take(one("r", 1), one("r", 2))
			time.Sleep(5 * time.Second)
			h.take(one("r", 3))
			want(t, h.fates(), map[alert.Fate]int{alert.Pending: 3})
			time.Sleep(10 * time.Second)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Grouped: 2})
			h.take(one("r", 4))
			time.Sleep(4 * time.Minute)
			want(t, len(c.all()), 1) // group_interval is not over
			time.Sleep(time.Minute)
			want(t, len(c.all()), 2) // a message of its own holds only what was not said yet
			want(t, c.all()[1].Count, 1)
			var storm []alert.Alert
			for i := range 500 {
				storm = append(storm, one("r", 100+i))
			}
			h.take(storm...)
			time.Sleep(5 * time.Minute)
			want(t, len(c.all()), 2) // a storm edits the live message
			want(t, c.all()[1].Count, 501)
			want(t, len(c.all()[1].Items), notice.NamedMost)
			want(t, c.edited(), 1)
		})
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 2, alert.Grouped: 502})
	})
}

func TestRepeatsAndCopiesChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		a := one("r", 1)
		h.run(20*time.Minute, func(context.Context) {
			for range 50 {
				h.take(a)
				again := a
				again.Index, again.Late = "another-index", true
				h.take(again)
				time.Sleep(20 * time.Second)
			}
		})
		want(t, len(c.all()), 1)
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1})
	})
}

func TestAFloodOfManyRulesIsHeldInOneDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		h.run(20*time.Minute, func(context.Context) {
			var flood []alert.Alert
			for i := range 100 {
				flood = append(flood, one(fmt.Sprint("rule", i), 1))
			}
			critical := one("worst", 1)
			critical.Severity = alert.SeverityCritical
			h.take(append(flood, critical)...)
			time.Sleep(20 * time.Second)
			want(t, len(c.all()), 6)
			if c.all()[0].Severity != alert.SeverityCritical {
				t.Error("the critical alert is not said first")
			}
			want(t, c.all()[5].Kind, notice.KindDigest)
			want(t, c.all()[5].Count, 96)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 5, alert.Grouped: 96})
			h.take(one("later", 1)) // within the same minute
			time.Sleep(time.Minute)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 5, alert.Grouped: 97})
			want(t, len(c.all()), 6)
		})
	})
}

func TestAWebhookGetsItsDigestWhenTheIntervalEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{webhook: true}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		h.run(20*time.Minute, func(context.Context) {
			for i := range 50 {
				h.take(one(fmt.Sprint("rule", i), 1))
			}
			time.Sleep(30 * time.Second)
			want(t, len(c.all()), 5)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 5, alert.Pending: 45})
			time.Sleep(2 * time.Minute)
			want(t, len(c.all()), 6)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 5, alert.Grouped: 45})
		})
		want(t, c.edited(), 0)
	})
}

func TestAfterAnOutageOfSlackTheQueueIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{down: true}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		h.run(35*time.Minute, func(context.Context) {
			for i := range 40 {
				h.take(one(fmt.Sprint("rule", i), 1))
				time.Sleep(30 * time.Second)
			}
			c.mu.Lock()
			c.down = false
			c.mu.Unlock()
			time.Sleep(14 * time.Minute)
		})
		rateHolds(t, c, 6, time.Minute)
		if n := h.fates()[alert.Pending]; n != 0 {
			t.Errorf("%d alerts are still pending", n)
		}
	})
}

func rateHolds(t *testing.T, c *channel, most int, per time.Duration) {
	t.Helper()
	at := map[string][]time.Time{}
	for _, m := range c.all() {
		at[m.Channel] = append(at[m.Channel], m.at)
	}
	c.mu.Lock()
	for _, m := range c.beside {
		at[m.Channel] = append(at[m.Channel], m.at)
	}
	c.mu.Unlock()
	for name, times := range at {
		slices.SortFunc(times, time.Time.Compare)
		for i := range times {
			if j := i + most; j < len(times) && times[j].Sub(times[i]) < per {
				t.Errorf("%s got %d messages within %s", name, most+1, times[j].Sub(times[i]))
			}
		}
	}
}

func TestClosedAndBuildingBlocksAndMaintenanceAreKeptAndNotSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		closed, block, quiet, withdrawn := one("r", 1), one("r", 2), one("r", 3), one("r", 4)
		closed.Status, block.BuildingBlock, quiet.Maintenance = alert.StatusClosed, true, []string{"w1"}
		h.run(10*time.Minute, func(context.Context) {
			h.take(closed, block, quiet, withdrawn)
			withdrawn.Status, withdrawn.Updated = alert.StatusClosed, withdrawn.Updated.Add(time.Second)
			h.take(withdrawn)
			time.Sleep(time.Minute)
			want(t, len(c.all()), 0)
			want(t, h.fates(), map[alert.Fate]int{alert.Excluded: 3, alert.Silenced: 1})
			closed.Status, closed.Updated = alert.StatusOpen, closed.Updated.Add(time.Minute) // opened again
			h.take(closed)
			time.Sleep(time.Minute)
			want(t, len(c.all()), 1)
		})
		want(t, h.fates(), map[alert.Fate]int{alert.Excluded: 2, alert.Silenced: 1, alert.Sent: 1})
	})
}

func TestAnOngoingConditionIsSaidAgainUntilSomeoneTakesItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		r := byRule()
		r.Repeat = 10 * time.Minute
		h := newHouse(t, t.TempDir(), c, r)
		defer h.db.Close()
		a := one("r", 1)
		a.Ongoing = true
		h.run(80*time.Minute, func(context.Context) {
			h.take(a, one("event", 1))
			time.Sleep(31 * time.Minute)
			want(t, len(c.all()), 2+3)
			want(t, c.all()[4].Repeat, true)
			a.Status, a.Updated = alert.StatusAcknowledged, a.Updated.Add(time.Minute)
			h.take(a)
			time.Sleep(40 * time.Minute)
			want(t, len(c.all()), 5)
		})
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 2})
	})
}

func TestRoutesChooseChannelAndGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		match, err := query.CompileFilter(`host.name: h and severity: critical`)
		if err != nil {
			t.Fatal(err)
		}
		root := byRule()
		child := byRule()
		child.Path, child.Channel, child.Match, child.Solo, child.GroupBy, child.Wait = "route.routes[0]", "#soc", match, true, nil, 0
		child.Rate = policy.Rate{}
		root.Routes = []policy.Route{child}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		h.run(time.Minute, func(context.Context) {
			for i := range 3 {
				a := one("r", i)
				a.Severity = alert.SeverityCritical
				h.take(a)
			}
			h.take(one("r", 7))
		})
		got := map[string]int{}
		for _, m := range c.all() {
			got[m.Channel]++
		}
		want(t, got, map[string]int{"#a": 1, "#soc": 3})
	})
}

// flaky is a source that hands over its alerts in pages, with errors between them, and repeats some.
type flaky struct {
	dice   *rand.Rand
	alerts []alert.Alert
}

func (f *flaky) Name() string        { return "s" }
func (f *flaky) Poll() time.Duration { return 5 * time.Second }
func (f *flaky) Fetch(_ context.Context, ask alert.Ask) (alert.Batch, error) {
	at := 0
	if ask.State != nil {
		if err := json.Unmarshal(ask.State, &at); err != nil {
			return alert.Batch{}, err
		}
	}
	if f.dice.IntN(4) == 0 {
		return alert.Batch{}, errors.New("cluster is red")
	}
	end := min(len(f.alerts), at+f.dice.IntN(20))
	from := max(0, at-f.dice.IntN(10))
	state, err := json.Marshal(end)
	return alert.Batch{Source: "s", Alerts: f.alerts[from:end], State: state, More: end < len(f.alerts) && end > at}, err
}

// The law of intake: whatever comes, in whatever order, over however many lives of the process, every
// alert has one fate, what is forwarded is said in exactly one message, and no channel gets more than
// its rate.
func TestEveryAlertHasOneFateAndIsSaidOnce(t *testing.T) {
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > 6 { // each is several lives of a process
			return
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		webhook := rapid.Bool().Draw(rt, "webhook")
		solo := rapid.Bool().Draw(rt, "solo")
		limit := rapid.SampledFrom([]policy.Rate{{}, {Count: 1, Per: time.Minute}, {Count: 6, Per: time.Minute}, {Count: 3, Per: 10 * time.Minute}}).Draw(rt, "limit")
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 2))
			c := &channel{webhook: webhook}
			root := byRule()
			root.Rate, root.Solo, root.Wait = limit, solo, time.Duration(dice.IntN(3))*5*time.Second
			dir := t.TempDir()
			src := &flaky{dice: dice}
			for range 4 {
				h := newHouse(t, dir, c, root, src)
				for range dice.IntN(60) {
					src.alerts = append(src.alerts, one(fmt.Sprint("rule", dice.IntN(12)), len(src.alerts)))
				}
				c.down = dice.IntN(3) == 0
				h.run(time.Duration(dice.IntN(300))*time.Second, nil)
				h.db.Close()
			}
			c.down = false
			h := newHouse(t, dir, c, root, src)
			defer h.db.Close()
			h.run(time.Hour, nil)
			fates := h.fates()
			if fates[alert.Sent]+fates[alert.Grouped] != len(src.alerts) {
				rt.Errorf("fates %v of %d alerts", fates, len(src.alerts))
			}
			counted := 0
			keys := map[notice.Key]int{}
			named := map[alert.ID]int{}
			for _, m := range c.all() {
				counted += m.Count
				keys[m.Key]++
				for _, item := range m.Items {
					named[item.Alert]++
				}
			}
			if counted != len(src.alerts) {
				rt.Errorf("messages count %d alerts of %d", counted, len(src.alerts))
			}
			for key, n := range keys {
				if n != 1 {
					rt.Errorf("notice %s was said %d times", key, n)
				}
			}
			for id, n := range named {
				if n != 1 {
					rt.Errorf("alert %s is named in %d messages", id, n)
				}
			}
			if limit.Count > 0 {
				rateHolds(t, c, limit.Count, limit.Per)
			}
		})
	})
}

func TestAnAlertThatCannotBeReadIsAnErrorAndNothingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		root.GroupBy = []string{"host.name"} // needs the document
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		broken := one("r", 2)
		broken.Document = json.RawMessage(`[1]`)
		_, err := h.intake.Commit(t.Context(), alert.Batch{Source: "s", Alerts: []alert.Alert{one("r", 1), broken}, State: json.RawMessage(`1`)})
		if err == nil || !strings.Contains(err.Error(), string(broken.ID)) {
			t.Errorf("Commit = %v, want an error that names the alert", err)
		}
		want(t, h.fates(), map[alert.Fate]int{})
		if state, err := h.ledger.SourceState(t.Context(), "s"); err != nil || state != nil {
			t.Errorf("state %s, %v: it moved past an alert that was not recorded", state, err)
		}
	})
}
