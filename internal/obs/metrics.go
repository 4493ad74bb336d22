package obs

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry makes the registry of the program's metrics, with those of the process and of Go,
// and tocsin_build_info. version is the program's, as "tocsin version" prints it.
func NewRegistry(version string) (*prometheus.Registry, error) {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "tocsin_build_info",
		Help:        "Always 1; the labels say which build runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the process's metrics: %w", err)
		}
	}
	return reg, nil
}

// MetricsHandler serves /metrics. A collector that fails is logged, and the others are served.
func MetricsHandler(gatherer prometheus.Gatherer, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// health gives Health's parts as metrics, without making Collect one of its methods.
type health struct{ of *Health }

var partOK = prometheus.NewDesc("tocsin_part_ok", "1 while the part works, 0 while it is degraded or down.", []string{"part"}, nil)

// Describe implements prometheus.Collector.
func (health) Describe(ch chan<- *prometheus.Desc) { ch <- partOK }

// Collect implements prometheus.Collector.
func (c health) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.of.Report().Parts {
		value := 0.0
		if p.State == OK {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(partOK, prometheus.GaugeValue, value, strings.ToValidUTF8(p.Name, "?"))
	}
}
