package intake_test

import (
	"context"
	"fmt"
	"testing"

	"tocsin/internal/alert"
)

// BenchmarkCommit takes in batches of 500 alerts of 40 rules, grouped by rule.
func BenchmarkCommit(b *testing.B) {
	h := newHouse(b, b.TempDir(), &channel{}, byRule())
	defer h.db.Close()
	n := 0
	for b.Loop() {
		batch := alert.Batch{Source: "s"}
		for range 500 {
			n++
			batch.Alerts = append(batch.Alerts, one(fmt.Sprint("rule", n%40), n))
		}
		if _, err := h.intake.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/alert")
}
