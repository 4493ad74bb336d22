package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/demo"
	"tocsin/internal/policy"
)

// latency measures from the moment a document may be visible to a search, which is when its refresh is
// asked for, to the moment its message is at the stand-in. Documents come one at a time, at random.
func (b *bench) latency(ctx context.Context, poll time.Duration, n int) (err error) {
	from, err := b.cluster.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	dir, err := os.MkdirTemp(b.scratch, "run-")
	if err != nil {
		return err
	}
	to, err := newStandIn()
	if err != nil {
		return err
	}
	defer to.server.Close()
	made, dice := demo.NewDetections(b.seed), rand.New(rand.NewPCG(b.seed, 1))
	if err := from.put(ctx, []demo.Detection{made.Make("8.19", demo.QueryDetection, time.Now())}); err != nil {
		return err
	}
	p, err := b.tocsin(dir, from, poll, botToken(to))
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := p.Stop()
		err = errors.Join(err, stopped)
	}()
	if err := to.await(ctx, 1, patience); err != nil {
		return p.Explain(err)
	}
	visible := map[string]time.Time{}
	for range n {
		time.Sleep(time.Duration(dice.Int64N(int64(600 * time.Millisecond))))
		d := made.Make("8.19", demo.QueryDetection, time.Now())
		if err := from.add(ctx, d); err != nil {
			return err
		}
		visible[string(policy.SoloKey(alert.NewID("siem/"+from.name, d.ID)))] = time.Now()
		if err := from.refresh(ctx); err != nil {
			return err
		}
	}
	if err := to.await(ctx, 1+n, patience); err != nil {
		return p.Explain(err)
	}
	took := make([]time.Duration, 0, n)
	for key, at := range visible {
		said, ok := to.said(key)
		if !ok {
			return fmt.Errorf("the message %s is not at the stand-in", key)
		}
		took = append(took, said.Sub(at))
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1].Round(time.Millisecond) }
	fmt.Printf("latency: %d documents one at a time, poll %s: p50 %s, p95 %s (the bar is %s), most %s\n",
		n, poll, at(50), at(95), poll+500*time.Millisecond, at(100))
	return nil
}
