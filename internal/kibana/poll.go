package kibana

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
)

const (
	// listMost is how many documents the one request of a poll can list. A window that holds more is
	// listed by a scan.
	listMost = 2000
	// listPage is how many ids one page of such a scan has.
	listPage = 10_000
	// hitsMost is the most a cluster gives in one answer unless it was configured otherwise.
	hitsMost = 10_000
)

// queue is what a poll found to be new or changed, in order of time.
type queue struct {
	hits   []elastic.Hit // without their documents
	began  time.Time     // the cluster's time when they were listed
	cursor time.Time     // where the cursor will be when all are read
}

// poll lists the window by ids and keeps for reading what the memory does not hold.
func (s *Source) poll(ctx context.Context) error {
	size := listMost
	if len(s.memory) > listMost {
		size = 1 // it would not be all of them; see clockBody
	}
	body := obj{
		"size": size, "_source": false, "seq_no_primary_term": true, "track_total_hits": true,
		"sort": byTime, "query": s.state.window(s.o.Overlap), "aggs": clockAggs,
	}
	r, err := s.o.Client.Search(ctx, elastic.Search{Indices: s.located, Body: body})
	if err != nil {
		return err
	}
	now, _, err := clock(r)
	if err != nil {
		return err
	}
	hits := r.Hits
	if r.Total > int64(len(hits)) {
		if hits, err = s.list(ctx, s.state.window(s.o.Overlap)); err != nil {
			return err
		}
	}
	s.metrics.listed.Add(float64(len(hits)))
	q := &queue{began: now, cursor: s.state.Cursor}
	next := make(memory, len(hits))
	for i := range hits {
		h := &hits[i]
		if t, ok := sortTime(h); ok && t.After(q.cursor) && !t.After(now) {
			q.cursor = t
		}
		if k := keyOf(h); s.memory.has(h, k) {
			next[k] = s.memory[k]
		} else {
			q.hits = append(q.hits, *h)
		}
	}
	s.memory = next
	if len(q.hits) == 0 {
		s.finish(q)
		return nil
	}
	s.queue = q
	return nil
}

// list reads all ids that match, however many, in order of time.
func (s *Source) list(ctx context.Context, query obj) ([]elastic.Hit, error) {
	pages := s.o.Client.Scan(elastic.Scan{
		Indices: s.located, Query: query, Sort: byTime, Source: false, Size: listPage, Body: obj{"seq_no_primary_term": true},
	})
	defer closePages(ctx, pages, s.log)
	var out []elastic.Hit
	for {
		hits, err := pages.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
}

// queuePart reads the next of the queue in full. What is no longer found, or not yet on the copy of the
// shard that was asked, is not remembered, so the next poll lists it again.
func (s *Source) queuePart(ctx context.Context) (alert.Batch, error) {
	q := s.queue
	n := min(s.o.PageSize, len(q.hits))
	part := q.hits[:n]
	hits, err := s.documents(ctx, idsOf(part))
	if err != nil {
		return alert.Batch{}, err
	}
	batch := alert.Batch{}
	if batch.Alerts, err = s.alerts(hits, false); err != nil {
		return batch, err
	}
	for i := range hits {
		s.memory.add(&hits[i], keyOf(&hits[i]))
	}
	q.hits = q.hits[n:]
	if len(q.hits) == 0 {
		s.queue = nil
		s.finish(q)
		return batch, nil
	}
	if t, ok := sortTime(&part[n-1]); ok && t.After(s.state.Cursor) && !t.After(q.began) {
		s.state.Cursor = t
	}
	batch.Lag = q.cursor.Sub(s.state.Cursor)
	return batch, nil
}

// finish moves the state past a window that was read to its end.
func (s *Source) finish(q *queue) {
	s.state.Cursor, s.state.Complete = q.cursor, q.began
	s.state.bound(q.began)
}

func idsOf(hits []elastic.Hit) []string {
	out := make([]string, 0, len(hits))
	known := make(map[string]bool, len(hits))
	for _, h := range hits {
		if !known[h.ID] {
			known[h.ID] = true
			out = append(out, h.ID)
		}
	}
	return out
}

// documents reads documents in full by their ids, each from every index that has it.
func (s *Source) documents(ctx context.Context, ids []string) ([]elastic.Hit, error) {
	return s.byID(ctx, ids, sourceFilter)
}

func (s *Source) byID(ctx context.Context, ids []string, source any) ([]elastic.Hit, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	r, err := s.o.Client.Search(ctx, elastic.Search{Indices: s.located, Body: obj{
		"size": min(hitsMost, 2*len(ids)+10), "_source": source, "seq_no_primary_term": true, "track_total_hits": true,
		"sort": byTime, "query": obj{"ids": obj{"values": ids}},
	}})
	if err != nil {
		return nil, err
	}
	if r.Total <= int64(len(r.Hits)) {
		return r.Hits, nil
	}
	if len(ids) == 1 {
		return nil, fmt.Errorf("the document %q is in more than %d indices", ids[0], len(r.Hits))
	}
	var out []elastic.Hit
	for _, half := range [][]string{ids[:len(ids)/2], ids[len(ids)/2:]} {
		hits, err := s.byID(ctx, half, source)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	return out, nil
}

// liveMost is how many ids one poll looks at again; more take turns.
const liveMost = 1000

// readLive looks at alerts whose messages can still change, where documents were seen whose status
// changes without a time of change.
func (s *Source) readLive(ctx context.Context, ids []string) (alert.Batch, error) {
	if !s.state.Untimed || len(ids) == 0 {
		return alert.Batch{}, nil
	}
	if s.liveAt >= len(ids) {
		s.liveAt = 0
	}
	part := ids[s.liveAt:min(s.liveAt+min(liveMost, s.o.PageSize), len(ids))]
	s.liveAt += len(part)
	hits, err := s.byID(ctx, part, false)
	if err != nil {
		return alert.Batch{}, err
	}
	s.metrics.listed.Add(float64(len(hits)))
	var changed []elastic.Hit
	for i := range hits {
		k := keyOf(&hits[i])
		if !s.live.has(&hits[i], k) && !s.memory.has(&hits[i], k) {
			changed = append(changed, hits[i])
		}
	}
	documents, err := s.documents(ctx, idsOf(changed))
	if err != nil {
		return alert.Batch{}, err
	}
	alerts, err := s.alerts(documents, false)
	if err != nil {
		return alert.Batch{}, err
	}
	if len(s.live) > memoryMost {
		clear(s.live)
	}
	for i := range documents {
		s.live.add(&documents[i], keyOf(&documents[i]))
	}
	return alert.Batch{Alerts: alerts}, nil
}
