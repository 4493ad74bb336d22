package web

import (
	"context"
	"sync"
	"time"

	"tocsin/internal/ledger"
)

// counted are the ledger's counts for pages, which all show them and ask again while they are open. They are counted
// again once ten times as long as counting took has gone by, so that with many alerts and many open pages counting
// takes a tenth of one core at most. It may be used concurrently.
type counted struct {
	mu     sync.Mutex
	counts ledger.Counts
	until  time.Time
}

// counts are what pages show. Who asks must not change them.
func (w *Web) counts(ctx context.Context) (ledger.Counts, error) {
	w.counted.mu.Lock() // those who come meanwhile wait for the same counts
	defer w.counted.mu.Unlock()
	began := time.Now()
	if began.Before(w.counted.until) {
		return w.counted.counts, nil
	}
	counts, err := w.ledger.Count(ctx)
	if err != nil {
		return ledger.Counts{}, err
	}
	took := time.Since(began)
	w.counted.counts, w.counted.until = counts, began.Add(10*took)
	return counts, nil
}
