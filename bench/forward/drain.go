package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"tocsin/bench/process"
	"tocsin/internal/demo"
)

// patience is how long a program may be silent; ElastAlert2 begins up to 15 seconds after its start.
const patience = 90 * time.Second

// drained is what one run took.
type drained struct {
	perSecond float64
	process.Usage
	messages int
}

func (d drained) cpuEach() time.Duration { return d.CPU / time.Duration(d.messages) }

// contestant runs a program until it has said n messages at a stand-in.
type contestant struct {
	name string
	run  func(ctx context.Context, dir string, from *space, to *standIn) (*process.Process, error)
}

const limitsOff = `
listen: 127.0.0.1:0
data_dir: ./data
sources:
  - name: siem
    kind: opensearch
    urls: [%s]
detections:
  - source: siem
    space: %s
    poll: %s
    since: all
slack:
  %s
  pace: "off"
route:
  group_by: ['...']
  group_wait: 0s
  rate_limit: "off"
`

func botToken(to *standIn) string {
	return fmt.Sprintf("bot_token: %s\n  channel: \"#alerts\"\n  api_url: %s/api/", demo.DemoToken, to.URL)
}

func webhook(to *standIn) string { return "webhook_url: " + to.URL + demo.DemoWebhook }

func (b *bench) tocsin(dir string, from *space, poll time.Duration, slack string) (*process.Process, error) {
	file := filepath.Join(dir, "tocsin.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, limitsOff, from.cluster.URL, from.name, poll, slack), 0o600); err != nil {
		return nil, err
	}
	return process.Start(dir, nil, b.binary, "serve", "--config", file)
}

func (b *bench) contestants(peer bool) []contestant {
	out := []contestant{
		{"tocsin, bot token", func(_ context.Context, dir string, from *space, to *standIn) (*process.Process, error) {
			return b.tocsin(dir, from, 5*time.Second, botToken(to))
		}},
		{"tocsin, webhook", func(_ context.Context, dir string, from *space, to *standIn) (*process.Process, error) {
			return b.tocsin(dir, from, 5*time.Second, webhook(to))
		}},
	}
	if peer {
		out = append(out, contestant{"elastalert2 2.31, webhook", b.elastAlert})
	}
	return out
}

func (b *bench) elastAlert(ctx context.Context, dir string, from *space, to *standIn) (*process.Process, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.elastic, "prepare.sh"), from.cluster.URL, from.alias, to.URL+demo.DemoWebhook, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("prepare elastalert2: %w\n%s", err, out)
	}
	return process.Start(dir, nil, filepath.Join(b.elastic, "run.sh"), dir)
}

// drain measures how fast waiting documents are said, one message each.
func (b *bench) drain(ctx context.Context, peer bool) (err error) {
	contestants := b.contestants(peer)
	all := make([][]drained, len(contestants))
	for n := range b.runs {
		documents := waiting(b.seed+uint64(n), b.documents, time.Now())
		if n == 0 {
			fmt.Printf("drain: %s, one message each\n", size(documents))
		}
		if err := b.each(ctx, documents, contestants, all); err != nil {
			return err
		}
	}
	medians := table(contestants, all)
	if !peer {
		return nil
	}
	last := medians[len(medians)-1]
	for k, m := range medians[:len(medians)-1] {
		fmt.Printf("  %s to %s: %.1f times the messages/s, 1/%.1f of the CPU a message\n", contestants[k].name, contestants[len(medians)-1].name,
			m.perSecond/last.perSecond, float64(last.cpuEach())/float64(m.cpuEach()))
	}
	fmt.Println()
	return nil
}

// heavy measures the same with documents as large as Kibana's largest usual ones, for the memory.
func (b *bench) heavy(ctx context.Context) error {
	contestants := b.contestants(false)
	all := make([][]drained, len(contestants))
	for n := range b.runs {
		dice := rand.New(rand.NewPCG(b.seed, uint64(n)))
		documents := waiting(b.seed+uint64(n), b.documents, time.Now())
		for k := range documents {
			if err := fatten(dice, &documents[k]); err != nil {
				return err
			}
		}
		if n == 0 {
			fmt.Printf("heavy: %s, one message each\n", size(documents))
		}
		if err := b.each(ctx, documents, contestants, all); err != nil {
			return err
		}
	}
	table(contestants, all)
	fmt.Println()
	return nil
}

// each puts documents into an index and has every contestant say them.
func (b *bench) each(ctx context.Context, documents []demo.Detection, contestants []contestant, all [][]drained) (err error) {
	from, err := b.cluster.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if err := from.put(ctx, documents); err != nil {
		return err
	}
	for k, c := range contestants {
		d, err := b.one(ctx, c, from, len(documents))
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		all[k] = append(all[k], d)
	}
	return nil
}

func (b *bench) one(ctx context.Context, c contestant, from *space, n int) (d drained, err error) {
	dir, err := os.MkdirTemp(b.scratch, "run-")
	if err != nil {
		return d, err
	}
	to, err := newStandIn()
	if err != nil {
		return d, err
	}
	defer to.server.Close()
	p, err := c.run(ctx, dir, from, to)
	if err != nil {
		return d, err
	}
	if err = to.await(ctx, n, patience); err != nil {
		err = p.Explain(err)
	}
	u, stopped := p.Stop()
	d.Usage = u
	d.messages, d.perSecond = to.pace()
	if d.messages > n {
		err = errors.Join(err, fmt.Errorf("it said %d messages of %d documents", d.messages, n))
	}
	if state, failed := os.ReadFile(filepath.Join(dir, "state-index")); failed == nil { // ElastAlert2's own indices
		err = errors.Join(err, from.cluster.dropAll(string(state)))
	}
	return d, errors.Join(err, stopped)
}

// print writes the medians of all runs, and how far the speeds lie apart.
func table(contestants []contestant, all [][]drained) []drained {
	fmt.Printf("  %-26s %12s %20s %14s %10s\n", "", "messages/s", "(slowest, fastest)", "CPU/message", "peak RSS")
	medians := make([]drained, 0, len(all))
	for k, c := range contestants {
		m := drained{
			perSecond: median(all[k], func(d drained) float64 { return d.perSecond }),
			Usage:     process.Usage{CPU: median(all[k], func(d drained) time.Duration { return d.CPU }), Peak: median(all[k], func(d drained) int64 { return d.Peak })},
			messages:  all[k][0].messages,
		}
		slow := slices.MinFunc(all[k], func(a, b drained) int { return cmp.Compare(a.perSecond, b.perSecond) })
		fast := slices.MaxFunc(all[k], func(a, b drained) int { return cmp.Compare(a.perSecond, b.perSecond) })
		fmt.Printf("  %-26s %12.0f %20s %14s %6.0f MiB\n", c.name, m.perSecond, fmt.Sprintf("(%.0f, %.0f)", slow.perSecond, fast.perSecond),
			m.cpuEach().Round(time.Microsecond), float64(m.Peak)/(1<<20))
		medians = append(medians, m)
	}
	return medians
}

func median[T any, N cmp.Ordered](of []T, by func(T) N) N {
	values := make([]N, 0, len(of))
	for _, v := range of {
		values = append(values, by(v))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
