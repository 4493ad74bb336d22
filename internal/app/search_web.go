package app

import (
	"context"
	"errors"
	"log/slog"

	"tocsin/internal/config"
	"tocsin/internal/elastic"
	"tocsin/internal/query"
	"tocsin/internal/saved"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// searchPart makes the page and the API of searches over the sources of the configuration, and tells how to close
// what it connects.
func searchPart(cfg *config.Config, db *store.DB, engine *engine, tables func() map[string]*query.Table, log *slog.Logger) (web.Part, []web.SearchSource, func() error, error) {
	var clients []*elastic.Client
	closeAll := func() error {
		for _, c := range clients {
			c.Close()
		}
		return nil
	}
	o := web.SearchOptions{Lookups: tables}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		if s.Kind == config.Embedded {
			o.Sources = append(o.Sources, web.SearchSource{
				Name: s.Name, Kind: string(s.Kind), Indices: s.Indices,
				Open: func(ctx context.Context) (query.Backend, error) { return engine.backend(ctx, nil) },
			})
			continue
		}
		client, err := newClient(s, log, s.SearchTimeout)
		if err != nil {
			return nil, nil, nil, errors.Join(err, closeAll())
		}
		clients = append(clients, client)
		backend := elastic.NewBackend(client, s.Indices) // it remembers mappings
		o.Sources = append(o.Sources, web.SearchSource{
			Name: s.Name, Kind: string(s.Kind), Indices: s.Indices,
			Open: func(context.Context) (query.Backend, error) { return backend, nil },
		})
	}
	if cfg.Slack != nil {
		o.Channel = cfg.Slack.Channel
	}
	var err error
	if o.Saved, err = saved.New(saved.Options{DB: db}); err != nil {
		return nil, nil, nil, errors.Join(err, closeAll())
	}
	return web.Searches(o), o.Sources, closeAll, nil
}
