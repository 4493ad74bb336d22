package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
)

// counter is a channel that only counts.
type counter struct {
	mu           sync.Mutex
	posts, edits int
	count        int
}

func (c *counter) Post(_ context.Context, n notice.Notice) (notice.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts++
	c.count = n.Count
	return notice.Receipt{Channel: n.Channel, TS: fmt.Sprint(c.posts), At: time.Now()}, nil
}

func (c *counter) Edit(_ context.Context, n notice.Notice, _ notice.Receipt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edits++
	c.count = n.Count
	return nil
}

func (c *counter) Find(context.Context, string, time.Time, []notice.Key) (map[notice.Key]notice.Receipt, error) {
	return nil, notice.ErrNoHistory
}
func (c *counter) Edits(string) bool   { return true }
func (c *counter) History(string) bool { return false }
func (c *counter) Clock() time.Time    { return time.Now() }

// storm measures a storm of one rule through intake and outbox, as fast as it can be taken in.
func storm(ctx context.Context, n int) (err error) {
	const wait, interval, batch = time.Second, 5 * time.Second, 200
	dir, err := os.MkdirTemp("", "tocsin-bench-policy-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := store.Open(ctx, store.Options{Dir: dir, Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, tuning.Migrations)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := &counter{}
	root := policy.Route{
		Path: "route", Channel: "#a", GroupBy: []string{"rule.name"}, Wait: wait, Interval: interval, Rate: policy.Rate{Count: 6, Per: time.Minute},
	}
	p, err := policy.New(policy.Options{Root: root, Edits: c.Edits})
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	out, err := outbox.New(outbox.Options{DB: db, Sender: c, Log: log})
	if err != nil {
		return err
	}
	in, err := intake.New(intake.Options{DB: db, Policy: p, Wake: out.Wake, Edits: c.Edits, Log: log})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return in.Run(running) })
	g.Go(func() error { return out.Run(running) })
	dice := rand.New(rand.NewPCG(1, 2))
	held := heap()
	began := time.Now()
	for done := 0; done < n; done += batch {
		b := alert.Batch{Source: "siem"}
		for i := range batch {
			a := sample(dice, done+i)
			a.Rule.Name = "Host is down"
			b.Alerts = append(b.Alerts, a)
		}
		if _, err := in.Commit(ctx, b); err != nil {
			return err
		}
	}
	took := time.Since(began)
	time.Sleep(2 * interval)
	grown := heap() - held
	stop()
	if err := g.Wait(); err != nil {
		return err
	}
	intervals := int((took+2*interval-wait)/interval) + 1
	fmt.Printf("storm: %d alerts of one rule taken in within %s: %d posts and %d edits in %d group_intervals; the message counts %d; the heap grew by %d KiB\n",
		n, took.Round(time.Millisecond), c.posts, c.edits, intervals, c.count, max(0, grown)>>10)
	if c.posts > 1 || c.edits > intervals {
		return fmt.Errorf("%d posts and %d edits are more than 1 and one each group_interval", c.posts, c.edits)
	}
	return nil
}
