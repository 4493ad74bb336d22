package kibana

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
)

// sweep looks, by ids alone, for documents that came into the index after polls had read past their time.
type sweep struct {
	pages   *elastic.Pages
	missing []string // found missing and not read yet
}

func (w *sweep) close(ctx context.Context, log *slog.Logger) { closePages(ctx, w.pages, log) }

// sweepOn goes on with a sweep, or begins one that is due. It ends at the overlap, which polls read.
func (s *Source) sweepOn(ctx context.Context, missing func(context.Context, []string) ([]string, error)) (alert.Batch, error) {
	if s.sweep == nil {
		now := s.state.Complete
		if missing == nil || now.Sub(s.state.Swept) < s.o.SweepEvery {
			s.due.sweep = false
			return alert.Batch{}, nil
		}
		to := s.state.from(s.o.Overlap)
		// Counted from the last sweep, so that a long time without tocsin leaves no gap.
		from := s.state.Swept.Add(-s.o.Sweep)
		if s.state.Floor.After(from) {
			from = s.state.Floor
		}
		if !from.Before(to) {
			s.state.Swept, s.due.sweep = now, false
			return alert.Batch{}, nil
		}
		s.sweep = &sweep{pages: s.o.Client.Scan(elastic.Scan{
			Indices: s.located, Sort: byTime, Source: false, Size: listPage,
			Query: obj{"bool": obj{"filter": list{timeRange("@timestamp", "gte", from), timeRange("@timestamp", "lt", to)}}},
		})}
	}
	w := s.sweep
	for len(w.missing) == 0 {
		hits, err := w.pages.Next(ctx)
		if errors.Is(err, io.EOF) {
			s.state.Swept, s.sweep, s.due.sweep = s.state.Complete, nil, false
			return alert.Batch{}, nil
		}
		if err != nil {
			return alert.Batch{}, err
		}
		s.metrics.listed.Add(float64(len(hits)))
		if w.missing, err = missing(ctx, idsOf(hits)); err != nil {
			return alert.Batch{}, err
		}
	}
	n := min(s.o.PageSize, len(w.missing))
	hits, err := s.documents(ctx, w.missing[:n])
	if err != nil {
		return alert.Batch{}, err
	}
	alerts, err := s.alerts(hits, true)
	if err != nil {
		return alert.Batch{}, err
	}
	w.missing = w.missing[n:]
	s.metrics.late.Add(float64(len(alerts)))
	if len(alerts) > 0 {
		s.log.Info("sweep found alerts that came late into the index", "alerts", len(alerts))
	}
	return alert.Batch{Alerts: alerts}, nil
}
