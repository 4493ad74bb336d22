package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/internal/notice"
	"tocsin/internal/sleep"
	"tocsin/internal/store"
)

// InDoubt says what becomes of a post without an answer where the history cannot tell.
type InDoubt string

// The choices.
const (
	Resend InDoubt = "resend" // may say it twice
	Drop   InDoubt = "drop"   // may lose it
)

// Options say how an outbox sends.
type Options struct {
	DB       *store.DB
	Sender   Sender
	Pace     time.Duration // between two posts to one channel; 0 sends as fast as it can
	InDoubt  InDoubt       // "" is Resend
	Fallback string        // the channel for what another channel refuses; "" is none
	Log      *slog.Logger
	// Report takes each part's trouble and, with a nil error, its end. Nil reports nothing.
	Report     func(part string, err error, hint string)
	Registerer prometheus.Registerer // nil registers nothing
	// Attach adds to a message what stands beside it, such as a picture; first tells that it was not an edit.
	// It is called after the message was written down as said, at most once for each, and may fail. Nil adds
	// nothing.
	Attach func(ctx context.Context, n notice.Notice, said notice.Receipt, first bool) error
}

// Outbox sends what the database holds. Run must be called once.
type Outbox struct {
	db       *store.DB
	sender   Sender
	batch    int
	inDoubt  InDoubt
	fallback string
	log      *slog.Logger
	report   func(part string, err error, hint string)
	metrics  *metrics
	pace     *pacer
	holds    *holds

	attach func(context.Context, notice.Notice, notice.Receipt, bool) error
	beside chan attachment

	wake   chan struct{}
	mu     sync.Mutex
	busy   map[string]bool // the workers that run, by the channel they post to, or editor or resolver
	failed bool            // the last write failed: that reading works does not end the trouble
}

// batchMost is how many notices one lease takes where messages are not paced: after a crash as many are
// in doubt, and one look into the history settles them. Without a history they are posted in turn, so
// that one is in doubt, and a lease has no more than are posted in about half of turnsMost: until it is
// settled what was said is not yet told.
const (
	batchMost = 50
	turnsMost = time.Second
)

// stopGrace is how long a post under way may still take once Run's context has ended.
const stopGrace = 3 * time.Second

// idle is how long Run looks away when everything has been said; Wake ends it.
const idle = 30 * time.Second

// The names of the workers that are not a channel's. No channel can have them.
const (
	editor   = "\x00edits"
	resolver = "\x00doubts"
)

// New makes an outbox; nothing is sent before Run.
func New(o Options) (*Outbox, error) {
	if o.DB == nil || o.Sender == nil || o.Log == nil {
		return nil, errors.New("outbox: DB, Sender and Log are required")
	}
	if o.Report == nil {
		o.Report = func(string, error, string) {}
	}
	if o.InDoubt == "" {
		o.InDoubt = Resend
	}
	batch := batchMost
	if o.Pace > 0 {
		batch = 1
	}
	return &Outbox{
		db: o.DB, sender: o.Sender, batch: batch, inDoubt: o.InDoubt, fallback: o.Fallback, log: o.Log, report: o.Report,
		metrics: newMetrics(o.Registerer),
		pace:    &pacer{every: o.Pace, next: map[string]time.Time{}},
		holds:   &holds{at: map[string]time.Time{}, slow: map[string]time.Time{}},
		attach:  o.Attach,
		beside:  make(chan attachment, attachMost),
		wake:    make(chan struct{}, 1),
		busy:    map[string]bool{},
	}, nil
}

// Wake says that there may be something new to send. It never blocks.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends, then gives what is under way a few seconds and returns nil. Trouble with
// the service or the database is reported and outlived.
func (o *Outbox) Run(ctx context.Context) error {
	for {
		err := o.recover(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		o.reportWrite(fmt.Errorf("recover outbox: %w", err))
		if sleep.For(ctx, time.Second) != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
	var workers errgroup.Group
	if o.attach != nil {
		workers.Go(func() error { return o.runAttach(ctx) })
	}
	for ctx.Err() == nil {
		open, err := o.dispatch(ctx, &workers)
		if ctx.Err() == nil {
			o.reportRead(err)
		}
		wait := time.Second
		if err == nil && !open {
			wait = idle
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return workers.Wait()
}

// reportRead tells of a read of the database. One that works ends no trouble with writing.
func (o *Outbox) reportRead(err error) {
	o.mu.Lock()
	failed := o.failed
	o.mu.Unlock()
	if err != nil || !failed {
		o.tell(err)
	}
}

// reportWrite tells of a write to the database.
func (o *Outbox) reportWrite(err error) {
	o.mu.Lock()
	o.failed = err != nil
	o.mu.Unlock()
	o.tell(err)
}

func (o *Outbox) tell(err error) {
	hint := ""
	if errors.Is(err, store.ErrDiskFull) {
		hint = "free some space in data_dir; nothing is lost, and work resumes by itself"
	}
	o.report("outbox", err, hint)
}

// recover turns what an earlier process left as sending into doubt, and learns when it last posted.
func (o *Outbox) recover(ctx context.Context) error {
	return o.db.Update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		posts, edits, err := recoverSending(tx, now)
		if err != nil {
			return err
		}
		if posts+edits > 0 {
			o.log.Info("an earlier run stopped while sending; looking up what was said", "posts_in_doubt", posts, "edits_repeated", edits)
		}
		if err := keptLimits(tx, now, func(channel string, until time.Time) { o.holds.limited(channel, until, now) }); err != nil {
			return err
		}
		return lastPosts(tx, o.pace.after)
	})
}

// dispatch starts a worker for everything that can go on and has none. open tells whether anything is
// left to do now or later.
func (o *Outbox) dispatch(ctx context.Context, workers *errgroup.Group) (open bool, err error) {
	var (
		channels      []string
		edits, doubts bool
	)
	now := time.Now()
	err = o.db.View(ctx, func(tx *store.Tx) (err error) {
		channels, edits, doubts, open, err = waiting(tx, now, o.isBusy)
		return err
	})
	if err != nil {
		return true, fmt.Errorf("read outbox: %w", err)
	}
	if o.holds.until(everything, now) > 0 {
		channels, edits = nil, false
	}
	for _, channel := range channels {
		if o.holds.until(channel, now) == 0 {
			o.start(workers, channel, func() (bool, error) { return o.drain(ctx, channel) })
		}
	}
	if edits {
		o.start(workers, editor, func() (bool, error) { return o.drain(ctx, "") })
	}
	if doubts {
		o.start(workers, resolver, func() (bool, error) { return o.resolve(ctx) })
	}
	return open, nil
}

// isBusy reports whether a worker of that name runs.
func (o *Outbox) isBusy(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy[name]
}

// start runs a worker unless one of its name runs. Only one that got something done asks for a further
// look at once. A worker's error is trouble with the database: it is reported.
func (o *Outbox) start(workers *errgroup.Group, name string, work func() (done bool, err error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy[name] {
		return
	}
	o.busy[name] = true
	workers.Go(func() error {
		done, err := work()
		o.mu.Lock()
		delete(o.busy, name)
		o.mu.Unlock()
		if err != nil && !errors.Is(err, context.Canceled) {
			o.reportWrite(err)
		}
		if done {
			o.Wake()
		}
		return nil
	})
}

// drain sends a channel's posts, or with channel "" all edits, until none is ready. Where it need not
// wait for its turn, settling one batch and leasing the next is one commit. Once a post was made its
// result is never thrown away: drain stays with it until the database takes it or the process ends.
func (o *Outbox) drain(ctx context.Context, channel string) (done bool, err error) {
	var results []result
	most := o.batch
	if o.inTurn(channel) {
		most = 1
	}
	for {
		n := most
		if o.pace.every > 0 && len(results) > 0 {
			n = 0 // settle now; the turn comes later
		}
		if n > 0 && o.turn(ctx, channel) != nil {
			n = 0
		}
		if ctx.Err() != nil || o.holds.until(channel, time.Now()) > 0 {
			n = 0
		}
		var tasks []task
		now, clock := time.Now(), o.clock()
		err = o.db.Update(context.WithoutCancel(ctx), func(tx *store.Tx) (err error) {
			if err := o.settle(tx, results, now); err != nil {
				return err
			}
			if err := o.allowBeside(tx, results, now); err != nil || n == 0 {
				return err
			}
			if tasks, err = lease(tx, channel, n, now, clock); err == nil && o.inTurn(channel) && len(tasks) > 0 {
				err = take(tx, tasks[0], now)
			}
			return err
		})
		switch {
		case err != nil && (len(results) == 0 || ctx.Err() != nil):
			return done, fmt.Errorf("lease and settle notices: %w", err)
		case err != nil:
			o.reportWrite(fmt.Errorf("settle notices: %w", err))
			_ = sleep.For(ctx, time.Second) // at its end the results are tried once more
			continue
		}
		if len(results)+len(tasks) > 0 {
			o.reportWrite(nil)
		}
		o.attachLater(results)
		done = done || len(results) > 0
		if len(tasks) == 0 && (n > 0 || len(results) == 0) {
			return done, nil
		}
		results = nil
		if len(tasks) == 0 {
			continue
		}
		results = o.send(ctx, channel, tasks)
		if took := time.Since(now); took < turnsMost/2 {
			most = min(2*most, o.batch)
		} else if o.inTurn(channel) {
			most = max(most/2, 1)
		}
	}
}

// inTurn reports whether each post is written down before it is made: nothing tells later what was said.
func (o *Outbox) inTurn(channel string) bool { return channel != "" && !o.sender.History(channel) }

// mayGoOn passes the turn to the next notice of a lease. What went wrong with the one before it, or with
// writing, has to be settled first.
func (o *Outbox) mayGoOn(ctx context.Context, t task, before result) bool {
	if !o.inTurn(t.notice.Channel) {
		return true
	}
	return before.err == nil && o.db.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return take(tx, t, time.Now()) }) == nil
}

// turn waits until the channel may get a post, or an update may be made. It comes before the lease, so
// that a crash during the wait leaves nothing in doubt.
func (o *Outbox) turn(ctx context.Context, channel string) error {
	if channel == "" {
		return o.pace.scarce(ctx)
	}
	return o.pace.post(ctx, channel)
}

// clock is the service's clock; before it was heard, ours moved far enough back for a history to be
// read from.
func (o *Outbox) clock() time.Time {
	if at := o.sender.Clock(); !at.IsZero() {
		return at
	}
	return time.Now().Add(-time.Hour)
}

// send works through leased tasks in order. What a hold or the end of ctx leaves over is untouched.
func (o *Outbox) send(ctx context.Context, channel string, tasks []task) []result {
	said, blind := o.lookFirst(ctx, channel, tasks)
	results := make([]result, 0, len(tasks))
	for i, t := range tasks {
		if receipt, ok := said[t.notice.Key]; ok {
			results = append(results, result{task: t, receipt: receipt})
			continue
		}
		if o.holds.until(t.notice.Channel, time.Now()) > 0 || ctx.Err() != nil || channel != "" && i > 0 && !o.mayGoOn(ctx, t, results[i-1]) {
			for _, left := range tasks[i:] {
				results = append(results, result{task: left, untouched: true})
			}
			return results
		}
		if blind != nil && t.look && !t.edit {
			results = append(results, result{task: t, err: blind})
			continue
		}
		r := o.try(ctx, t)
		o.observe(r)
		results = append(results, r)
	}
	return results
}

// try posts or edits once. When ctx ends meanwhile, it gets a little longer, so that stopping leaves
// as few posts in doubt as it can.
func (o *Outbox) try(ctx context.Context, t task) result {
	trying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })
	defer stop()
	r := result{task: t}
	if t.edit {
		r.err = o.sender.Edit(trying, t.notice, t.receipt)
	} else {
		r.receipt, r.err = o.sender.Post(trying, t.notice)
	}
	return r
}

// lookFirst looks for posts that were refused in a way that does not prove that nothing was stored.
// blind is why it could not look now: those posts wait until it can. Where it never can, they are
// simply posted again.
func (o *Outbox) lookFirst(ctx context.Context, channel string, tasks []task) (found map[notice.Key]notice.Receipt, blind error) {
	var doubts []doubtful
	for _, t := range tasks {
		if t.look && !t.edit {
			doubts = append(doubts, doubtful{seq: t.seq, key: t.notice.Key, attempt: t.attempt})
		}
	}
	if doubts == nil {
		return nil, nil
	}
	wait := o.holds.until(lookups(channel), time.Now())
	err := errors.New("its turn comes later")
	if wait == 0 {
		found, err = o.find(ctx, channel, doubts)
		switch {
		case err == nil:
			o.report("history of "+channel, nil, "")
			return found, nil
		case errors.Is(err, notice.ErrNoHistory):
			return nil, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		wait = o.unreadable(channel, err)
	}
	return nil, &notice.RetryError{Scope: notice.ScopeMessage, Code: "history cannot be read now", After: wait, Err: err, Doubtful: true}
}

// observe turns one result into holds, reports and metrics.
func (o *Outbox) observe(r result) {
	now := time.Now()
	channel := r.notice.Channel
	var (
		retry    *notice.RetryError
		rejected *notice.RejectedError
	)
	kind := "post"
	if r.edit {
		kind = "edit"
	}
	switch {
	case r.err == nil:
		o.metrics.answers.WithLabelValues(kind, "ok").Inc()
		o.report("slack", nil, "")
		o.report("slack "+channel, nil, "")
		if !r.plain {
			o.report("slack message", nil, "")
		}
	case errors.As(r.err, &retry):
		o.metrics.answers.WithLabelValues(kind, "retry").Inc()
		until := now.Add(max(retry.After, time.Second))
		switch {
		case retry.Scope == notice.ScopeService:
			o.holds.set(everything, now.Add(max(retry.After, backoff(r.attempts))))
			o.report("slack", r.err, "messages wait; sending resumes by itself")
		case retry.Scope == notice.ScopeChannel && r.edit: // a limit on updates says nothing about posts
			o.pace.slow(until)
		case retry.Scope == notice.ScopeChannel:
			o.holds.limited(channel, until, now)
		}
	case errors.As(r.err, &rejected):
		o.metrics.answers.WithLabelValues(kind, "rejected").Inc()
		switch rejected.Scope {
		case notice.ScopeService:
			o.holds.set(everything, now.Add(forAPerson/2))
			o.report("slack", r.err, rejected.Hint)
		case notice.ScopeChannel:
			o.report("slack "+channel, r.err, rejected.Hint)
			if !r.edit && (o.fallback == "" || o.fallback == channel) {
				o.holds.set(channel, now.Add(forAPerson))
			}
		default:
			o.report("slack message", fmt.Errorf("a message for %s was %w", channel, r.err), "its text alone is sent instead; please report this as a bug")
		}
	case r.edit && errors.Is(r.err, notice.ErrGone):
		o.metrics.answers.WithLabelValues(kind, "gone").Inc()
	default:
		o.metrics.answers.WithLabelValues(kind, "unknown").Inc()
	}
}
