package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tocsin/bench/process"
)

// peerRule is a rule of ElastAlert2 that does what that of the same number in rulesOf does.
func peerRule(i int, index string) string {
	text := fmt.Sprintf("name: rule %04d\nindex: %s\ntimestamp_field: \"@timestamp\"\nrealert: {hours: 1}\nalert: [debug]\n", i, index)
	query := func(kql string) string { return fmt.Sprintf("filter:\n- query: {query_string: {query: '%s'}}\n", kql) }
	switch {
	case i%2 == 1:
		return text + query(fmt.Sprintf("event.action:ssh_login AND event.outcome:failure AND host.name:web-%02d", i/2%hosts)) +
			fmt.Sprintf("type: frequency\nnum_events: %d\ntimeframe: {minutes: 1}\nquery_key: user.name\ninclude: [user.name]\n", 21+i/2/hosts)
	case i/2 < intruders:
		return text + "type: any\n" + query(fmt.Sprintf("user.name:intruder-%d", i/2))
	}
	return text + "type: any\n" + query(fmt.Sprintf("event.outcome:failure AND user.name:user-%03d AND host.name:web-%02d AND source.port:<1100", i%users, i%hosts))
}

var (
	peerRan     = regexp.MustCompile(`(?m)^INFO:elastalert:Ran rule`)
	peerMissed  = regexp.MustCompile(`(?m)was missed by (\S+)`)
	peerSkipped = regexp.MustCompile(`(?m)maximum number of running instances reached`)
)

// elastAlert lets ElastAlert2 run some rules every minute over the same stream.
func (b *bench) elastAlert(ctx context.Context, s *stream, count, threads, documents int) (err error) {
	dir, err := os.MkdirTemp(b.scratch, "peer-")
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		return err
	}
	for i := range count {
		if err := os.WriteFile(filepath.Join(dir, "rules", fmt.Sprintf("r%04d.yaml", i)), []byte(peerRule(i, s.index)), 0o600); err != nil {
			return err
		}
	}
	if err := s.fill(ctx, documents/perSecond-int((b.warm+b.during).Seconds())); err != nil {
		return err
	}
	flowing, stop := context.WithCancel(ctx)
	defer stop()
	trouble := make(chan error, 1)
	go s.flow(flowing, trouble)
	p, err := process.Start(dir, []string{fmt.Sprintf("THREADS=%d", threads)}, filepath.Join(b.peer, "rules.sh"), s.cluster.URL, dir)
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := p.Stop()
		state, unread := os.ReadFile(filepath.Join(dir, "state-index"))
		err = errors.Join(err, stopped, unread)
		if name := strings.TrimSpace(string(state)); name != "" {
			var indices map[string]any
			err = errors.Join(err, s.cluster.Ask(context.Background(), http.MethodGet, "/"+name+"*", nil, &indices))
			for index := range indices {
				err = errors.Join(err, s.cluster.Ask(context.Background(), http.MethodDelete, "/"+index, nil, nil))
			}
		}
	}()
	var at [2]measured
	var logs [2]string
	for i, d := range []time.Duration{b.warm, b.during} {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-trouble:
			return err
		case <-time.After(d):
		}
		if at[i].usage, err = p.Usage(); err != nil {
			return p.Explain(err)
		}
		if at[i].cluster, err = s.cpu(ctx); err != nil {
			return err
		}
		at[i].at = time.Now()
		text, err := os.ReadFile(filepath.Join(dir, "elastalert.log"))
		if err != nil {
			return p.Explain(err)
		}
		logs[i] = string(text)
	}
	fmt.Printf("peer: ElastAlert2, %d rules every minute, %d threads\n", count, threads)
	wall := at[1].at.Sub(at[0].at)
	for i, when := range []string{"from its start", "then"} {
		text := logs[i]
		if i == 1 {
			text = logs[1][len(logs[0]):]
		}
		fmt.Printf("  %s: %d runs, %d missed their time and were dropped, %d dropped for the one before was under way\n",
			when, len(peerRan.FindAllString(text, -1)), len(peerMissed.FindAllString(text, -1)), len(peerSkipped.FindAllString(text, -1)))
	}
	used, busy := at[1].usage.CPU-at[0].usage.CPU, at[1].cluster-at[0].cluster
	fmt.Printf("  CPU %.1f s in %.0f s: %.2f of a core; the cluster %.1f s: %.2f; most resident memory %d MiB\n",
		used.Seconds(), wall.Seconds(), used.Seconds()/wall.Seconds(), busy.Seconds(), busy.Seconds()/wall.Seconds(), at[1].usage.Peak>>20)
	return nil
}
