package outbox

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	answers  *prometheus.CounterVec
	resolved *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_outbox_answers_total", Help: "Answers to posts and edits, by what they mean.",
		}, []string{"kind", "answer"}),
		resolved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_outbox_in_doubt_resolved_total", Help: "Posts without an answer, by how they were settled.",
		}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.answers, m.resolved)
	}
	return m
}
