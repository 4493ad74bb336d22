package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/check"
	"tocsin/internal/detect"
	"tocsin/internal/forecast"
	"tocsin/internal/ledger"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

const bruteRule = "name: Brute\nsource: logs\nevery: 5m\nwindow: 5m\nsearch: 'event.outcome:failure | count by user.name | search count > 10'\n"

// newForecasts serves the rule brute over a source that holds twelve failed logins of eve and seven of bob, from
// noon of the first day of 2026 on.
func newForecasts(t *testing.T, open func(context.Context) error) http.Handler {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations, rule.Migrations)})
	must(err)
	t.Cleanup(func() { db.Close() })
	dir := t.TempDir()
	must(os.WriteFile(filepath.Join(dir, "brute.yaml"), []byte(bruteRule), 0o600))
	health, err := obs.NewHealth(obs.HealthOptions{Log: log, Required: []string{"state"}})
	must(err)
	library, err := rule.New(t.Context(), rule.Options{DB: db, Dir: dir, Log: log, Report: health.Set})
	must(err)
	l, err := ledger.New(ledger.Options{DB: db})
	must(err)
	reader, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	must(err)
	var events strings.Builder
	for user, n := range map[string]int{"eve": 12, "bob": 7} {
		for i := range n {
			at := time.Date(2026, 1, 1, 12, 0, 10*i, 0, time.UTC)
			fmt.Fprintf(&events, "{\"@timestamp\":%q,\"event\":{\"outcome\":\"failure\"},\"user\":{\"name\":%q}}\n", at.Format(time.RFC3339), user)
		}
	}
	decide, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: "#a", Interval: time.Minute}})
	must(err)
	f, err := forecast.New(forecast.Options{
		Sources: []detect.Source{{Name: "logs", Open: func(ctx context.Context, _ []string) (query.Backend, error) {
			if open != nil {
				if err := open(ctx); err != nil {
					return nil, err
				}
			}
			return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(events.String())}}, nil
		}}},
		Policy: func(context.Context) (*policy.Policy, error) { return decide, nil },
		Replay: func(documents []string) query.Backend {
			return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(documents, "\n"))}}
		},
	})
	must(err)
	w, err := web.New(web.Options{
		Ledger: l, Outbox: reader, Health: health, Metrics: http.NotFoundHandler(), Log: log,
		Verify: func(context.Context, time.Time) (*check.Verification, error) {
			return nil, errors.New("not asked here")
		},
		Rules: library,
		Tests: &rule.Tester{Backend: func(documents []byte) query.Backend {
			return &files.Backend{Main: files.Input{Path: "-", Reader: bytes.NewReader(documents)}}
		}},
		Parts: []web.Part{web.Forecasts(web.ForecastOptions{Forecaster: f, Rules: library, Sources: []string{"logs"}})},
	})
	must(err)
	return w.Local()
}

const newYear = `"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"`

func TestBacktestsOverHTTP(t *testing.T) {
	h := newForecasts(t, nil)
	const path = "/api/v1/rules/backtests"
	said := `"sentence":"would have alerted once for 1 user in 1 day: 1 Slack message"`
	asked(t, h, "POST", path, `{"rule":"brute",`+newYear+`}`, 200, said, `"exact":true`, `"misses":[{"key":[{"name":"user.name","value":"bob"}],"value":7,"needs":"more than 10"`)
	asked(t, h, "POST", path, `{"rule":"Brute",`+newYear+`}`, 200, said)
	content, err := json.Marshal(strings.ReplaceAll(bruteRule, "> 10", "> 6"))
	if err != nil {
		t.Fatal(err)
	}
	asked(t, h, "POST", path, `{"content":`+string(content)+`,`+newYear+`,"compare_with":{"rule":"brute"}}`, 200,
		`"sentence":"over 1 day: 1 kept, 0 lost, 1 new; 1 Slack message as before"`, `"same":1,"gained":1,"lost":0`)
	asked(t, h, "POST", path, `{"rule":"brute","from":"soon"}`, 400, `from \"soon\"`)
	asked(t, h, "POST", path, `{"rule":"brute","from":"now","to":"-1d"}`, 400, "is not before")
	asked(t, h, "POST", path, `{"rule":"brute","from":"14"}`, 400, `from \"14\" is 1970-01-01 00:00:14: for days back write -14d`)
	asked(t, h, "POST", path, `{"rule":"nobody"}`, 404, "nobody")
	asked(t, h, "POST", path, `{}`, 400, "write rule or content")
	asked(t, h, "POST", path, `{"content":"serch: x"}`, 400, `did you mean`, `"problems":[`)
	asked(t, h, "POST", path, `{"rule":"brute","time_zone":"Mars/Base"}`, 400, "Mars/Base")
}

func TestABacktestTellsItsProgressAsAStream(t *testing.T) {
	h := newForecasts(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/rules/backtests", strings.NewReader(`{"rule":"brute",`+newYear+`}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/x-ndjson")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n")
	var last web.BacktestAnswer
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if len(lines) < 2 || lines[0] != `{"progress":0}` || last.Backtest == nil || last.Backtest.Alerts != 1 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/x-ndjson") {
		t.Errorf("the stream is %s", rec.Body)
	}
}

func TestABacktestEndsWithItsRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := newForecasts(t, func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	r := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/rules/backtests", strings.NewReader(`{"rule":"brute",`+newYear+`}`))
	r.Header.Set("Accept", "application/x-ndjson")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if strings.Contains(rec.Body.String(), "backtest") {
		t.Errorf("a request that ended is answered: %s", rec.Body)
	}
}

func TestWhyOverHTTP(t *testing.T) {
	h := newForecasts(t, nil)
	asked(t, h, "POST", "/api/v1/rules/brute/why", `{"document":{"@timestamp":"2026-01-01T12:00:10Z","event":{"outcome":"failure"},"user":{"name":"bob"}}}`, 200,
		`"step":"value","result":"no"`, `needs more than 10`)
	asked(t, h, "POST", "/api/v1/rules/brute/why", `{"document":{"@timestamp":"2026-01-01T12:00:10Z","user":{"name":"\u003cscript\u003e"}}}`, 200,
		`"sentence":"it did not alert, for event.outcome:failure does not match: the document has no event.outcome"`)
	asked(t, h, "POST", "/api/v1/rules/brute/why", `{}`, 400, "there is no document")
	asked(t, h, "POST", "/api/v1/rules/nobody/why", `{"document":{}}`, 404, "nobody")
}
