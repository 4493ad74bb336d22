package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/logstore"
	"tocsin/internal/obs"
)

func newTestEngine(t *testing.T, dir string) (*engine, *obs.Health) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	health, err := obs.NewHealth(obs.HealthOptions{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.DataDir = dir
	return newEngine(cfg, log, health, nil), health
}

func bulkOf(ctx context.Context, e *engine) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/logs/_bulk", strings.NewReader("{\"create\":{}}\n{\"a\":1}\n"))
	r.Header.Set("Content-Type", "application/x-ndjson")
	e.ServeHTTP(w, r)
	return w
}

// part is what /readyz says of the log store.
func part(h *obs.Health) obs.Part {
	for _, p := range h.Report().Parts {
		if p.Name == enginePart {
			return p
		}
	}
	return obs.Part{}
}

func TestRequestsWaitWhileTheEngineIsOpened(t *testing.T) {
	e, _ := newTestEngine(t, t.TempDir())
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if w := bulkOf(soon, e); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "is being opened") {
		t.Errorf("before it is open: %d %s", w.Code, w.Body)
	}
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- bulkOf(t.Context(), e) }()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.run(ctx) }()
	if w := <-answered; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"errors":false`) {
		t.Errorf("the one that waited: %d %s", w.Code, w.Body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

func TestAnEngineThatCannotBeOpenedIsTold(t *testing.T) {
	dir := t.TempDir()
	e, health := newTestEngine(t, dir)
	other, err := logstore.New(t.Context(), e.options) // holds the lock
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // the test is over
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.run(ctx) }()
	if w := bulkOf(t.Context(), e); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "in use by another process") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for deadline := time.Now().Add(10 * time.Second); part(health).State != obs.Degraded; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("readyz says %+v", part(health))
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the rest of the program was ended: %v", err)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}
