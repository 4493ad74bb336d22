package app

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/elastic"
)

var loopbackAnyPort = netip.MustParseAddrPort("127.0.0.1:0")

// Check looks at everything that the configuration names. It leaves nothing in the data directory and can
// run beside a process that serves it.
func Check(ctx context.Context, cfg *config.Config) (findings []check.Finding, err error) {
	log := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	clients := map[string]*elastic.Client{}
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		if s.Kind == config.Embedded {
			continue
		}
		if clients[s.Name], err = clientOf(s, log); err != nil {
			return nil, err
		}
	}
	detections, closeAll, err := Detections(cfg, nil, log, registry)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	sender, err := Sender(cfg, log, registry, nil)
	if err != nil {
		return nil, err
	}
	back, closeBack, err := WriteBack(cfg, nil, log, registry, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeBack()) }()
	c, err := check.New(check.Options{Config: cfg, Clients: clients, Detections: detections, WriteBack: back, Slack: sender})
	if err != nil {
		return nil, err
	}
	findings = append(machine(cfg), checkLookups(cfg)...)
	findings = append(findings, checkRules(cfg)...)
	findings = append(findings, checkLogin(ctx, cfg)...)
	findings = append(findings, checkOutputs(ctx, cfg, log)...)
	return append(findings, c.Run(ctx)...), nil
}
