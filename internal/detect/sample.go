package detect

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"tocsin/internal/query"
)

// The bounds of the documents kept with an alert of many.
const (
	mostSamples  = 3
	mostSampled  = 20 // alerts of one run that get any
	mostDocument = 16 << 10
	sampleWithin = 10 * time.Second
)

// illustrate adds to the alerts of windows found for the first time some of the documents they were made of.
// An alert without any is as good: what fails here is no failure of the run.
func (e *evaluation) illustrate(ctx context.Context, b query.Backend, log *slog.Logger) {
	if e.rule.search.kind != windowed || e.rule.search.carries {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sampleWithin)
	defer cancel()
	for _, place := range e.made[:min(len(e.made), mostSampled)] {
		s := &e.result.episodes[place[0]]
		samples, err := e.rule.search.samples(ctx, b, s, e.now)
		if err != nil {
			log.Debug("no documents could be read for an alert", "rule", e.rule.rule.Name, "error", err)
			return
		}
		if len(samples) == 0 {
			continue
		}
		s.Samples = samples
		a, err := e.rule.ofWindow(s)
		if err != nil {
			s.Samples = nil
			continue
		}
		e.alerts[place[1]].Document = a.Document
	}
}

// samples are the newest documents of a key within an episode. There are none where the key is not made of
// fields of documents.
func (s *search) samples(ctx context.Context, b query.Backend, of *Stored, now time.Time) ([]Sample, error) {
	ask, ok := s.ofKey(of)
	if !ok {
		return nil, nil
	}
	text := s.events
	if ask != "" {
		text += " | search " + ask
	}
	q, err := query.Compile(text+" | head 3", query.Options{
		TimeField: s.timeField, Now: now, Earliest: time.Unix(0, of.First).UTC(), Latest: time.Unix(0, of.LastEnd+1).UTC(), Lookups: s.lookups,
	})
	if err != nil {
		return nil, err
	}
	var out []Sample
	err = s.stream(ctx, q, query.RunOptions{Backend: b, Documents: true}, &found{}, func(_ []string, r *query.Row) error {
		if r.Doc == nil || len(out) == mostSamples {
			return nil
		}
		one := Sample{Index: r.Doc.Index, ID: r.Doc.ID}
		if len(r.Doc.JSON) <= mostDocument {
			one.JSON = strings.Clone(r.Doc.JSON)
		}
		out = append(out, one)
		return nil
	})
	return out, err
}
