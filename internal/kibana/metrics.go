package kibana

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	lag       prometheus.Gauge
	documents prometheus.Counter
	listed    prometheus.Counter
	late      prometheus.Counter
}

// newMetrics registers with the source's name as a label; a nil registerer registers nothing.
func newMetrics(r prometheus.Registerer, source string) (*metrics, error) {
	m := &metrics{
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_kibana_lag_seconds", Help: "How far behind the newest alert of the index the last batch ended; 0 when caught up.",
		}),
		documents: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_kibana_documents_read_total", Help: "Alert documents read in full.",
		}),
		listed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_kibana_documents_listed_total", Help: "Alert documents of which only the id was read, to see what is new or changed.",
		}),
		late: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_kibana_sweep_found_total", Help: "Alerts a sweep found that polls had missed.",
		}),
	}
	if r == nil {
		return m, nil
	}
	r = prometheus.WrapRegistererWith(prometheus.Labels{"source": source}, r)
	for _, c := range []prometheus.Collector{m.lag, m.documents, m.listed, m.late} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
