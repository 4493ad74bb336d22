package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
)

// gauges keep the numbers that are counted in the database. They are refreshed now and then, so that a
// scrape costs nothing and cannot wait for the database.
type gauges struct {
	ledger *ledger.Ledger
	outbox *outbox.Reader
	alerts *prometheus.GaugeVec
	depth  *prometheus.GaugeVec
	oldest prometheus.Gauge
}

const refreshEvery = 10 * time.Second

func newGauges(l *ledger.Ledger, o *outbox.Reader, r prometheus.Registerer) *gauges {
	g := &gauges{
		ledger: l, outbox: o,
		alerts: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_alerts", Help: "Alerts in the ledger, by fate."}, []string{"fate"}),
		depth:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_outbox_notices", Help: "Notices not said yet, by state, and those given up."}, []string{"state"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tocsin_outbox_oldest_seconds", Help: "Age of the oldest notice not said yet; 0 without one."}),
	}
	r.MustRegister(g.alerts, g.depth, g.oldest)
	return g
}

func (g *gauges) run(ctx context.Context) error {
	for {
		began := time.Now()
		g.refresh(ctx)
		t := time.NewTimer(max(refreshEvery, 50*time.Since(began))) // at most a fiftieth of a core
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// refresh reads the numbers. Where the database cannot be read the old ones stay: its trouble is the
// state's to tell.
func (g *gauges) refresh(ctx context.Context) {
	if counts, err := g.ledger.Count(ctx); err == nil {
		for fate, n := range counts.ByFate {
			g.alerts.WithLabelValues(string(fate)).Set(float64(n))
		}
	}
	d, err := g.outbox.Depth(ctx)
	if err != nil {
		return
	}
	g.depth.WithLabelValues("queued").Set(float64(d.Queued))
	g.depth.WithLabelValues("sending").Set(float64(d.Sending))
	g.depth.WithLabelValues("doubt").Set(float64(d.Doubt))
	g.depth.WithLabelValues("failed").Set(float64(d.Failed))
	age := 0.0
	if !d.Oldest.IsZero() {
		age = max(0, time.Since(d.Oldest).Seconds())
	}
	g.oldest.Set(age)
}
