package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

// desk is where people set things in a house.
func (h *house) desk() *tuning.Book {
	h.t.Helper()
	b, err := tuning.New(tuning.Options{DB: h.db, Changed: h.intake.Nudge})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) set(d tuning.Draft) tuning.Entry {
	h.t.Helper()
	d.Who, d.Why = "ann", "patching"
	e, err := h.desk().Add(context.Background(), d)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

func (h *house) handle(a alert.Alert, action tuning.Action) {
	h.t.Helper()
	if err := h.intake.Handle(context.Background(), tuning.Acknowledgement{Alert: a.ID, Action: action, Who: "ann"}); err != nil {
		h.t.Fatal(err)
	}
}

func on(a alert.Alert, host string) alert.Alert {
	a.Document = json.RawMessage(`{"host":{"name":"` + host + `"}}`)
	a.Host = host
	return a
}

func TestASilenceHidesWhatMatchesAndSaysWhich(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		waiting := on(one("r", 1), "web-1")
		var s tuning.Entry
		h.run(2*time.Hour, func(context.Context) {
			h.take(waiting) // in its group when the silence comes
			s = h.set(tuning.Draft{Kind: policy.Silence, Match: "host.name: web*", Until: time.Now().Add(time.Hour)})
			h.take(on(one("r", 2), "web-2"), on(one("r", 3), "db"))
			time.Sleep(30 * time.Minute)
			want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2, alert.Sent: 1})
			time.Sleep(time.Hour) // what was silenced and is over stays so
			want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2, alert.Sent: 1})
			h.take(on(one("r", 4), "web-1"))
		})
		want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2, alert.Sent: 2})
		e := h.entry(waiting.ID)
		if e.Cause.Code != alert.CauseSilence || e.Cause.Params["id"] != s.ID || e.Cause.Params["by"] != "ann" || !strings.Contains(e.Reason, "patching") {
			t.Errorf("%s, %+v", e.Reason, e.Cause)
		}
	})
}

// What still goes on when its silence ends is said, whether the silence runs out or somebody ends it, also where
// that happens while nothing runs.
func TestWhatGoesOnIsSaidWhenItsSilenceEnds(t *testing.T) {
	for _, how := range []string{"runs out", "expired", "away", "over before"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &channel{}
				dir := t.TempDir()
				h := newHouse(t, dir, c, byRule())
				a := on(one("down", 1), "web-1")
				a.Ongoing = true
				s := h.set(tuning.Draft{Kind: policy.Silence, Match: "*", Until: time.Now().Add(time.Hour)})
				h.run(30*time.Minute, func(context.Context) {
					h.take(a, one("r", 1))
					time.Sleep(5 * time.Minute)
					switch how {
					case "expired":
						if _, err := h.desk().Expire(context.Background(), policy.Silence, s.ID, "ann", ""); err != nil {
							t.Fatal(err)
						}
					case "over before":
						a.Ongoing, a.Ended, a.Updated = false, time.Now(), time.Now()
						h.take(a)
					}
				})
				if how == "away" {
					h.db.Close()
					time.Sleep(time.Hour)
					h = newHouse(t, dir, c, byRule())
				}
				defer h.db.Close()
				if how != "expired" {
					want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2})
				}
				h.run(time.Hour, nil)
				if how == "over before" {
					want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2})
					return
				}
				want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Silenced: 1})
				want(t, len(c.all()), 1)
			})
		})
	}
}

func TestAHostThatIsDownHidesItsServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		rule := policy.Inhibition{Name: "host down", Source: filter(t, "rule.name: down"), Target: filter(t, "rule.name: service*"), Equal: []string{"host.name"}, For: 10 * time.Minute}
		h := newHouseOf(t, t.TempDir(), c, policy.Options{Root: byRule(), Inhibit: []policy.Inhibition{rule}, Edits: c.Edits})
		defer h.db.Close()
		early, batch, other, ongoing := on(one("service", 1), "web-1"), on(one("service", 2), "web-1"), on(one("service", 3), "web-2"), on(one("service of long", 4), "web-1")
		down := on(one("down", 1), "web-1")
		ongoing.Ongoing = true
		h.run(time.Hour, func(context.Context) {
			h.take(early)
			time.Sleep(5 * time.Second)
			h.take(batch, ongoing, down, other) // what hides the others stands behind them
			time.Sleep(9 * time.Minute)
			want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 3, alert.Sent: 2})
			time.Sleep(5 * time.Minute) // over: what still goes on is said
			want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2, alert.Sent: 3})
			h.take(on(one("service", 5), "web-1"))
		})
		want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 2, alert.Sent: 4})
		if e := h.entry(early.ID); e.Cause.Code != alert.CauseInhibited || e.Cause.Params["alert"] != string(down.ID) || e.Cause.Params["rule"] != "host down" {
			t.Errorf("%s, %+v", e.Reason, e.Cause)
		}
	})
}

// While the condition of the alert that hides others is open it hides them, however long; closing it ends that.
func TestAnOpenConditionHidesAsLongAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		rule := policy.Inhibition{Name: "host down", Source: filter(t, "rule.name: down"), Target: filter(t, "rule.name: service"), Equal: []string{"host.name"}, For: time.Minute}
		h := newHouseOf(t, t.TempDir(), c, policy.Options{Root: byRule(), Inhibit: []policy.Inhibition{rule}, Edits: c.Edits})
		defer h.db.Close()
		down, service := on(one("down", 1), "web-1"), on(one("service", 1), "web-1")
		down.Ongoing, service.Ongoing = true, true
		h.run(4*time.Hour, func(context.Context) {
			h.take(down)
			time.Sleep(2 * time.Hour)
			h.take(service)
			time.Sleep(time.Minute)
			want(t, h.fates(), map[alert.Fate]int{alert.Silenced: 1, alert.Sent: 1})
			h.handle(down, tuning.Close)
			time.Sleep(time.Minute)
			want(t, h.fates(), map[alert.Fate]int{alert.Sent: 2})
		})
	})
}

func escalating(t testing.TB) policy.Route {
	r := byRule()
	r.Escalation = []policy.Escalation{{After: 30 * time.Minute, Mentions: []string{"S0123ABCD"}}, {After: time.Hour, Channel: "#managers", Mentions: []string{"@here"}}}
	return r
}

func TestNobodyTookItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		dir := t.TempDir()
		h := newHouse(t, dir, c, escalating(t))
		h.run(29*time.Minute, func(context.Context) { h.take(one("r", 1), one("r", 2)) })
		want(t, len(c.all()), 1)
		h.db.Close()
		h = newHouse(t, dir, c, escalating(t)) // a restart changes nothing
		defer h.db.Close()
		h.run(5*time.Hour, nil)
		var got []string
		for _, m := range c.all() {
			line := m.Channel
			if m.Escalation != nil {
				line += fmt.Sprint(" step ", m.Escalation.Step, " ", m.Escalation.Mentions, " from ", m.Escalation.From, " after ", m.Escalation.After.Round(time.Minute), " of ", m.Count)
			}
			got = append(got, line)
		}
		want(t, strings.Join(got, "; "), "#a; #a step 1 [S0123ABCD] from  after 30m0s of 2; #managers step 2 [@here] from #a after 1h0m0s of 2")
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1, alert.Grouped: 1})
	})
}

func TestAnAnswerEndsAnEscalation(t *testing.T) {
	for _, how := range []string{"one is acknowledged", "all are closed", "closed in the source", "one of two is closed"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &channel{}
				h := newHouse(t, t.TempDir(), c, escalating(t))
				defer h.db.Close()
				a, b := one("r", 1), one("r", 2)
				h.run(5*time.Hour, func(context.Context) {
					h.take(a, b)
					time.Sleep(45 * time.Minute)
					want(t, len(c.all()), 2)
					switch how {
					case "one is acknowledged":
						h.handle(b, tuning.Acknowledge)
					case "all are closed":
						h.handle(a, tuning.Close)
						h.handle(b, tuning.Close)
					case "one of two is closed":
						h.handle(a, tuning.Close)
					default:
						a.Status, a.Updated, b.Status, b.Updated = alert.StatusClosed, time.Now(), alert.StatusClosed, time.Now()
						h.take(a, b)
					}
				})
				if n := map[bool]int{true: 3, false: 2}[how == "one of two is closed"]; len(c.all()) != n {
					t.Errorf("%d messages, want %d", len(c.all()), n)
				}
			})
		})
	}
}

// TestWhatAskedForSomebodySaysWhoCame: the messages that asked name who took it up, and mention nobody any more.
func TestWhatAskedForSomebodySaysWhoCame(t *testing.T) {
	for _, c := range []struct {
		how    string
		do     func(h *house, a alert.Alert)
		answer notice.Answer
		by     string
	}{
		{"acknowledged", func(h *house, a alert.Alert) { h.handle(a, tuning.Acknowledge) }, notice.AnswerAcknowledged, "ann"},
		{"closed", func(h *house, a alert.Alert) { h.handle(a, tuning.Close) }, notice.AnswerClosed, "ann"},
		{"closed in the source", func(h *house, a alert.Alert) {
			a.Status, a.Updated = alert.StatusClosed, time.Now()
			h.take(a)
		}, notice.AnswerClosed, ""},
		{"it ended", func(h *house, a alert.Alert) {
			a.Ongoing, a.Ended, a.Updated = false, time.Now(), time.Now()
			h.take(a)
		}, notice.AnswerOver, ""},
		{"acknowledged, reopened and acknowledged again", func(h *house, a alert.Alert) {
			h.handle(a, tuning.Acknowledge)
			time.Sleep(time.Minute)
			h.handle(a, tuning.Reopen)
			time.Sleep(time.Minute)
			h.handle(a, tuning.Acknowledge)
		}, notice.AnswerAcknowledged, "ann"},
		{"acknowledged and reopened", func(h *house, a alert.Alert) {
			h.handle(a, tuning.Acknowledge)
			time.Sleep(time.Minute)
			h.handle(a, tuning.Reopen)
		}, notice.Unanswered, ""},
	} {
		t.Run(c.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said := &channel{}
				h := newHouse(t, t.TempDir(), said, escalating(t))
				defer h.db.Close()
				a := one("r", 1)
				a.Ongoing = true
				var at time.Time
				h.run(5*time.Hour, func(context.Context) {
					h.take(a)
					time.Sleep(90 * time.Minute)
					at = time.Now()
					c.do(h, a)
				})
				all := said.all()
				if len(all) != 3 {
					t.Fatalf("%d messages", len(all))
				}
				for _, m := range all[1:] {
					e := m.Escalation
					if e == nil || e.Answer != c.answer || e.By != c.by || len(e.Mentions) != 0 || e.Step == 0 {
						t.Errorf("it says %+v", e)
					}
					if c.by != "" && (e.At.Before(at) || e.At.Sub(at) > 5*time.Minute) {
						t.Errorf("answered at %s, it was at %s", e.At, at)
					}
					if m.Items[0].By != c.by {
						t.Errorf("its alert says %+v", m.Items[0])
					}
				}
			})
		})
	}
}

// TestOfAGroupOneAnswerIsEnough: the others stay open, and are not asked about any more.
func TestOfAGroupOneAnswerIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, escalating(t))
		defer h.db.Close()
		a, b := one("r", 1), one("r", 2)
		h.run(45*time.Minute, func(context.Context) {
			h.take(a, b)
			time.Sleep(35 * time.Minute)
			h.handle(b, tuning.Acknowledge)
		})
		m := c.all()[1]
		if m.Escalation.Answer != notice.AnswerAcknowledged || m.Escalation.By != "ann" || m.Stands() != (notice.Standing{Open: 1, Acknowledged: 1}) {
			t.Errorf("it says %+v, %+v", m.Escalation, m.Stands())
		}
	})
}

func TestWhatWasAcknowledgedIsSaidInPlaceAndRepeatsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		root.Repeat = time.Hour
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		a := one("r", 1)
		a.Ongoing = true
		h.run(5*time.Hour, func(context.Context) {
			h.take(a)
			time.Sleep(90 * time.Minute)
			want(t, len(c.all()), 2)
			h.handle(a, tuning.Acknowledge)
			time.Sleep(time.Minute)
			if it := c.all()[0].Items[0]; it.Status != alert.StatusAcknowledged || it.By != "ann" || time.Since(it.ByAt) > 2*time.Minute {
				t.Errorf("the message says %q by %q", it.Status, it.By)
			}
			// a later version of the alert does not undo what people did
			a.Count, a.Updated = 7, time.Now()
			h.take(a)
			time.Sleep(time.Minute)
			if it := c.all()[0].Items[0]; it.Status != alert.StatusAcknowledged || it.Count != 7 {
				t.Errorf("the message says %q, count %d", it.Status, it.Count)
			}
			time.Sleep(150 * time.Minute)
			want(t, len(c.all()), 2)
			h.handle(a, tuning.Reopen)
			time.Sleep(time.Minute)
			if it := c.all()[0].Items[0]; it.Status != alert.StatusOpen || it.By != "" {
				t.Errorf("the message says %q by %q", it.Status, it.By)
			}
		})
	})
}

func TestWhatIsClosedBeforeItWasSaidIsNotSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		a := one("r", 1)
		h.run(time.Hour, func(context.Context) {
			h.take(a)
			h.handle(a, tuning.Close)
		})
		want(t, len(c.all()), 0)
		want(t, h.fates(), map[alert.Fate]int{alert.Excluded: 1})
		if e := h.entry(a.ID); e.Cause.Code != alert.CauseClosed || e.Cause.Params["by"] != "ann" {
			t.Errorf("%+v", e.Cause)
		}
		err := h.intake.Handle(context.Background(), tuning.Acknowledgement{Alert: "none", Action: tuning.Close, Who: "ann"})
		if !errors.Is(err, intake.ErrNoAlert) {
			t.Errorf("an alert that is not there: %v", err)
		}
	})
}
