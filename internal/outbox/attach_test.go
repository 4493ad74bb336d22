package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

// What stands beside a message comes after it was written down as said, once, and its loss loses nothing else.
func TestWhatStandsBesideAMessageComesAfterIt(t *testing.T) {
	for name, failing := range map[string]error{"taken": nil, "refused": errors.New("no")} {
		synctest.Test(t, func(t *testing.T) {
			db := openDB(t, t.TempDir())
			defer db.Close()
			s := &service{}
			charted := note("charted", "#a")
			charted.Items = []notice.Item{{Chart: &notice.Chart{}}}
			storm := note("storm", "#a")
			storm.Thread = []notice.Item{{}}
			put(t, db, charted, note("bare", "#a"), storm)
			var got []string
			attach := func(_ context.Context, n notice.Notice, said notice.Receipt, first bool) error {
				if r := state(t, db, string(n.Key)); r.State != outbox.Said || r.TS == "" || r.TS != said.TS {
					t.Errorf("%s: %s is %s as %q when %q is to be added to", name, n.Key, r.State, r.TS, said.TS)
				}
				kind := " edited"
				if first {
					kind = " said"
				}
				got = append(got, string(n.Key)+kind)
				return failing
			}
			go func() { // two edits: one with something for the thread, one of the chart's message
				time.Sleep(20 * time.Second)
				for _, n := range []notice.Notice{storm, charted} {
					n.Revision = 2
					if err := db.Update(context.Background(), func(tx *store.Tx) error { return outbox.Revise(tx, n, true) }); err != nil {
						t.Error(err)
					}
				}
			}()
			running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second, Attach: attach}, 2*time.Minute)
			if diff := cmp.Diff([]string{"charted said", "storm said", "storm edited"}, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			for _, key := range []string{"charted", "bare", "storm"} {
				if r := state(t, db, key); r.State != outbox.Said {
					t.Errorf("%s: %s is %s: %s", name, key, r.State, r.Reason)
				}
			}
			if len(s.said) != 3 {
				t.Errorf("%s: %d messages were said", name, len(s.said))
			}
		})
	}
}

// What is added to messages counts for the rate of its channel, and gets only what the rate has to spare.
func TestWhatIsAddedToMessagesKeepsToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{}
		added := map[string]int{}
		attach := func(_ context.Context, n notice.Notice, _ notice.Receipt, _ bool) error {
			added[n.Channel]++
			return nil
		}
		charted := func(key, channel string, most int) notice.Notice {
			n := note(key, channel)
			n.Items, n.Rate = []notice.Item{{Chart: &notice.Chart{}}}, notice.Rate{Count: most, Per: time.Hour}
			return n
		}
		traffic := func(channel string) int {
			var posted []time.Time
			err := db.View(context.Background(), func(tx *store.Tx) (err error) {
				posted, _, err = outbox.Traffic(tx, channel, time.Now().Add(-time.Hour))
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return len(posted)
		}
		for restart := range 2 { // what was added is known after a restart
			go func() {
				for k := range 4 {
					for channel, most := range map[string]int{"#two": 2, "#six": 6, "#off": 0} {
						put(t, db, charted(fmt.Sprint(channel, restart, k), channel, most))
					}
					time.Sleep(time.Minute)
				}
			}()
			running(t, outbox.Options{DB: db, Sender: s, Attach: attach, Pace: time.Second}, 10*time.Minute)
		}
		want := map[string]int{"#six": 2, "#off": 8}
		if diff := cmp.Diff(want, added); diff != "" {
			t.Errorf("added: %s", diff)
		}
		if two, six := traffic("#two"), traffic("#six"); two != 8 || six != 8+2 {
			t.Errorf("%d and %d messages count", two, six)
		}
	})
}
