package logstore

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Late calls visit with the documents of indices that were taken in after since, a Document.Seq, and whose time
// is before another, in no order; it returns the error of visit if it has one. last is the newest seq there was
// when it began. What was taken in within the last moments may not be visible yet: who goes on from last has to
// look at them again.
func (s *Store) Late(ctx context.Context, indices []string, since int64, before time.Time, visit func(Document) error) (last int64, err error) {
	done, err := s.use()
	if err != nil {
		return 0, err
	}
	defer done()
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for other searches: %w", ctx.Err())
	}
	last = s.lastSeq.Load()
	if since >= last || since == math.MaxInt64 {
		return last, nil
	}
	var included []string
	for _, p := range indices {
		if p != "" && p[0] != '-' {
			included = append(included, p)
		}
	}
	part := span{math.MinInt64, nanos(before) - 1}
	err = s.documents(ctx, both(indexFilter(included), seqFilter(since+1, last)), part, func(d Document) error {
		if d.Seq <= since || d.Seq > last || !d.Time.Before(before) || !wanted(indices, d.Index) {
			return nil
		}
		return visit(d)
	})
	return last, err
}
