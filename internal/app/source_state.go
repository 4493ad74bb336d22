package app

import (
	"context"
	"log/slog"

	"tocsin/internal/config"
	"tocsin/internal/web"
)

// sourceStates are the sources of the configuration, to be asked how they are; it also tells how to close what it connects.
func sourceStates(cfg *config.Config, engine *engine, version string, log *slog.Logger) ([]web.StateSource, func() error, error) {
	var (
		out     []web.StateSource
		closers []func()
	)
	closeAll := func() error {
		for _, f := range closers {
			f()
		}
		return nil
	}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		one := web.StateSource{Name: s.Name, Kind: string(s.Kind), Indices: s.Indices}
		if s.Kind == config.Embedded {
			one.Ask = func(ctx context.Context) (string, string, error) {
				store, err := engine.get(ctx)
				if err == nil {
					err = store.Ready()
				}
				return "tocsin", version, err
			}
			out = append(out, one)
			continue
		}
		for _, u := range s.URLs {
			one.Hosts = append(one.Hosts, u.Host)
		}
		client, err := newClient(s, log, 0)
		if err != nil {
			closeAll() //nolint:errcheck // it never fails
			return nil, nil, err
		}
		closers = append(closers, client.Close)
		one.Ask = func(ctx context.Context) (string, string, error) {
			p, err := client.Product(ctx)
			return p.Name, p.Version, err
		}
		out = append(out, one)
	}
	return out, closeAll, nil
}
