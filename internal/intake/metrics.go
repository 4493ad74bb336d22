package intake

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

type metrics struct {
	alerts *prometheus.CounterVec
	commit prometheus.Histogram
	lag    *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_intake_alerts_total", Help: "Alerts recorded, by source and by whether they were new or changed.",
		}, []string{"source", "change"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_intake_commit_seconds", Help: "Time of one commit of a batch.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_intake_lag_seconds", Help: "How far behind the source's newest alert the last batch ended.",
		}, []string{"source"}),
	}
	if r != nil {
		r.MustRegister(m.alerts, m.commit, m.lag)
	}
	return m
}

func (m *metrics) observe(b alert.Batch, c *commit, took time.Duration) {
	m.commit.Observe(took.Seconds())
	if b.Source == "" {
		return
	}
	m.alerts.WithLabelValues(b.Source, "fresh").Add(float64(c.fresh))
	m.alerts.WithLabelValues(b.Source, "updated").Add(float64(c.updated))
	m.lag.WithLabelValues(b.Source).Set(b.Lag.Seconds())
}

// same reports whether two lists of items read the same.
func same(a, b []notice.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Same(b[i]) {
			return false
		}
	}
	return true
}
