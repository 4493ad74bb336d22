package detect

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the rooms outside see of runs. All methods work without a registry.
type metrics struct {
	runs   *prometheus.CounterVec
	lag    prometheus.Histogram
	took   prometheus.Histogram
	alerts prometheus.Counter
	late   prometheus.Counter
	behind prometheus.Gauge
	failed prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_rule_runs_total", Help: "Runs of rules, by kind (due, catch_up) and result (ok, error)."}, []string{"kind", "result"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_rule_start_lag_seconds", Help: "How long after its turn a rule began to run.", Buckets: []float64{.01, .05, .1, .2, .5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300},
		}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_rule_run_seconds", Help: "How long a run of a rule took.", Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 60, 300},
		}),
		alerts: prometheus.NewCounter(prometheus.CounterOpts{Name: "tocsin_rule_alerts_total", Help: "Alerts that rules made or changed."}),
		late:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tocsin_rule_late_windows_total", Help: "Stretches of time judged again because of events that came late."}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tocsin_rule_missed_seconds", Help: "How much event time rules have to catch up, all together."}),
		failed: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tocsin_rules_failing", Help: "Rules whose last run failed."}),
	}
	if r != nil {
		r.MustRegister(m.runs, m.lag, m.took, m.alerts, m.late, m.behind, m.failed)
	}
	return m
}

func (m *metrics) ran(kind string, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.runs.WithLabelValues(kind, result).Inc()
	m.took.Observe(took.Seconds())
}
