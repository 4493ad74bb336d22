package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/bench/process"
	"tocsin/internal/demo"
)

const config = `
listen: %s
data_dir: ./data
sources:
  - name: siem
    kind: opensearch
    urls: [%s]
    indices: [%s]
slack:
  bot_token: %s
  channel: "#alerts"
  api_url: %s/api/
  pace: "off"
route:
  group_by: ['...']
  group_wait: 0s
  rate_limit: "off"
rules_dir: ./rules
`

// serve starts the program with rules, by file name, and tells its address.
func (b *bench) serve(s *stream, slack string, rules map[string]string) (p *process.Process, address string, err error) {
	dir, err := os.MkdirTemp(b.scratch, "run-")
	if err != nil {
		return nil, "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return nil, "", err
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, "", err
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		return nil, "", err
	}
	for name, text := range rules {
		if err := os.WriteFile(filepath.Join(dir, "rules", name), []byte(text), 0o600); err != nil {
			return nil, "", err
		}
	}
	file := filepath.Join(dir, "tocsin.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, address, s.cluster.URL, s.index, demo.DemoToken, slack), 0o600); err != nil {
		return nil, "", err
	}
	p, err = process.Start(dir, nil, b.binary, "serve", "--config", file)
	return p, address, err
}

// rulesOf are count rules that run every minute: half are plain filters of one user on one host, half count the
// failures of each user of a host.
func rulesOf(count int) map[string]string {
	out := map[string]string{}
	for i := range count {
		search := fmt.Sprintf("event.outcome:failure and user.name:user-%03d and host.name:web-%02d and source.port < 1100", i%users, i%hosts)
		switch {
		case i%2 == 1:
			search = fmt.Sprintf("event.action:ssh_login and event.outcome:failure and host.name:web-%02d | count by user.name | search count > %d", i/2%hosts, 20+i/2/hosts)
		case i/2 < intruders:
			search = fmt.Sprintf("user.name:intruder-%d", i/2)
		}
		out[fmt.Sprintf("r%04d.yaml", i)] = fmt.Sprintf("name: rule %04d\nsource: siem\nevery: 1m\nseverity: low\nsame_again_after: 1h\nsearch: '%s'\n", i, search)
	}
	return out
}

// many lets the program run many rules every minute.
func (b *bench) many(ctx context.Context, s *stream, count, documents int) (err error) {
	slack, err := newStandIn()
	if err != nil {
		return err
	}
	defer slack.server.Close() //nolint:errcheck // it is over
	if err := s.fill(ctx, documents/perSecond-int((b.warm+b.during).Seconds())); err != nil {
		return err
	}
	flowing, stop := context.WithCancel(ctx)
	defer stop()
	trouble := make(chan error, 1)
	go s.flow(flowing, trouble)
	p, address, err := b.serve(s, slack.URL, rulesOf(count))
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := p.Stop()
		err = errors.Join(err, stopped)
	}()
	wait := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-trouble:
			return err
		case <-time.After(d):
			return nil
		}
	}
	if err := wait(b.warm); err != nil {
		return err
	}
	warm, err := b.measure(ctx, p, s, address)
	if err != nil {
		return p.Explain(err)
	}
	if err := wait(b.during); err != nil {
		return err
	}
	end, err := b.measure(ctx, p, s, address)
	if err != nil {
		return p.Explain(err)
	}
	zero := measured{}
	fmt.Printf("many: %d rules every minute, %d documents a second\n", count, perSecond)
	tell("from its start until every rule had run", zero, warm)
	tell("then", warm, end)
	fmt.Printf("  most resident memory %d MiB; %d messages at the stand-in\n", end.usage.Peak>>20, slack.said())
	return nil
}

// measured is what the program and the cluster did up to a moment.
type measured struct {
	at      time.Time
	usage   process.Usage
	cluster time.Duration
	metrics map[string]float64
}

func (b *bench) measure(ctx context.Context, p *process.Process, s *stream, address string) (m measured, err error) {
	if m.usage, err = p.Usage(); err != nil {
		return m, err
	}
	if m.cluster, err = s.cpu(ctx); err != nil {
		return m, err
	}
	m.at = time.Now()
	m.metrics, err = metrics(ctx, address)
	return m, err
}

func tell(when string, from, to measured) {
	d := func(name string) float64 { return to.metrics[name] - from.metrics[name] }
	runs, failed := d(`tocsin_rule_runs_total{kind="due",result="ok"}`), d(`tocsin_rule_runs_total{kind="due",result="error"}`)
	fmt.Printf("  %s: %.0f runs, %.0f of them failed, %.0f caught up\n", when, runs+failed, failed, d(`tocsin_rule_runs_total{kind="catch_up",result="ok"}`))
	fmt.Printf("    a run began after its turn: %s\n", quantiles("tocsin_rule_start_lag_seconds", from.metrics, to.metrics))
	fmt.Printf("    a run took: %s\n", quantiles("tocsin_rule_run_seconds", from.metrics, to.metrics))
	if wall := to.at.Sub(from.at); !from.at.IsZero() {
		fmt.Printf("    CPU %.1f s in %.0f s: %.2f of a core; the cluster %.1f s: %.2f\n", (to.usage.CPU - from.usage.CPU).Seconds(), wall.Seconds(),
			(to.usage.CPU-from.usage.CPU).Seconds()/wall.Seconds(), (to.cluster - from.cluster).Seconds(), (to.cluster-from.cluster).Seconds()/wall.Seconds())
	}
}

// quantiles are those of a histogram between two moments: a bucket tells only that a value is at most its bound.
func quantiles(name string, from, to map[string]float64) string {
	type bucket struct{ bound, n float64 }
	var all []bucket
	for key, n := range to {
		rest, ok := strings.CutPrefix(key, name+`_bucket{le="`)
		if !ok {
			continue
		}
		bound, err := strconv.ParseFloat(strings.TrimSuffix(rest, `"}`), 64)
		if err != nil {
			continue
		}
		all = append(all, bucket{bound, n - from[key]})
	}
	slices.SortFunc(all, func(a, b bucket) int {
		if a.bound < b.bound {
			return -1
		}
		return 1
	})
	if len(all) == 0 || all[len(all)-1].n == 0 {
		return "nothing"
	}
	total := all[len(all)-1].n
	var out []string
	for _, q := range []float64{.5, .95, .99, 1} {
		for _, b := range all {
			if b.n >= math.Ceil(q*total) {
				out = append(out, fmt.Sprintf("p%.0f at most %g s", q*100, b.bound))
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

// metrics reads what the program tells of itself.
func metrics(ctx context.Context, address string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: HTTP %d", resp.StatusCode)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 16<<20))
	for lines.Scan() {
		i := strings.LastIndexByte(lines.Text(), ' ')
		if i < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if v, err := strconv.ParseFloat(lines.Text()[i+1:], 64); err == nil {
			out[lines.Text()[:i]] = v
		}
	}
	return out, lines.Err()
}
