package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/config"
	"tocsin/internal/detect"
	"tocsin/internal/elastic"
	"tocsin/internal/logstore"
	"tocsin/internal/obs"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// newDetector makes what runs rules on the sources of the configuration, and tells how to close what it
// connects. rules gives all rules there are.
func newDetector(
	ctx context.Context, cfg *config.Config, db *store.DB, rules func() []rule.Entry, engine *engine, log *slog.Logger, health *obs.Health, registry prometheus.Registerer,
) (*detect.Detector, func() error, error) {
	var clients []*elastic.Client
	closeAll := func() error {
		for _, c := range clients {
			c.Close()
		}
		return nil
	}
	o := detect.Options{DB: db, Rules: rules, Log: log, Report: health.Set, Registerer: registry}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		if s.Kind == config.Embedded {
			continue
		}
		client, err := clientOf(s, log)
		if err != nil {
			return nil, closeAll, err
		}
		clients = append(clients, client)
		o.Sources = append(o.Sources, detect.Source{
			Name: s.Name,
			Open: func(_ context.Context, indices []string) (query.Backend, error) {
				if len(indices) == 0 {
					indices = s.Indices
				}
				return elastic.NewBackend(client, indices), nil
			},
		})
	}
	if engine != nil {
		o.Sources = append(o.Sources, detect.Source{Name: engine.name, Precision: time.Nanosecond, Open: engine.backend, Late: engine.late})
	}
	d, err := detect.New(ctx, o)
	return d, closeAll, err
}

// late gives the events that the engine took in after a time of its own, and that happened before another.
func (e *engine) late(ctx context.Context, indices []string, since int64, before time.Time) (query.Backend, int64, error) {
	s, err := e.get(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(indices) == 0 {
		indices = e.indices
	}
	const micro = int64(time.Microsecond)
	if since < 1<<62/micro {
		since *= micro
	}
	var all bytes.Buffer
	last, err := s.Late(ctx, indices, since, before, func(d logstore.Document) error {
		if err := json.Compact(&all, d.Source); err != nil {
			return fmt.Errorf("read document %s: %w", d.ID, err)
		}
		return all.WriteByte('\n')
	})
	return &files.Backend{Main: files.Input{Path: "-", Reader: &all}}, last / micro, err
}
