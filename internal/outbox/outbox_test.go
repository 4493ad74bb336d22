package outbox_test

import (
	"context"
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

	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a Sender that keeps what it was told and fails as fault says.
type service struct {
	mu      sync.Mutex
	said    []said
	posts   []time.Time
	edits   []time.Time
	webhook bool
	fault   func(n notice.Notice, edit bool) fault
	noFind  error
	find    func() error // fails one look
}

type said struct {
	notice.Notice
	ts string
}

// fault is what goes wrong with one call: whether it is stored all the same, and what is answered.
type fault struct {
	err    error
	stored bool
}

func (s *service) Post(_ context.Context, n notice.Notice) (notice.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, time.Now())
	f := fault{stored: true}
	if s.fault != nil {
		f = s.fault(n, false)
	}
	r := notice.Receipt{Channel: "C" + n.Channel, TS: fmt.Sprint(len(s.said) + 1), At: time.Now()}
	if f.stored {
		s.said = append(s.said, said{n, r.TS})
	}
	if f.err != nil {
		return notice.Receipt{}, f.err
	}
	return r, nil
}

func (s *service) Edit(_ context.Context, n notice.Notice, r notice.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edits = append(s.edits, time.Now())
	f := fault{stored: true}
	if s.fault != nil {
		f = s.fault(n, true)
	}
	i := slices.IndexFunc(s.said, func(m said) bool { return m.ts == r.TS })
	if i < 0 {
		return notice.ErrGone
	}
	if f.stored {
		s.said[i].Notice = n
	}
	return f.err
}

func (s *service) Find(_ context.Context, _ string, _ time.Time, keys []notice.Key) (map[notice.Key]notice.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noFind != nil {
		return nil, s.noFind
	}
	if s.find != nil {
		if err := s.find(); err != nil {
			return nil, err
		}
	}
	out := map[notice.Key]notice.Receipt{}
	for _, m := range s.said {
		if slices.Contains(keys, m.Key) {
			out[m.Key] = notice.Receipt{Channel: "C" + m.Channel, TS: m.ts, At: time.Now(), Revision: m.Revision}
		}
	}
	return out, nil
}

func (s *service) Edits(string) bool   { return !s.webhook }
func (s *service) History(string) bool { return !s.webhook }
func (s *service) Clock() time.Time    { return time.Now() }

func (s *service) count(key notice.Key) (n int) {
	for _, m := range s.said {
		if m.Key == key {
			n++
		}
	}
	return n
}

func note(key, channel string) notice.Notice {
	return notice.Notice{Key: notice.Key(key), Revision: 1, Channel: channel, Kind: notice.KindAlert, Count: 1}
}

func openDB(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Dir: dir, Migrations: outbox.Migrations})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func put(t testing.TB, db *store.DB, notices ...notice.Notice) {
	t.Helper()
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		for _, n := range notices {
			if err := outbox.Put(tx, n, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func state(t testing.TB, db *store.DB, key string) outbox.Record {
	t.Helper()
	var out outbox.Record
	err := db.View(context.Background(), func(tx *store.Tx) error {
		return outbox.Records(tx, time.Time{}, func(r outbox.Record) error {
			if string(r.Key) == key {
				out = r
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type reports struct {
	mu   sync.Mutex
	last map[string]string
}

func (r *reports) set(part string, err error, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]string{}
	}
	r.last[part] = ""
	if err != nil {
		r.last[part] = err.Error()
	}
}

// running runs an outbox for a while of simulated time.
func running(t *testing.T, o outbox.Options, during time.Duration) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	box, err := outbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), during)
	defer cancel()
	if err := box.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestNoticesAreSaidOnceInOrderAndAtTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{}
		for i := range 20 {
			put(t, db, note(fmt.Sprint("a", i), "#a"), note(fmt.Sprint("b", i), "#b"))
		}
		running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second}, time.Minute)
		if len(s.said) != 40 {
			t.Fatalf("said %d, want 40", len(s.said))
		}
		last := map[string]time.Time{}
		next := map[string]int{}
		for i, m := range s.said {
			if want := fmt.Sprint(m.Channel[1:], next[m.Channel]); string(m.Key) != want {
				t.Errorf("said %s where %s is next", m.Key, want)
			}
			next[m.Channel]++
			if at := last[m.Channel]; !at.IsZero() && s.posts[i].Sub(at) < time.Second {
				t.Errorf("two posts to %s within %s", m.Channel, s.posts[i].Sub(at))
			}
			last[m.Channel] = s.posts[i]
		}
	})
}

func TestAnswersDecide(t *testing.T) {
	once := func(f fault) func(notice.Notice, bool) fault {
		first := true
		return func(notice.Notice, bool) fault {
			if first {
				first = false
				return f
			}
			return fault{stored: true}
		}
	}
	always := func(f fault) func(notice.Notice, bool) fault { return func(notice.Notice, bool) fault { return f } }
	rejected := func(scope notice.Scope) error { return &notice.RejectedError{Scope: scope, Code: "some_code"} }
	for _, tc := range []struct {
		name  string
		fault func(notice.Notice, bool) fault
		opts  outbox.Options
		hook  bool
		find  error
		after time.Duration
		said  int
		state outbox.State
		in    string // where it was said
	}{
		{name: "a lost answer is looked up and adopted", fault: once(fault{err: notice.ErrUnknown, stored: true}), said: 1, state: outbox.Said},
		{name: "a lost request is sent again, after two looks", fault: once(fault{err: notice.ErrUnknown}), said: 1, state: outbox.Said},
		{name: "an error of no known kind is a lost answer", fault: once(fault{err: errors.New("odd"), stored: true}), said: 1, state: outbox.Said},
		{name: "a 429 is waited for", fault: once(fault{err: &notice.RetryError{After: 30 * time.Second, Scope: notice.ScopeChannel}}), said: 1, state: outbox.Said},
		{
			name: "a 429 that stored it all the same is found", said: 1, state: outbox.Said,
			fault: once(fault{err: &notice.RetryError{After: 3 * time.Second, Scope: notice.ScopeChannel, Doubtful: true}, stored: true}),
		},
		{
			name: "a 429 that may have stored it waits for a history that cannot be read now", said: 1, state: outbox.Queued,
			find:  errors.New("later"),
			fault: always(fault{err: &notice.RetryError{After: 3 * time.Second, Scope: notice.ScopeChannel, Doubtful: true}, stored: true}),
		},
		{name: "an unreachable service is waited for", fault: once(fault{err: &notice.RetryError{Scope: notice.ScopeService}}), said: 1, state: outbox.Said},
		{name: "a refused layout is sent as text", fault: once(fault{err: rejected(notice.ScopeMessage)}), said: 1, state: outbox.Said},
		{name: "a refused text is given up", fault: always(fault{err: rejected(notice.ScopeMessage)}), said: 0, state: outbox.Failed},
		{name: "a revoked token keeps the queue", fault: always(fault{err: rejected(notice.ScopeService)}), said: 0, state: outbox.Queued},
		{name: "a token that works again resumes", fault: once(fault{err: rejected(notice.ScopeService)}), said: 1, state: outbox.Said},
		{
			name: "a refused channel is diverted", said: 1, state: outbox.Said, in: "C#default", opts: outbox.Options{Fallback: "#default"},
			fault: func(n notice.Notice, _ bool) fault {
				if n.Channel == "#c" {
					return fault{err: rejected(notice.ScopeChannel)}
				}
				return fault{stored: true}
			},
		},
		{name: "a refused default channel is tried again slowly", fault: always(fault{err: rejected(notice.ScopeChannel)}), opts: outbox.Options{Fallback: "#c"}, said: 0, state: outbox.Queued},
		{name: "a webhook in doubt is sent again", hook: true, fault: once(fault{err: notice.ErrUnknown, stored: true}), said: 2, state: outbox.Said},
		{name: "a webhook in doubt is dropped", hook: true, fault: once(fault{err: notice.ErrUnknown}), opts: outbox.Options{InDoubt: outbox.Drop}, said: 0, state: outbox.Failed},
		{name: "an unreadable history is handled as a webhook", find: fmt.Errorf("x: %w", notice.ErrNoHistory), fault: once(fault{err: notice.ErrUnknown, stored: true}), said: 2, state: outbox.Said},
		{name: "a history that cannot be read now keeps it in doubt", find: errors.New("later"), fault: once(fault{err: notice.ErrUnknown, stored: true}), said: 1, state: outbox.Doubt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := openDB(t, t.TempDir())
				defer db.Close()
				s := &service{fault: tc.fault, webhook: tc.hook, noFind: tc.find}
				put(t, db, note("k", "#c"))
				o := tc.opts
				o.DB, o.Sender, o.Pace = db, s, time.Second
				running(t, o, 10*time.Minute)
				got := state(t, db, "k")
				if s.count("k") != tc.said || got.State != tc.state {
					t.Errorf("said %d times and %s (%s), want %d and %s", s.count("k"), got.State, got.Reason, tc.said, tc.state)
				}
				if tc.in != "" && got.Channel != tc.in {
					t.Errorf("said in %s, want %s", got.Channel, tc.in)
				}
				if tc.state != outbox.Said && got.Reason == "" {
					t.Error("no reason is kept")
				}
			})
		})
	}
}

func TestNothingHammers(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		most int
	}{
		{"revoked token", &notice.RejectedError{Scope: notice.ScopeService, Code: "token_revoked"}, 22},
		{"unreachable", &notice.RetryError{Scope: notice.ScopeService, Code: "connect"}, 22},
		{"archived channel", &notice.RejectedError{Scope: notice.ScopeChannel, Code: "is_archived"}, 12},
		{"retry after", &notice.RetryError{After: time.Minute, Scope: notice.ScopeChannel}, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := openDB(t, t.TempDir())
				defer db.Close()
				s := &service{fault: func(notice.Notice, bool) fault { return fault{err: tc.err} }}
				for i := range 200 {
					put(t, db, note(fmt.Sprint(i), "#c"))
				}
				running(t, outbox.Options{DB: db, Sender: s}, 10*time.Minute)
				if len(s.posts) > tc.most {
					t.Errorf("%d tries in ten minutes, want at most %d", len(s.posts), tc.most)
				}
			})
		})
	}
}

func TestRetryAfterHoldsAfterARestartToo(t *testing.T) {
	for _, scope := range []notice.Scope{notice.ScopeChannel, notice.ScopeService} {
		synctest.Test(t, func(t *testing.T) {
			db := openDB(t, t.TempDir())
			defer db.Close()
			s := &service{fault: func(notice.Notice, bool) fault {
				return fault{err: &notice.RetryError{After: 5 * time.Minute, Scope: scope}}
			}}
			put(t, db, note("before", "#c"))
			running(t, outbox.Options{DB: db, Sender: s}, 2*time.Second)
			s.fault = nil
			put(t, db, note("after", "#c"))
			running(t, outbox.Options{DB: db, Sender: s}, 4*time.Minute)
			if len(s.posts) != 1 {
				t.Errorf("%s: %d posts before the wait has ended, want the refused one alone", scope, len(s.posts))
			}
			running(t, outbox.Options{DB: db, Sender: s}, 2*time.Minute)
			if len(s.said) != 2 {
				t.Errorf("%s: %d of 2 said after the wait", scope, len(s.said))
			}
		})
	}
}

func TestOneChannelsTroubleLeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{fault: func(n notice.Notice, _ bool) fault {
			if n.Channel == "#bad" {
				return fault{err: &notice.RetryError{After: time.Minute, Scope: notice.ScopeChannel}}
			}
			return fault{stored: true}
		}}
		put(t, db, note("b", "#bad"))
		for i := range 10 {
			put(t, db, note(fmt.Sprint("g", i), "#good"))
		}
		running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second}, 15*time.Second)
		if len(s.said) != 10 {
			t.Errorf("said %d of 10 in the good channel", len(s.said))
		}
	})
}

func TestTheLastRevisionWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{}
		put(t, db, note("k", "#c"))
		running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second}, 5*time.Second)
		for r := 2; r <= 50; r++ {
			n := note("k", "#c")
			n.Revision, n.Count = r, r
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return outbox.Revise(tx, n, true) }); err != nil {
				t.Fatal(err)
			}
		}
		running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second}, time.Minute)
		if len(s.said) != 1 || s.said[0].Count != 50 || len(s.edits) > 2 {
			t.Errorf("said %v with %d edits, want one message of revision 50 in few edits", s.said, len(s.edits))
		}
	})
}

func TestWhatAGoneMessageWouldHaveSaidIsSaidAnew(t *testing.T) {
	for _, needed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			db := openDB(t, t.TempDir())
			defer db.Close()
			s := &service{}
			put(t, db, note("k", "#c"))
			running(t, outbox.Options{DB: db, Sender: s}, 5*time.Second)
			s.said = nil // a person deletes it
			n := note("k", "#c")
			n.Revision = 2
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return outbox.Revise(tx, n, needed) }); err != nil {
				t.Fatal(err)
			}
			running(t, outbox.Options{DB: db, Sender: s}, time.Minute)
			want := 0
			if needed {
				want = 1
			}
			if got := state(t, db, "k"); len(s.said) != want || got.State != outbox.Said {
				t.Errorf("needed %v: %d messages and %s, want %d and said", needed, len(s.said), got.State, want)
			}
		})
	}
}

func TestAClockThatStepsBackDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{}
		put(t, db, note("k", "#c"))
		ahead := store.Micros(time.Now().Add(6 * time.Hour)) // written before the clock stepped back
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Exec(`UPDATE notices SET held_at = ?, not_before = ?`, ahead, ahead+5_000_000)
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, outbox.Options{DB: db, Sender: s, Pace: time.Second}, 5*time.Second)
		if len(s.said) != 1 {
			t.Error("it waits for a time that the clock left behind")
		}
	})
}

// The law of delivery: whatever the service does and whenever we die, every notice is said exactly
// once where the history can be read.
func TestEveryNoticeIsSaidExactlyOnce(t *testing.T) {
	lives := 0
	rapid.Check(t, func(rt *rapid.T) {
		if lives++; lives > 12 { // each of these is many lives of a process; so many are enough for every run
			return
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		pace := rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond, time.Second}).Draw(rt, "pace")
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			calm := false
			s := &service{find: func() error {
				if dice.IntN(3) == 0 {
					return errors.New("connection reset")
				}
				return nil
			}, fault: func(n notice.Notice, _ bool) fault {
				if calm {
					return fault{stored: true}
				}
				switch dice.IntN(10) {
				case 0:
					return fault{err: notice.ErrUnknown, stored: true}
				case 1:
					return fault{err: notice.ErrUnknown}
				case 2:
					return fault{err: &notice.RetryError{After: time.Duration(dice.IntN(400)) * time.Second, Scope: notice.ScopeChannel, Doubtful: true}, stored: dice.IntN(2) == 0}
				case 3:
					return fault{err: &notice.RetryError{Scope: notice.ScopeService}}
				default:
					return fault{stored: true}
				}
			}}
			total := 0
			for life := range 6 {
				db := openDB(t, dir)
				for range dice.IntN(30) {
					put(t, db, note(fmt.Sprint("k", total), []string{"#a", "#b"}[dice.IntN(2)]))
					total++
				}
				if life == 5 {
					calm = true
					running(t, outbox.Options{DB: db, Sender: s, Pace: pace}, 10*time.Minute)
				} else {
					running(t, outbox.Options{DB: db, Sender: s, Pace: pace}, time.Duration(dice.IntN(20_000))*time.Millisecond)
					die(t, db, dice)
				}
				db.Close()
			}
			for i := range total {
				if n := s.count(notice.Key(fmt.Sprint("k", i))); n != 1 {
					rt.Errorf("k%d was said %d times", i, n)
				}
			}
		})
	})
}

// die makes the database look as if the process had died while sending: what was being sent, was sent or
// was not, and nobody wrote it down.
func die(t *testing.T, db *store.DB, dice *rand.Rand) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Exec(`UPDATE notices SET state = 'sending', said_revision = 0, sending_revision = revision, posted_at = 0, ts = ''
			WHERE state = 'said' AND seq % ? = 0 AND seq > (SELECT MAX(seq) - 5 FROM notices)`, 1+dice.IntN(4))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTroubleIsReportedAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		r := &reports{}
		broken := true
		s := &service{fault: func(notice.Notice, bool) fault {
			if broken {
				return fault{err: &notice.RejectedError{Scope: notice.ScopeService, Code: "token_revoked", Hint: "make a new token"}}
			}
			return fault{stored: true}
		}}
		put(t, db, note("k", "#c"))
		running(t, outbox.Options{DB: db, Sender: s, Report: r.set}, time.Minute)
		if !strings.Contains(r.last["slack"], "token_revoked") {
			t.Errorf("reported %q", r.last)
		}
		broken = false
		running(t, outbox.Options{DB: db, Sender: s, Report: r.set}, time.Minute)
		if r.last["slack"] != "" {
			t.Errorf("the end was not reported: %q", r.last)
		}
	})
}
