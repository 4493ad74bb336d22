package outbox_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/outbox"
)

// Without a history to look into, whoever dies leaves one message of a channel in doubt, however fast messages are sent:
// the state on disk is taken while a message is being posted, and another process goes on from it.
func TestWithoutAHistoryOneMessageIsInDoubt(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 2))
			dir, later := t.TempDir(), t.TempDir()
			db := openDB(t, dir)
			defer db.Close()
			const total = 120
			for k := range total {
				put(t, db, note(fmt.Sprint("k", k), "#a"))
			}
			s := &service{webhook: true, noFind: notice.ErrNoHistory}
			dies := 1 + dice.IntN(total-1)
			var lost notice.Key
			s.fault = func(n notice.Notice, _ bool) fault {
				if len(s.posts) == dies {
					lost = n.Key
					for _, name := range []string{"tocsin.db", "tocsin.db-wal"} {
						b, err := os.ReadFile(filepath.Join(dir, name))
						if err == nil {
							err = os.WriteFile(filepath.Join(later, name), b, 0o600)
						}
						if err != nil {
							t.Error(err)
						}
					}
				}
				if len(s.posts) >= dies { // what comes after that moment is of a life that ended
					return fault{err: notice.ErrUnknown}
				}
				if dice.IntN(20) == 0 {
					return fault{err: &notice.RetryError{Scope: notice.ScopeMessage}}
				}
				return fault{stored: true}
			}
			running(t, outbox.Options{DB: db, Sender: s, InDoubt: outbox.Drop}, time.Minute)
			before := len(s.said)
			s.fault = nil
			after := openDB(t, later)
			defer after.Close()
			running(t, outbox.Options{DB: after, Sender: s, InDoubt: outbox.Drop}, 10*time.Minute)
			for k := range total {
				key := fmt.Sprint("k", k)
				want, stands := 1, outbox.Said
				if notice.Key(key) == lost {
					want, stands = 0, outbox.Failed
				}
				if n := s.count(notice.Key(key)); n != want {
					t.Errorf("seed %d: %s was said %d times, want %d (%d were said before the end)", seed, key, n, want, before)
				}
				if got := state(t, after, key).State; got != stands {
					t.Errorf("seed %d: %s is %s, want %s", seed, key, got, stands)
				}
			}
		})
	}
}

// A lease of what is sent slowly is small: until it is settled, nobody is told what was said.
func TestALeaseWithoutAHistoryIsSettledSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		for k := range 200 {
			put(t, db, note(fmt.Sprint("k", k), "#a"))
		}
		s := &service{webhook: true, noFind: notice.ErrNoHistory}
		most := 0
		s.fault = func(notice.Notice, bool) fault {
			time.Sleep(300 * time.Millisecond)
			if len(s.posts)%10 == 0 {
				said := 0
				for k := range 200 {
					if state(t, db, fmt.Sprint("k", k)).State == outbox.Said {
						said++
					}
				}
				most = max(most, len(s.said)-said)
			}
			return fault{stored: true}
		}
		running(t, outbox.Options{DB: db, Sender: s}, 2*time.Minute)
		if len(s.said) != 200 || most > 4 {
			t.Errorf("%d of 200 were said, at most %d of them not told yet; want at most 4", len(s.said), most)
		}
	})
}
