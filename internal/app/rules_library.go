package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	"tocsin/internal/config"
	"tocsin/internal/obs"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// RuleTester runs the tests of rules on the rows engine, as `tocsin search --input` would. Tables gives those that
// searches may name; nil is none.
func RuleTester(tables func() Tables) *rule.Tester {
	return &rule.Tester{Lookups: tables, Backend: func(documents []byte) query.Backend {
		return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(documents)}}
	}}
}

// newRules reads the rules of rules_dir and of the database. changed is called whenever they have changed.
func newRules(ctx context.Context, cfg *config.Config, db *store.DB, tables func() Tables, log *slog.Logger, health *obs.Health, changed func()) (*rule.Library, error) {
	l, err := rule.New(ctx, rule.Options{DB: db, Dir: cfg.RulesDir, Sources: SourceNames(cfg), Lookups: tables, Log: log, Report: health.Set, Changed: changed})
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return l, nil
}

// SourceNames are the names of the sources of a configuration, as rules name them; never nil.
func SourceNames(cfg *config.Config) []string {
	names := make([]string, 0, len(cfg.Sources))
	for _, s := range cfg.Sources {
		names = append(names, s.Name)
	}
	return names
}
