package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/logstore"
	"tocsin/internal/parse"
	"tocsin/internal/rule"
)

// demoLogs is what the demo's source of logs is called, demoIndex where they are kept.
const (
	demoLogs  = "logs"
	demoIndex = "logs-demo"
)

// The demo's logs are few: a day of them is tens of megabytes.
const (
	demoRetention = 72 * time.Hour
	demoMaxBytes  = 256 << 20
	demoShip      = 500 * time.Millisecond // how often lines are sent, as a shipper does
	demoEvery     = "5s"                   // how often rules run that would otherwise run every few minutes
	// demoSettles is until when the past, which is stored when the demo starts, counts as the past: an event that
	// was taken in within the half minute before a rule began may be one that comes late.
	demoSettles = 40 * time.Second
)

// demoPack are the rules of the starter pack that the demo turns on: those for the logs it makes up.
var demoPack = []string{"sshd-", "sudo-", "web-", "linux-"}

// demoEngine is the embedded engine of the demo.
func demoEngine() config.Source {
	return config.Source{
		Name: demoLogs, Kind: config.Embedded, Indices: []string{demoIndex},
		Store: config.Store{Retention: demoRetention, MaxBytes: demoMaxBytes, MinFree: 256 << 20},
	}
}

// shipper reads lines as `tocsin ingest` does and stores their events, as a shipper on each host would.
type shipper struct {
	store   *logstore.Store
	parsers map[string]*parse.Parser
}

func newShipper(store *logstore.Store) (*shipper, error) {
	s := &shipper{store: store, parsers: map[string]*parse.Parser{}}
	for _, kind := range []string{"sshd", "nginx", "syslog"} {
		p, err := parse.New(kind, parse.Options{Now: time.Now()})
		if err != nil {
			return nil, fmt.Errorf("read the demo's logs: %w", err)
		}
		s.parsers[kind] = p
	}
	return s, nil
}

// ship stores the events of lines.
func (s *shipper) ship(ctx context.Context, lines []demo.LogLine, refresh bool) error {
	var all []logstore.Operation
	for _, line := range lines {
		err := s.parsers[line.Kind].Line(line.Text, func(doc string) error {
			source, err := withHost(doc, line.Host)
			if err == nil {
				all = append(all, logstore.Operation{Index: demoIndex, Create: true, Source: source})
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read a line of the demo's logs: %w", err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	outcomes, err := s.store.Ingest(ctx, all, refresh)
	if err != nil {
		return fmt.Errorf("store the demo's logs: %w", err)
	}
	for _, o := range outcomes {
		if o.Failure != nil {
			return fmt.Errorf("store the demo's logs: %s", o.Failure.Reason)
		}
	}
	return nil
}

// withHost adds the host to an event whose line does not tell it, as shippers do.
func withHost(doc, host string) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(doc), &fields); err != nil {
		return nil, err
	}
	if fields["host.name"] != nil {
		return []byte(doc), nil
	}
	name, err := json.Marshal(host)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `%s,"host.name":%s}`, strings.TrimSuffix(doc, "}"), name), nil
}

// feed fills the embedded engine with made-up logs until ctx ends: first those of the days before, which rules
// compare with, then what happens now. Between the two it turns on the rules of the starter pack.
func (a *App) feed(ctx context.Context, seed uint64) error {
	store, err := a.engine.get(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop
	}
	if err != nil {
		return fmt.Errorf("open the demo's log store: %w", err)
	}
	err = a.stream(ctx, store, demo.NewLogs(seed, time.Now()))
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop
	}
	return err
}

func (a *App) stream(ctx context.Context, store *logstore.Store, logs *demo.Logs) error {
	s, err := newShipper(store)
	if err != nil {
		return err
	}
	if err := s.ship(ctx, logs.History(), true); err != nil {
		return err
	}
	if err := turnOn(ctx, a.rules, false); err != nil {
		return err
	}
	settled := time.After(demoSettles)
	tick := time.NewTicker(demoShip)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-settled:
			if err := turnOn(ctx, a.rules, true); err != nil {
				return err
			}
		case now := <-tick.C:
			if err := s.ship(ctx, logs.Until(now), false); err != nil {
				return err
			}
		}
	}
}

// minutely is how often most rules of the pack run.
var minutely = regexp.MustCompile(`(?m)^every: [15]m$`)

// turnOn makes rules of the starter pack rules of the demo. Those that look at the last minutes run every few
// seconds, so that nobody has to wait; those that compare hours run as they are written. Those that look for what is
// new come apart from the others.
func turnOn(ctx context.Context, rules *rule.Library, forNew bool) error {
	for _, packed := range rule.Pack() {
		wanted := false
		for _, prefix := range demoPack {
			wanted = wanted || strings.HasPrefix(packed.ID, prefix)
		}
		if !wanted || bytes.Contains(packed.Content, []byte("| newterms ")) != forNew {
			continue
		}
		if !bytes.Contains(packed.Content, []byte("| spike ")) && !bytes.Contains(packed.Content, []byte("| missing ")) {
			packed.Content = minutely.ReplaceAll(packed.Content, []byte("every: "+demoEvery))
		}
		c := rule.Change{Who: "the demo", Note: "a rule of the starter pack, run more often"}
		if _, err := rules.Install(ctx, packed, rule.On, demoLogs, c); err != nil {
			return fmt.Errorf("turn on rule %s of the starter pack: %w", packed.ID, err)
		}
	}
	return nil
}
