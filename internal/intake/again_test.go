package intake_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

func TestWhatStillGoesOnIsSaidAgainOnceEachTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		again int
		late  time.Duration // from the first saying to the change
		held  *alert.Held
		want  []bool // of each message, whether it says something again
		over  bool
	}{
		{"a change", 0, time.Hour, nil, []bool{false}, false},
		{"it goes on", 1, time.Hour, nil, []bool{false, true}, false},
		{"it was not said yet", 1, 0, nil, []bool{false}, false},
		{"it was over by then", 1, time.Hour, nil, []bool{false}, true},
		{"its rule keeps it back now", 1, time.Hour, &alert.Held{As: alert.Silenced, Reason: "night"}, []bool{false}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				channel := &channel{}
				h := newHouse(t, t.TempDir(), channel, byRule())
				defer h.db.Close()
				h.run(3*time.Hour, func(context.Context) {
					a := one("r", 1)
					h.take(a)
					time.Sleep(c.late)
					a.Again, a.Reason, a.Held, a.Updated = c.again, "more of it", c.held, time.Now()
					if c.over {
						a.Ended = time.Now()
					}
					h.take(a)
					h.take(a)
					a.Reason, a.Updated = "still more of it", a.Updated.Add(time.Second)
					h.take(a)
				})
				var got []bool
				for _, m := range channel.all() {
					got = append(got, m.Repeat)
					if m.Repeat && m.Items[0].Reason != "more of it" {
						t.Errorf("said again as %q", m.Items[0].Reason)
					}
				}
				want(t, got, c.want)
				want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1})
			})
		})
	}
}

func TestWhatIsUndoneOrOverIsSaidInItsMessage(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a *alert.Alert)
		want   notice.State
	}{
		{"withdrawn", func(a *alert.Alert) { a.Withdrawn, a.Reason = true, "Withdrawn: more of it" }, notice.StateWithdrawn},
		{"over", func(a *alert.Alert) { a.Ended, a.Status = time.Now(), alert.StatusClosed }, notice.StateResolved},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				channel := &channel{}
				h := newHouse(t, t.TempDir(), channel, byRule())
				defer h.db.Close()
				h.run(3*time.Hour, func(context.Context) {
					a := one("r", 1)
					h.take(a)
					time.Sleep(time.Hour)
					c.change(&a)
					a.Updated = time.Now()
					h.take(a)
				})
				all := channel.all()
				if len(all) != 1 || channel.edited() != 1 || all[0].Items[0].State != c.want {
					t.Errorf("%d messages, %d edits: %+v", len(all), channel.edited(), all)
				}
				want(t, h.fates(), map[alert.Fate]int{alert.Sent: 1})
			})
		})
	}
}

func TestWhatWasKeptBackWhenItWasToBeSaidAgainIsSaidLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		channel := &channel{}
		h := newHouse(t, t.TempDir(), channel, byRule())
		defer h.db.Close()
		h.run(4*time.Hour, func(context.Context) {
			a := one("r", 1)
			h.take(a)
			time.Sleep(time.Hour)
			a.Maintenance, a.Again, a.Updated = []string{"upgrade"}, 1, time.Now()
			h.take(a)
			time.Sleep(time.Hour)
			want(t, len(channel.all()), 1)
			for range 2 {
				a.Maintenance, a.Count, a.Updated = nil, a.Count+7, a.Updated.Add(time.Minute)
				h.take(a)
			}
		})
		all := channel.all()
		if len(all) != 2 || !all[1].Repeat {
			t.Errorf("messages: %+v", all)
		}
	})
}

// TestWhatHadNoRoomToBeSaidAgainIsSaidWhenThereIs: nothing of the alert changes any more.
func TestWhatHadNoRoomToBeSaidAgainIsSaidWhenThereIs(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(h *house, a alert.Alert) // the repeat was kept back
		want  int
	}{
		{"it goes on", func(*house, alert.Alert) {}, 3},
		{"it is over by then", func(h *house, a alert.Alert) {
			a.Ended, a.Updated = time.Now(), time.Now()
			h.take(a)
		}, 2},
		{"somebody has taken it up by then", func(h *house, a alert.Alert) {
			h.handle(a, tuning.Acknowledge)
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				channel := &channel{}
				o := byRule()
				o.Rate = policy.Rate{Count: 2, Per: time.Hour}
				h := newHouse(t, t.TempDir(), channel, o)
				defer h.db.Close()
				h.run(4*time.Hour, func(context.Context) {
					a, b := one("r", 1), one("other", 2)
					h.take(a)
					time.Sleep(70 * time.Minute)
					h.take(b) // the channel's only message of an hour but for digests
					time.Sleep(10 * time.Minute)
					a.Again, a.Updated = 1, time.Now()
					h.take(a)
					time.Sleep(20 * time.Minute)
					want(t, len(channel.all()), 2)
					c.after(h, a)
				})
				all := channel.all()
				want(t, len(all), c.want)
				if c.want == 3 && !all[2].Repeat {
					t.Errorf("the last message: %+v", all[2])
				}
			})
		})
	}
}
