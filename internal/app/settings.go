package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/config"
	"tocsin/internal/settings"
	"tocsin/internal/store"
)

// ErrReconfigured says that Run ended because something was set in the browser: an App made now has it.
var ErrReconfigured = errors.New("reconfigured")

// settingsPart is what settings are called in /readyz.
const settingsPart = "settings"

// settle finds the configuration that holds: that of the options with what was set in the browser. Where a page of
// its own stands at the address, as in the demo, nothing can be set.
func (a *App) settle(ctx context.Context, o Options, db *store.DB) (*config.Config, error) {
	if o.Home != nil {
		return o.Config, nil
	}
	var err error
	a.settings, err = settings.New(settings.Options{
		DB: db, Dir: o.Config.DataDir, File: o.Config, Log: o.Log,
		Try: func(_ context.Context, cfg *config.Config) error { return try(cfg, o.Log) },
		Changed: func() {
			select {
			case a.changed <- struct{}{}:
			default: // it is known already
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if o.Instead != nil {
		a.health.Set(settingsPart, fmt.Errorf("what was set last in the browser could not be put in place, and what held before holds: %w", o.Why),
			"change it, or undo it, on the page of settings")
		a.config = o.Instead
		return o.Instead, nil
	}
	cfg, wrong, err := a.settings.Effective(ctx)
	if err != nil {
		return nil, err
	}
	if wrong != nil {
		a.health.Set(settingsPart, fmt.Errorf("what was set in the browser is left out where it is wrong: %w", wrong), "mend it on the page of settings")
	}
	a.config = cfg
	return cfg, nil
}

// Config is the configuration that holds: the file's, and what was set in the browser.
func (a *App) Config() *config.Config { return a.config }

// reconfigured waits for something to be set.
func (a *App) reconfigured(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.changed:
		return ErrReconfigured
	}
}

// try makes all that is made of a configuration alone, and gives it back: what is wrong is found before anything that
// works is taken down.
func try(cfg *config.Config, log *slog.Logger) error {
	registry := prometheus.NewRegistry()
	s, err := Sender(cfg, log, registry, nil)
	if err != nil {
		return err
	}
	if _, err := senders(cfg, s, nil, log); err != nil {
		return err
	}
	if _, err := Policy(cfg, func(string) bool { return false }); err != nil {
		return err
	}
	if _, err := reportsOf(cfg); err != nil {
		return err
	}
	for i := range cfg.Sources {
		if cfg.Sources[i].Kind == config.Embedded {
			continue
		}
		c, err := clientOf(&cfg.Sources[i], log)
		if err != nil {
			return err
		}
		c.Close()
	}
	_, closeAll, err := Detections(cfg, nil, log, registry)
	if err != nil {
		return err
	}
	return closeAll()
}
