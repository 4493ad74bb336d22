package obs_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/internal/obs"
)

func get(t *testing.T, h http.Handler, method, target, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReadyzFailsOnlyForRequiredPartsUnlessStrict(t *testing.T) {
	h, _ := newHealth(t, "state")
	steps := []struct {
		do                  func()
		status              obs.State
		plain, strict, zero int
	}{
		{func() {}, obs.Down, 503, 503, 503},
		{func() { h.Clear("state") }, obs.OK, 200, 200, 200},
		{func() { h.Set("slack", errors.New("revoked"), "new token") }, obs.Degraded, 200, 503, 200},
		{func() { h.Set("state", errors.New("disk full"), "") }, obs.Down, 503, 503, 503},
		{func() { h.Clear("slack") }, obs.Down, 503, 503, 503},
		{func() { h.Clear("state") }, obs.OK, 200, 200, 200},
	}
	for i, step := range steps {
		step.do()
		w := get(t, h.Readyz(), "GET", "/readyz", "")
		var report obs.Report
		if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
			t.Fatalf("step %d: %v in %q", i, err, w.Body)
		}
		if w.Code != step.plain || report.Status != step.status {
			t.Errorf("step %d: %d %s, want %d %s", i, w.Code, report.Status, step.plain, step.status)
		}
		for _, target := range []string{"/readyz?strict", "/readyz?strict=1", "/readyz?strict=true"} {
			if got := get(t, h.Readyz(), "GET", target, "").Code; got != step.strict {
				t.Errorf("step %d: %s gives %d, want %d", i, target, got, step.strict)
			}
		}
		if got := get(t, h.Readyz(), "GET", "/readyz?strict=false", "").Code; got != step.zero {
			t.Errorf("step %d: strict=false gives %d, want %d", i, got, step.zero)
		}
	}
}

func TestReadyzSpeaksJSONAndText(t *testing.T) {
	h, _ := newHealth(t)
	h.Set("slack", errors.New("revoked\nstate: ok \x1b[31m"), "new token")
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/json": "application/json",
		"text/plain": "text/plain; charset=utf-8", "text/html,application/xhtml+xml,*/*;q=0.8": "text/plain; charset=utf-8",
		"text/plain;q=0.2, application/json": "application/json", "text/plain, application/json;q=0.5": "text/plain; charset=utf-8",
	} {
		w := get(t, h.Readyz(), "GET", "/readyz", accept)
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
		if !strings.Contains(w.Body.String(), "slack") || !strings.Contains(w.Body.String(), "new token") {
			t.Errorf("Accept %q: %q", accept, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}
	}
	text := get(t, h.Readyz(), "GET", "/readyz", "text/plain").Body.String()
	if strings.Count(text, "\n") != 2 || strings.Contains(text, "\x1b") || !strings.HasPrefix(text, "degraded\nslack: degraded since ") {
		t.Errorf("text: %q", text)
	}
}

func TestHealthzAndMethods(t *testing.T) {
	if w := get(t, obs.Healthz(), "GET", "/healthz", ""); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("GET /healthz: %d %q", w.Code, w.Body)
	}
	h, _ := newHealth(t)
	for _, handler := range []http.Handler{obs.Healthz(), h.Readyz()} {
		if w := get(t, handler, "POST", "/", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
		}
		if w := get(t, handler, "HEAD", "/", ""); w.Code != 200 {
			t.Errorf("HEAD: %d", w.Code)
		}
	}
}
