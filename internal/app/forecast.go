package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/detect"
	"tocsin/internal/elastic"
	"tocsin/internal/forecast"
	"tocsin/internal/logstore"
	"tocsin/internal/notify"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

// forecastPart makes what tells what rules would have said, over the sources of the configuration, and how to close
// what it connects.
func forecastPart(
	cfg *config.Config, rules *rule.Library, detector *detect.Detector, db *store.DB, decide *policy.Policy, tables func() Tables, engine *engine, log *slog.Logger,
) (web.Part, func() error, error) {
	var clients []*elastic.Client
	closeAll := func() error {
		for _, c := range clients {
			c.Close()
		}
		return nil
	}
	byID := map[string]func(ctx context.Context, indices []string, id string) ([]detect.Document, error){}
	o := forecast.Options{Lookups: tables, Policy: tuned(db, decide), Replay: replay, Detect: detector}
	if cfg.Slack == nil {
		imagined, err := withSlack(cfg)
		if err != nil {
			return nil, nil, err
		}
		o.Imagined = tuned(db, imagined)
		o.Unsaid = func(channel string) bool { return !strings.HasPrefix(channel, notify.Prefix) }
	}
	o.Find = func(ctx context.Context, source string, indices []string, id string) ([]detect.Document, error) {
		return byID[source](ctx, indices, id)
	}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		if s.Kind == config.Embedded {
			continue
		}
		client, err := newClient(s, log, s.SearchTimeout)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		clients = append(clients, client)
		byID[s.Name] = finder(client, s.Indices)
		o.Sources = append(o.Sources, detect.Source{Name: s.Name, IngestedField: s.IngestedField, Open: opener(client, s.Indices)})
	}
	if engine != nil {
		byID[engine.name] = engine.find
		o.Sources = append(o.Sources, detect.Source{Name: engine.name, Precision: time.Nanosecond, Open: engine.backend})
	}
	f, err := forecast.New(o)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make forecasts: %w", err), closeAll())
	}
	return web.Forecasts(web.ForecastOptions{Forecaster: f, Rules: rules, Sources: SourceNames(cfg), Lookups: tables}), closeAll, nil
}

// withSlack is the policy of a configuration without Slack as it would be with it.
func withSlack(cfg *config.Config) (*policy.Policy, error) {
	with := *cfg
	with.Slack = &config.Slack{}
	return Policy(&with, func(channel string) bool { return !strings.HasPrefix(channel, notify.Prefix) })
}

// mostFound is how many documents of one id are told.
const mostFound = 10

// finder finds documents of a cluster by their ids.
func finder(client *elastic.Client, own []string) func(context.Context, []string, string) ([]detect.Document, error) {
	return func(ctx context.Context, indices []string, id string) ([]detect.Document, error) {
		if len(indices) == 0 {
			indices = own
		}
		found, err := client.Search(ctx, elastic.Search{Indices: indices, AllowNoIndices: true, Body: map[string]any{
			"query": map[string]any{"ids": map[string]any{"values": []string{id}}}, "size": mostFound,
		}})
		if err != nil {
			return nil, err
		}
		var out []detect.Document
		for _, h := range found.Hits {
			out = append(out, detect.Document{Index: h.Index, ID: h.ID, JSON: string(h.Source)})
		}
		return out, nil
	}
}

// find finds documents of the engine by their ids: it looks through all it has.
func (e *engine) find(ctx context.Context, indices []string, id string) ([]detect.Document, error) {
	s, err := e.get(ctx)
	if err != nil {
		return nil, err
	}
	if len(indices) == 0 {
		indices = e.indices
	}
	var out []detect.Document
	err = s.Scan(ctx, logstore.Search{Indices: indices, Newest: true}, func(d logstore.Document) error {
		if d.ID == id && len(out) < mostFound {
			out = append(out, detect.Document{Index: d.Index, ID: d.ID, JSON: string(d.Source)})
		}
		return nil
	})
	return out, err
}

// tuned is the policy with the exceptions in force now, as if they always had been: what they leave out would be left
// out from now on. Silences are of their time, and no part of a rule.
func tuned(db *store.DB, decide *policy.Policy) func(ctx context.Context) (*policy.Policy, error) {
	return func(ctx context.Context) (*policy.Policy, error) {
		var exceptions []policy.Tuning
		err := db.View(ctx, func(tx *store.Tx) error {
			live, err := tuning.Live(tx, time.Now())
			for _, t := range live {
				if t.Kind == policy.Exception {
					t.From = time.Time{}
					exceptions = append(exceptions, t)
				}
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read exceptions: %w", err)
		}
		return decide.With(policy.NewSet(exceptions)), nil
	}
}

// replay is a source of documents in memory.
func replay(documents []string) query.Backend {
	return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(documents, "\n"))}}
}

// mostLine bounds one line of an answer.
const mostLine = 64 << 20

// Lines sends a body as JSON, and hands over the lines of the answer one by one. Errors are those of Send.
func (c *Client) Lines(ctx context.Context, path string, in any, each func(line []byte) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, mostLine))
		if err != nil {
			return fmt.Errorf("ask tocsin: %w", err)
		}
		return refused(resp, answer)
	}
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, mostLine)
	for s.Scan() {
		if err := each(s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	return nil
}
