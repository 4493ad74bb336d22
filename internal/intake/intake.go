// Package intake owns the way from a source into the database: it fetches batches and writes, in one
// transaction each, the alerts, what policy decided, the notices that come of it, the groups' state
// and the source's state. It decides nothing itself and sends nothing.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/sleep"
	"tocsin/internal/store"
)

// Source is a place alerts come from. Fetch returns what comes after the state it is given; it may
// return an alert again, and must never skip one. It is called by one goroutine.
type Source interface {
	Name() string
	Poll() time.Duration // how long to wait after a batch that has no More
	Fetch(context.Context, alert.Ask) (alert.Batch, error)
}

// Options say what goes where.
type Options struct {
	DB      *store.DB
	Policy  *policy.Policy
	Sources []Source
	Wake    func()                    // called after a commit that gave the outbox something; nil is none
	Prefix  string                    // stands before every message, such as "[demo]"
	Edits   func(channel string) bool // whether messages of a channel can be edited in place; nil is nowhere
	// Reports are said again and again. Rules gives the names of the rules that run, and Expected are the names of
	// the sources that bring alerts, for them to name those that do not. Brought gives when the newest event was of
	// each source that rules search, as far as that is known: zero for one without.
	Reports  []policy.Report
	Rules    func() []string
	Expected []string
	Brought  func() map[string]time.Time
	Keep     Keep
	Log      *slog.Logger
	// Report takes each part's trouble and, with a nil error, its end. Nil reports nothing.
	Report     func(part string, err error, hint string)
	Registerer prometheus.Registerer // nil registers nothing
}

// Intake takes alerts in. Run must be called once; Commit may be called beside it.
type Intake struct {
	db      *store.DB
	policy  *policy.Policy
	sources []Source
	wake    func()
	prefix  string
	edits   func(channel string) bool
	log     *slog.Logger
	report  func(part string, err error, hint string)
	metrics *metrics
	tuned   tuned

	reports   []policy.Report
	ruleNames func() []string
	expected  []string
	brought   func() map[string]time.Time
	keep      Keep

	timer chan struct{} // says that something may be due earlier than the timer loop knows
	once  sync.Mutex    // one commit at a time
	last  time.Time     // when the last commit was, by the wall clock; zero before the first
	next  time.Time     // when something is due next, as the last commit left it
}

// The waits of the loops.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
	tickMost   = 30 * time.Second // how long the timer loop sleeps at most: a clock may step
	liveFor    = 24 * time.Hour   // how long after it was seen an alert's status is followed
	liveMost   = 500
)

// New makes an intake; nothing is fetched before Run.
func New(o Options) (*Intake, error) {
	if o.DB == nil || o.Policy == nil || o.Log == nil {
		return nil, errors.New("intake: DB, Policy and Log are required")
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Edits == nil {
		o.Edits = func(string) bool { return false }
	}
	if o.Report == nil {
		o.Report = func(string, error, string) {}
	}
	if o.Rules == nil {
		o.Rules = func() []string { return nil }
	}
	if o.Brought == nil {
		o.Brought = func() map[string]time.Time { return nil }
	}
	return &Intake{
		reports: o.Reports, ruleNames: o.Rules, expected: o.Expected, brought: o.Brought, keep: o.Keep,
		db: o.DB, policy: o.Policy, sources: o.Sources, wake: o.Wake, prefix: o.Prefix, edits: o.Edits,
		log: o.Log, report: o.Report, metrics: newMetrics(o.Registerer), timer: make(chan struct{}, 1),
	}, nil
}

// Run fetches from every source and flushes groups when they are due, until ctx ends; then it returns
// nil. Trouble with a source or the database is reported and outlived.
func (i *Intake) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, s := range i.sources {
		g.Go(func() error { return i.follow(ctx, s) })
	}
	g.Go(func() error { return i.tick(ctx) })
	g.Go(func() error { return i.forget(ctx) })
	return g.Wait()
}

// follow takes in one source's batches.
func (i *Intake) follow(ctx context.Context, s Source) error {
	wait := time.Duration(0)
	trouble := 0
	for sleep.For(ctx, wait) == nil {
		more, err := i.round(ctx, s)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			wait = min(retryMost, retryFirst<<min(trouble, 8))
			wait += time.Duration(rand.Int64N(int64(wait)/4 + 1))
			trouble++
		case more:
			wait, trouble = 0, 0
		default:
			wait, trouble = s.Poll(), 0
		}
	}
	return nil
}

// round fetches and commits one batch. Its errors have been reported.
func (i *Intake) round(ctx context.Context, s Source) (more bool, err error) {
	part := "source " + s.Name()
	ask, err := i.ask(ctx, s)
	if err != nil {
		i.state(err)
		return false, err
	}
	batch, err := s.Fetch(ctx, ask)
	if err != nil {
		if ctx.Err() == nil {
			i.report(part, err, "alerts wait in the source; reading resumes by itself")
		}
		return false, err
	}
	i.report(part, batch.Idle, "alerts are read as soon as it is there")
	if _, err = i.Commit(ctx, batch); err != nil {
		i.state(err)
	}
	return batch.More, err
}

// state tells of the database; Commit tells of what it wrote.
func (i *Intake) state(err error) {
	hint := ""
	if errors.Is(err, store.ErrDiskFull) {
		hint = "free some space in data_dir; nothing is lost, and work resumes by itself"
	}
	if !errors.Is(err, context.Canceled) {
		i.report("state", err, hint)
	}
}

func (i *Intake) ask(ctx context.Context, s Source) (alert.Ask, error) {
	ask := alert.Ask{Missing: func(ctx context.Context, ids []string) (missing []string, err error) {
		err = i.db.View(ctx, func(tx *store.Tx) (err error) {
			missing, err = ledger.Missing(tx, s.Name(), ids)
			return err
		})
		return missing, err
	}}
	err := i.db.View(ctx, func(tx *store.Tx) (err error) {
		if ask.State, err = ledger.SourceState(tx, s.Name()); err != nil {
			return err
		}
		ask.Live, err = ledger.Live(tx, s.Name(), time.Now().Add(-liveFor), liveMost)
		return err
	})
	if err != nil {
		return ask, fmt.Errorf("read what is known of source %s: %w", s.Name(), err)
	}
	return ask, nil
}

// tick commits a batch without alerts whenever a group or digest is due.
func (i *Intake) tick(ctx context.Context) error {
	for ctx.Err() == nil {
		next, err := i.Commit(ctx, alert.Batch{})
		if err != nil {
			i.state(err)
		}
		wait := time.Second
		if err == nil {
			wait = tickMost
			if !next.IsZero() {
				wait = min(wait, max(time.Until(next), time.Millisecond))
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-i.timer:
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}
