package kibana

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
)

// scan is a reading of whole documents in order of time: the first one, and the first after a restart
// or an error.
type scan struct {
	pages  *elastic.Pages
	began  time.Time // the cluster's
	newest time.Time // of the index, not beyond began
	next   memory
	// Copies of one alert in two indices have one @timestamp and stand together, but a page may end
	// between them: these are the alerts of the last time read.
	edge     time.Time
	edgeSeen map[string]alert.Alert
}

func (c *scan) close(ctx context.Context, log *slog.Logger) { closePages(ctx, c.pages, log) }

func closePages(ctx context.Context, p *elastic.Pages, log *slog.Logger) {
	if err := p.Close(ctx); err != nil {
		log.Debug("open search not freed", "error", err.Error())
	}
}

// startScan begins to read the window in full.
func (s *Source) startScan(ctx context.Context) error {
	r, err := s.o.Client.Search(ctx, elastic.Search{Indices: s.located, Body: clockBody})
	if err != nil {
		return err
	}
	now, newest, err := clock(r)
	if err != nil {
		return err
	}
	s.state.bound(now)
	if s.state.Complete.IsZero() {
		// Should the first reading be broken off: what it has read may be changed from now on.
		s.state.Complete = now
	}
	if newest.After(now) {
		newest = now
	}
	s.scan = &scan{
		pages: s.o.Client.Scan(elastic.Scan{
			Indices: s.located, Query: s.state.window(s.o.Overlap), Sort: byTime, Source: sourceFilter, Size: s.o.PageSize,
			Body: obj{"seq_no_primary_term": true},
		}),
		began: now, newest: newest, next: memory{}, edgeSeen: map[string]alert.Alert{},
	}
	return nil
}

// scanPage reads the next page. At the end the memory holds the window, and ids suffice from then on.
func (s *Source) scanPage(ctx context.Context) (alert.Batch, error) {
	c := s.scan
	hits, err := c.pages.Next(ctx)
	if errors.Is(err, io.EOF) {
		s.memory, s.warm, s.scan = c.next, true, nil
		s.state.Complete = c.began
		return alert.Batch{}, nil
	}
	if err != nil {
		return alert.Batch{}, err
	}
	st := s.state
	fresh := hits[:0:0]
	for i := range hits {
		h := &hits[i]
		if t, ok := sortTime(h); ok && t.After(st.Cursor) && !t.After(c.began) {
			st.Cursor = t
		}
		k := keyOf(h)
		c.next.add(h, k)
		if !s.memory.has(h, k) {
			fresh = append(fresh, *h)
		}
	}
	batch := alert.Batch{}
	if batch.Alerts, err = s.alerts(fresh, false); err != nil {
		return batch, err
	}
	batch.Alerts = c.withoutCopies(batch.Alerts)
	st.Untimed = s.state.Untimed
	s.state = st
	c.next.trim(st.from(s.o.Overlap))
	batch.Lag = c.newest.Sub(st.Cursor)
	return batch, nil
}

// withoutCopies leaves out what is an older copy of an alert of the page before.
func (c *scan) withoutCopies(alerts []alert.Alert) []alert.Alert {
	out := alerts[:0]
	for _, a := range alerts {
		if !a.Time.Equal(c.edge) {
			c.edge = a.Time
			clear(c.edgeSeen)
		}
		if before, ok := c.edgeSeen[a.SourceID]; ok && !newer(&a, &before) {
			continue
		}
		c.edgeSeen[a.SourceID] = alert.Alert{Updated: a.Updated, Index: a.Index}
		out = append(out, a)
	}
	return out
}
