package intake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

func TestTheMessageSaysInPlaceThatItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		a := on(one("missing", 1), "web-1")
		a.Ongoing, a.Reason = true, "no event of web-1 for 7 days"
		b := one("closed", 1)
		h.run(time.Hour, func(context.Context) {
			h.take(a, b)
			time.Sleep(time.Minute)
			want(t, len(c.all()), 2)
			a.Ongoing, a.Ended, a.Reason, a.Updated = false, time.Now(), "events came again", time.Now()
			b.Status, b.Updated = alert.StatusClosed, time.Now()
			h.take(a, b)
		})
		want(t, len(c.all()), 2)
		for _, m := range c.all() {
			switch it := m.Items[0]; it.Rule {
			case "missing":
				if it.State != notice.StateResolved || !it.StateAt.Equal(a.Ended) || it.Reason != "no event of web-1 for 7 days" || m.Standing != (notice.Standing{Resolved: 1}) {
					t.Errorf("says %q: %s, %+v", it.State, it.Reason, m.Standing)
				}
			default:
				if it.Status != alert.StatusClosed || m.Standing != (notice.Standing{Closed: 1}) {
					t.Errorf("says %q, %+v", it.Status, m.Standing)
				}
			}
		}
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 2})
	})
}

func TestAStormIsOneLiveMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		h.run(31*time.Minute, func(context.Context) {
			h.take(on(one("r", 0), "web-0"))
			for i := range 20 {
				time.Sleep(time.Minute)
				var some []alert.Alert
				for k := range 17 {
					some = append(some, on(one("r", 1000*i+k+1), fmt.Sprint("web-", (i+k)%12)))
				}
				h.take(some...)
			}
		})
		said := c.all()
		if len(said) > 1 || c.edited() > 7 {
			t.Fatalf("%d messages and %d edits in 31 minutes", len(said), c.edited())
		}
		m := said[0]
		want := []notice.Top{{Field: "host.name", Distinct: 12, Over: 341, Values: m.Tops[0].Values}}
		if diff := cmp.Diff(want, m.Tops); diff != "" || m.Count != 341 || len(m.Tops[0].Values) != 5 || m.Tops[0].Values[0].Count < m.Tops[0].Values[4].Count {
			t.Errorf("count %d, %s", m.Count, diff)
		}
		if len(m.Thread) != notice.NamedMost || m.ThreadMore < 17 {
			t.Errorf("the thread names %d and counts %d more", len(m.Thread), m.ThreadMore)
		}
	})
}
