package logstore

import (
	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	documents  *prometheus.CounterVec
	tidyErrors prometheus.Counter
	dropped    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, s *Store) *metrics {
	m := &metrics{
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_logstore_documents_total", Help: "Documents offered to the log store, by what became of them: stored, known, or the status of the refusal.",
		}, []string{"outcome"}),
		tidyErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_logstore_tidy_errors_total", Help: "Times the log store could not shorten its log or drop old days.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_logstore_days_dropped_total", Help: "Days of events dropped from the log store, by reason: age or size.",
		}, []string{"reason"}),
	}
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_logstore_bytes", Help: "Bytes the engine of the log store holds on the disk.",
	}, func() float64 {
		done, err := s.use()
		if err != nil {
			return 0
		}
		defer done()
		return float64(s.bytes())
	})
	rows := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_logstore_rows", Help: "Documents in the log store.",
	}, func() float64 {
		done, err := s.use()
		if err != nil {
			return 0
		}
		defer done()
		var stats logstorage.StorageStats
		s.engine.UpdateStats(&stats)
		return float64(stats.RowsCount())
	})
	m.dropped.WithLabelValues("age")
	m.dropped.WithLabelValues("size")
	if r != nil {
		r.MustRegister(m.documents, m.tidyErrors, m.dropped, bytes, rows)
	}
	return m
}
