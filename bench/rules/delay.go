package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// patience is how long is waited for a message.
const patience = time.Minute

var marked = regexp.MustCompile(`mark-\d+`)

// delay measures from the moment a document may be visible to a search, which is when its refresh is asked for, to
// the moment its message is at the stand-in. Documents come one at a time, at random; the rule runs every 10 seconds.
func (b *bench) delay(ctx context.Context, s *stream, n int) (err error) {
	slack, err := newStandIn()
	if err != nil {
		return err
	}
	defer slack.server.Close() //nolint:errcheck // it is over
	if err := s.fill(ctx, 60); err != nil {
		return err
	}
	p, _, err := b.serve(s, slack.URL, map[string]string{
		"marked.yaml": "name: marked\nsource: siem\nevery: 10s\nseverity: low\nsearch: 'event.action:marked'\nmessage: 'it is {{.user.name}}'\n",
	})
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := p.Stop()
		err = errors.Join(err, stopped)
	}()
	dice := rand.New(rand.NewPCG(b.seed, 3))
	visible := map[string]time.Time{}
	for i := range n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(dice.Int64N(int64(4 * time.Second)))):
		}
		mark := fmt.Sprintf("mark-%d", i)
		d := s.document(time.Now())
		d["user"], d["event"].(map[string]any)["action"] = map[string]any{"name": mark}, "marked"
		if err := s.cluster.Ask(ctx, http.MethodPost, "/"+s.index+"/_doc", d, nil); err != nil {
			return err
		}
		visible[mark] = time.Now()
		if err := s.cluster.Ask(ctx, http.MethodPost, "/"+s.index+"/_refresh", nil, nil); err != nil {
			return err
		}
	}
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for slack.said() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return p.Explain(fmt.Errorf("%d of %d messages came, then none for %s", slack.said(), n, patience))
		case <-slack.more:
			quiet.Reset(patience)
		}
	}
	var took []time.Duration
	for _, m := range slack.posts {
		mark := marked.FindString(m.text)
		at, ok := visible[mark]
		if !ok {
			return fmt.Errorf("a message of no document, or the second of one: %q", m.text)
		}
		delete(visible, mark)
		took = append(took, m.at.Sub(at))
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1].Round(time.Millisecond) }
	fmt.Printf("delay: %d documents one at a time, a rule every 10s: p50 %s, p95 %s (the bar is 12s), most %s\n", n, at(50), at(95), at(100))
	return nil
}
