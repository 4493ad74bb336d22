package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/config"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
)

// record lends the ledger to write-back.
type record struct{ *ledger.Ledger }

func (r record) Unwritten(ctx context.Context, after int64, limit, size int) ([]kibana.Unwritten, error) {
	found, err := r.Ledger.Unwritten(ctx, after, limit, size)
	out := make([]kibana.Unwritten, len(found))
	for i, u := range found {
		out[i] = kibana.Unwritten(u)
	}
	return out, err
}

// WriteBack makes the writer of our own alerts, and tells how to close it; nil where the configuration has
// none. A nil ledger is for looking only.
func WriteBack(
	cfg *config.Config, l *ledger.Ledger, log *slog.Logger, registry prometheus.Registerer, report func(part string, err error, hint string),
) (*kibana.WriteBack, func() error, error) {
	if cfg.WriteBack == nil {
		return nil, func() error { return nil }, nil
	}
	client, err := clientOf(cfg.Source(cfg.WriteBack.Source), log)
	if err != nil {
		return nil, nil, err
	}
	w, err := kibana.NewWriteBack(kibana.WriteBackOptions{
		Client: client, Space: cfg.WriteBack.Space, Record: record{l}, Report: report, Log: log, Registerer: registry,
	})
	if err != nil {
		client.Close()
		return nil, nil, fmt.Errorf("write back to %s: %w", cfg.WriteBack.Source, err)
	}
	return w, func() error { client.Close(); return nil }, nil
}
