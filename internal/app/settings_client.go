package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"tocsin/internal/config"
	"tocsin/internal/settings"
	"tocsin/internal/store"
)

// settingsPath gives what is set, with its secrets, to those who may open the socket: they can read the key and the
// database as well. It is not part of the API.
const settingsPath = "/local/settings"

// serveSettings answers a command.
func (a *App) serveSettings(w http.ResponseWriter, r *http.Request) {
	sections := []config.Section{}
	if a.settings != nil {
		held, err := a.settings.Held(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sections = append(sections, held...)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(sections) //nolint:errcheck // a command that went away needs no answer
}

// WithSettings is a configuration with what was set in the browser, asked of the process that serves its data
// directory, or read there where none does. It makes nothing where there is nothing.
func WithSettings(ctx context.Context, cfg *config.Config) (*config.Config, error) {
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "tocsin.db")); err != nil {
		return cfg, nil //nolint:nilerr // nothing was ever set
	}
	c, err := dial(cfg.DataDir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return storedSettings(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	var sections []config.Section
	if err := errors.Join(c.Get(ctx, settingsPath, &sections), c.Close()); err != nil {
		return nil, fmt.Errorf("ask for what is set in the browser: %w", err)
	}
	return cfg.With(sections)
}

func storedSettings(ctx context.Context, cfg *config.Config) (out *config.Config, err error) {
	db, err := store.Open(ctx, store.Options{Dir: cfg.DataDir, Migrations: Migrations})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := settings.New(settings.Options{DB: db, Dir: cfg.DataDir, File: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	held, err := s.Held(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.With(held)
}
