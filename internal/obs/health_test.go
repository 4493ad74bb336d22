package obs_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tocsin/internal/obs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHealth makes a Health and gives what it has logged, without times.
func newHealth(t *testing.T, required ...string) (h *obs.Health, logged func() []string) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	h, err := obs.NewHealth(obs.HealthOptions{Log: log, Required: required})
	if err != nil {
		t.Fatal(err)
	}
	return h, func() []string {
		text := strings.TrimSpace(out.String())
		if text == "" {
			return nil
		}
		return strings.Split(text, "\n")
	}
}

func TestAFailureIsLoggedWhenItBeginsAndWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, logged := newHealth(t)
		for try := range 720 {
			h.Set("slack", fmt.Errorf("try %d: token revoked", try), "make a new token")
			time.Sleep(5 * time.Second)
		}
		h.Clear("slack")
		h.Clear("slack")
		time.Sleep(time.Second)
		h.Set("slack", errors.New("again"), "")
		h.Set("slack", nil, "")
		want := []string{
			`level=WARN msg="part degraded" part=slack error="try 0: token revoked" hint="make a new token"`,
			`level=INFO msg="part recovered" part=slack after=1h0m0s`,
			`level=WARN msg="part degraded" part=slack error=again`,
			`level=INFO msg="part recovered" part=slack after=0s`,
		}
		if diff := cmp.Diff(want, logged()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestAnotherCauseIsLoggedOncePerFailure(t *testing.T) {
	h, logged := newHealth(t)
	for range 10 {
		h.Set("siem", errors.New("refused"), "start it")
		h.Set("siem", errors.New("401"), "renew the key")
	}
	want := []string{
		`level=WARN msg="part degraded" part=siem error=refused hint="start it"`,
		`level=WARN msg="part degraded" part=siem error=401 hint="renew the key"`,
	}
	if diff := cmp.Diff(want, logged()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestReportTellsStatesAndSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, logged := newHealth(t, "state", "listener")
		start := time.Now().UTC()
		if got := h.Report().Status; got != obs.Down {
			t.Errorf("before the start: %s", got)
		}
		time.Sleep(time.Second)
		h.Clear("state")
		h.Clear("listener")
		if got := logged(); got != nil {
			t.Errorf("starting was logged: %q", got)
		}
		time.Sleep(time.Second)
		h.Clear("siem")
		h.Set("slack", errors.New("no"), "do")
		time.Sleep(time.Second)
		h.Set("slack", errors.New("still no"), "do")
		want := obs.Report{Status: obs.Degraded, Parts: []obs.Part{
			{Name: "listener", State: obs.OK, Since: start.Add(time.Second)},
			{Name: "siem", State: obs.OK, Since: start.Add(2 * time.Second)},
			{Name: "slack", State: obs.Degraded, Since: start.Add(2 * time.Second), Error: "still no", Hint: "do"},
			{Name: "state", State: obs.OK, Since: start.Add(time.Second)},
		}}
		if diff := cmp.Diff(want, h.Report()); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		h.Set("state", errors.New("disk full"), "make room")
		if got := h.Report().Status; got != obs.Down {
			t.Errorf("with a required part failing: %s", got)
		}
		h.Clear("state")
		h.Remove("slack")
		h.Remove("state")
		if r := h.Report(); r.Status != obs.OK || len(r.Parts) != 3 {
			t.Errorf("after removing slack: %+v", r)
		}
		wantLog := []string{
			`level=WARN msg="part degraded" part=slack error=no hint=do`,
			`level=WARN msg="part down" part=state error="disk full" hint="make room"`,
			`level=INFO msg="part recovered" part=state after=0s`,
		}
		if diff := cmp.Diff(wantLog, logged()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestARequiredPartThatFailsBeforeItStartedIsLogged(t *testing.T) {
	h, logged := newHealth(t, "state")
	h.Set("state", errors.New("locked"), "stop the other")
	h.Set("state", errors.New("locked"), "stop the other")
	if got := logged(); len(got) != 1 || !strings.Contains(got[0], "locked") {
		t.Errorf("log: %q", got)
	}
}

func TestHealthIsSafeForConcurrentUse(t *testing.T) {
	h, logged := newHealth(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				h.Set("slack", errors.New("no"), "do")
				h.Set(fmt.Sprint("siem", i), errors.New("no"), "do")
				h.Report()
			}
		})
	}
	wg.Wait()
	if got := len(logged()); got != 9 {
		t.Errorf("%d lines logged, want one for each of 9 parts", got)
	}
}

func TestHealthNeedsALogger(t *testing.T) {
	if _, err := obs.NewHealth(obs.HealthOptions{}); err == nil {
		t.Error("made without a logger")
	}
}
