// Command policy measures deciding: many alerts through many routes and silences on one core, a storm of one rule through
// the whole of intake, and what memory grows with. bench/README.md says what the figures are held against.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
	"tocsin/internal/query"
)

func main() {
	alerts := flag.Int("alerts", 100_000, "how many alerts")
	seed := flag.Uint64("seed", 1, "what the alerts are made from")
	flag.Parse()
	if err := run(context.Background(), *alerts, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, alerts int, seed uint64) error {
	if err := decide(alerts, seed); err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	if err := memory(alerts); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := storm(ctx, alerts); err != nil {
		return fmt.Errorf("storm: %w", err)
	}
	return nil
}

const (
	routes   = 200
	silences = 500
	rules    = 400
	hosts    = 3000
)

// table makes the routes: most by one value of a field, as people write them, and some that no index helps.
func table() (policy.Route, error) {
	root := policy.Route{Path: "route", Channel: "#alerts", GroupBy: []string{"rule.name"}, Wait: 10 * time.Second, Interval: 5 * time.Minute}
	all := root
	for i := range routes {
		r := all
		r.Path, r.Channel, r.Continue = fmt.Sprintf("route.routes[%d]", i), fmt.Sprint("#c", i), i%10 == 0
		text := fmt.Sprintf(`rule.name: "Rule %d"`, 2*i)
		switch i % 8 {
		case 5:
			text = fmt.Sprintf(`tags: team-%d and severity: (high or critical)`, i)
		case 6:
			text = fmt.Sprintf(`host.name: rack%d-* and not severity: low`, i)
		case 7:
			text = fmt.Sprintf(`risk_score >= %d and process.name: proc%d`, 50+i%50, i)
		}
		var err error
		if r.Match, err = query.CompileFilter(text); err != nil {
			return root, err
		}
		root.Routes = append(root.Routes, r)
	}
	return root, nil
}

func set(now time.Time) (*policy.Set, error) {
	var list []policy.Tuning
	for i := range silences {
		text := fmt.Sprintf(`host.name: "host-%d"`, i)
		switch i % 10 {
		case 6, 7:
			text = fmt.Sprintf(`rule.name: "Rule %d" and user.name: svc-%d`, i, i)
		case 8:
			text = fmt.Sprintf(`source.ip: "10.%d.0.0/16"`, i%256)
		case 9:
			text = fmt.Sprintf(`host.name: lab%d-* or user.name: lab%d*`, i, i)
		}
		f, err := query.CompileFilter(text)
		if err != nil {
			return nil, err
		}
		list = append(list, policy.Tuning{ID: fmt.Sprint("s-", i), Kind: policy.Silence, Match: f, From: now.Add(-time.Hour), Until: now.Add(time.Hour), Who: "ann", Why: "bench"})
	}
	return policy.NewSet(list), nil
}

func sample(dice *rand.Rand, n int) alert.Alert {
	rule, host := dice.IntN(rules), dice.IntN(hosts)
	a := alert.Alert{
		ID: alert.NewID("siem", fmt.Sprint(n)), Source: "siem", SourceID: fmt.Sprint(n), Rule: alert.Rule{Name: fmt.Sprint("Rule ", rule)},
		Severity: alert.Severity(1 + dice.IntN(4)), Risk: float64(dice.IntN(100)), Tags: []string{fmt.Sprint("team-", rule), "linux", "prod"},
		Host: fmt.Sprint("host-", host), Time: time.Now(), Status: alert.StatusOpen,
	}
	doc := map[string]any{
		"@timestamp": "2026-11-24T06:00:00Z", "message": "Failed password for invalid user admin from 10.1.2.3 port 51234 ssh2",
		"host":        map[string]any{"name": a.Host, "os": map[string]any{"name": "Debian", "platform": "debian", "type": "linux"}, "ip": []string{"10.0.0.1", "fe80::1"}},
		"user":        map[string]any{"name": fmt.Sprint("user-", dice.IntN(500)), "id": "1000"},
		"process":     map[string]any{"name": fmt.Sprint("proc", dice.IntN(300)), "pid": dice.IntN(30000), "args": []string{"sshd", "-D"}, "executable": "/usr/sbin/sshd"},
		"source":      map[string]any{"ip": fmt.Sprintf("10.%d.%d.%d", dice.IntN(256), dice.IntN(256), dice.IntN(256)), "port": 51234},
		"event":       map[string]any{"action": "ssh_login", "outcome": "failure", "category": []string{"authentication"}, "dataset": "system.auth"},
		"agent":       map[string]any{"name": a.Host, "type": "filebeat", "version": "8.19.0"},
		"ecs.version": "8.11.0",
	}
	a.Document, _ = json.Marshal(doc) // it holds nothing that JSON cannot
	return a
}

// decide measures deciding alone, on one core.
func decide(n int, seed uint64) error {
	root, err := table()
	if err != nil {
		return err
	}
	p, err := policy.New(policy.Options{Root: root})
	if err != nil {
		return err
	}
	now := time.Now()
	s, err := set(now)
	if err != nil {
		return err
	}
	p = p.With(s)
	dice := rand.New(rand.NewPCG(seed, 1))
	all := make([]alert.Alert, n)
	for i := range all {
		all[i] = sample(dice, i)
	}
	runtime.GC()
	before := runtime.GOMAXPROCS(1)
	began, cpu := time.Now(), used()
	silenced, copies, taken := 0, 0, map[string]int{}
	for i := range all {
		v, err := p.Judge(now, &all[i])
		if err != nil {
			return err
		}
		if v.Kept == policy.Silenced {
			silenced++
		}
		copies += len(v.Also)
		taken[v.Path]++
	}
	took, spent := time.Since(began), used()-cpu
	runtime.GOMAXPROCS(before)
	fmt.Printf("decide: %d alerts of %d bytes through %d routes and %d silences on one core: %s, %s of CPU (%.1f µs an alert); %d silenced, %d copies, %d routes took some\n",
		n, len(all[0].Document), routes, silences, took.Round(time.Millisecond), spent.Round(time.Millisecond), float64(spent.Microseconds())/float64(n), silenced, copies, len(taken))
	return nil
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory measures what is held for open groups: alerts of one group, then of many.
func memory(n int) error {
	root := policy.Route{Path: "route", Channel: "#a", GroupBy: []string{"rule.name"}, Wait: time.Second, Interval: time.Minute}
	p, err := policy.New(policy.Options{Root: root, Edits: func(string) bool { return true }})
	if err != nil {
		return err
	}
	for _, groups := range []int{1, 1000, 10_000} {
		open := map[string]*policy.Group{}
		held := heap()
		for i := range n {
			a := alert.Alert{ID: alert.ID(fmt.Sprint(i)), Rule: alert.Rule{Name: fmt.Sprint("Rule ", i%groups)}}
			v, err := p.Judge(time.Unix(0, 0), &a)
			if err != nil {
				return err
			}
			open[v.Group] = p.Enter(time.Unix(0, 0), open[v.Group], v, a.Severity)
		}
		fmt.Printf("memory: %d alerts in %d open groups: %d KiB held\n", n, len(open), max(0, heap()-held)>>10)
		runtime.KeepAlive(open)
	}
	return nil
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
