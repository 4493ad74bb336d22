package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
	ctx context.Context, cfg *config.Config, db *store.DB, rules func() []rule.Entry, tables func() Tables,
	engine *engine, log *slog.Logger, health *obs.Health, registry prometheus.Registerer,
) (*detect.Detector, func() error, error) {
	var clients []*elastic.Client
	closeAll := func() error {
		for _, c := range clients {
			c.Close()
		}
		return nil
	}
	o := detect.Options{DB: db, Rules: rules, Lookups: tables, Log: log, Report: health.Set, Registerer: registry}
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
		o.Sources = append(o.Sources, detect.Source{Name: s.Name, IngestedField: s.IngestedField, Open: opener(client, s.Indices), Share: share, Hold: hold})
	}
	if engine != nil {
		o.Sources = append(o.Sources, detect.Source{Name: engine.name, Precision: time.Nanosecond, Open: engine.backend, Late: engine.late})
	}
	d, err := detect.New(ctx, o)
	return d, closeAll, err
}

// opener gives the backends of a client's cluster. Those of the same indices are one: it knows their mappings.
func opener(client *elastic.Client, own []string) func(context.Context, []string) (query.Backend, error) {
	var mu sync.Mutex
	known := map[string]*elastic.Backend{}
	return func(_ context.Context, indices []string) (query.Backend, error) {
		if len(indices) == 0 {
			indices = own
		}
		key := strings.Join(indices, ",")
		mu.Lock()
		defer mu.Unlock()
		if known[key] == nil {
			known[key] = elastic.NewBackend(client, indices)
		}
		return known[key], nil
	}
}

// share makes runs on a cluster share requests.
func share(ctx context.Context, b query.Backend, n int) (runs []query.Backend, leave func(i int) (slow bool)) {
	cluster, ok := b.(*elastic.Backend)
	if !ok {
		return slices.Repeat([]query.Backend{b}, n), func(int) bool { return false }
	}
	seats, leave := cluster.Together(ctx, n)
	for _, s := range seats {
		runs = append(runs, s)
	}
	return runs, leave
}

// hold reads what a cluster took in lately into memory.
func hold(ctx context.Context, b query.Backend, l detect.Lately) (query.Backend, int, int64, error) {
	cluster, ok := b.(*elastic.Backend)
	if !ok {
		return nil, 0, 0, nil
	}
	held, err := cluster.Hold(ctx, l.From, l.Ingested, l.Since, l.TimeField, l.Before)
	if err != nil || held == nil {
		return nil, 0, 0, err
	}
	newest := int64(0)
	if at := held.Newest(); !at.IsZero() {
		newest = at.UnixMicro()
	}
	return held, held.Len(), newest, nil
}

// late gives the events that the engine took in after a time of its own, and that happened before another.
func (e *engine) late(ctx context.Context, indices []string, since int64, before time.Time) (open func() query.Backend, n int, until int64, err error) {
	s, err := e.get(ctx)
	if err != nil {
		return nil, 0, 0, err
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
		n++
		if err := json.Compact(&all, d.Source); err != nil {
			return fmt.Errorf("read document %s: %w", d.ID, err)
		}
		return all.WriteByte('\n')
	})
	return func() query.Backend {
		return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(all.Bytes())}}
	}, n, last / micro, err
}
