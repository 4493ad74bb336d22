package obs_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/obs"
)

func TestMetricsTellTheBuildTheProcessAndTheParts(t *testing.T) {
	reg, err := obs.NewRegistry("v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	h, err := obs.NewHealth(obs.HealthOptions{Log: slog.New(slog.DiscardHandler), Metrics: reg, Required: []string{"state"}})
	if err != nil {
		t.Fatal(err)
	}
	h.Clear("slack")
	h.Set("siem\xff", errors.New("no"), "")
	w := get(t, obs.MetricsHandler(reg, slog.New(slog.DiscardHandler)), "GET", "/metrics", "")
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	for _, want := range []string{
		`tocsin_build_info{goversion="go`, `version="v1.2.3"} 1`, "go_goroutines ", "process_cpu_seconds_total ",
		`tocsin_part_ok{part="slack"} 1`, `tocsin_part_ok{part="siem?"} 0`, `tocsin_part_ok{part="state"} 0`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if _, err := obs.NewHealth(obs.HealthOptions{Log: slog.New(slog.DiscardHandler), Metrics: reg}); err == nil {
		t.Error("a second Health was registered")
	}
}

// broken is a collector that fails.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("out of order"))
}

func TestACollectorThatFailsIsLoggedAndTheOthersAreServed(t *testing.T) {
	reg, err := obs.NewRegistry("v1")
	if err != nil {
		t.Fatal(err)
	}
	reg.MustRegister(broken{prometheus.NewDesc("tocsin_broken", "Fails.", nil, nil)})
	var out bytes.Buffer
	w := get(t, obs.MetricsHandler(reg, slog.New(slog.NewTextHandler(&out, nil))), "GET", "/metrics", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "tocsin_build_info") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if !strings.Contains(out.String(), "out of order") {
		t.Errorf("log: %s", &out)
	}
}
