package slack

import "github.com/prometheus/client_golang/prometheus"

// metrics counts Slack's answers. result is ok, duplicate, limited, retry, rejected, gone, unread
// (history that may not be read), unknown or unreachable.
type metrics struct {
	answers *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_slack_answers_total",
			Help: "Answers of Slack by method and what they mean.",
		}, []string{"method", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tocsin_slack_request_seconds",
			Help:    "Time from sending a request to the end of Slack's answer.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.answers, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
