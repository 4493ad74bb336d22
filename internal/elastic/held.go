package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// heldMost is how many documents are held.
const heldMost = 500

// Held are documents in memory, as a backend that reads them the way the cluster's are read. It is safe for
// concurrent use.
type Held struct {
	backend *Backend
	from    []string
	hits    []Hit
	newest  int64
}

// Hold reads the documents of b that have a time in the field ingested from since on, and one in the field time
// before another, into memory: some more may be among them. From are indices instead of those of b. It gives nil where they are too many, or where the fields are no dates
// everywhere.
func (b *Backend) Hold(ctx context.Context, from []string, ingested string, since time.Time, timeField string, before time.Time) (*Held, error) {
	o, err := b.look(ctx, plan.Read{From: from, TimeField: ingested})
	if err != nil {
		return nil, err
	}
	if o.schemas == nil || !o.timed || len(o.schemas.indices) == 0 {
		return nil, nil
	}
	if typ, absent := o.schemas.typeOf(ingested); absent || typ != "date" && typ != "date_nanos" {
		return nil, nil
	}
	if typ, absent := o.schemas.typeOf(timeField); absent || typ != "date" && typ != "date_nanos" {
		return nil, nil
	}
	within := func(field, op string, ms int64) any {
		return map[string]any{"range": map[string]any{field: map[string]any{op: ms, "format": "epoch_millis"}}}
	}
	body := map[string]any{
		"size": heldMost, "track_total_hits": false,
		"query":       map[string]any{"bool": map[string]any{"filter": []any{within(ingested, "gte", since.UnixMilli())}}},
		"post_filter": within(timeField, "lte", before.UnixMilli()),
		"sort":        []any{map[string]any{ingested: map[string]any{"order": "desc"}}},
		"aggs":        map[string]any{"newest": metric("max", ingested)},
	}
	a, err := b.search(ctx, Search{Indices: o.indices, Body: body, AllowNoIndices: true})
	if err != nil {
		return nil, fmt.Errorf("read what %s took in lately: %w", strings.Join(o.indices, ","), err)
	}
	if len(a.Hits) >= heldMost {
		return nil, nil
	}
	var got struct {
		Newest struct {
			Value *float64 `json:"value"`
		} `json:"newest"`
	}
	if a.Aggregations != nil {
		if err := json.Unmarshal(a.Aggregations, &got); err != nil {
			return nil, fmt.Errorf("read when the newest document was taken in: %w", err)
		}
	}
	h := &Held{backend: b, from: from, hits: a.Hits}
	if got.Newest.Value != nil {
		h.newest = int64(*got.Newest.Value)
	}
	return h, nil
}

// Len is how many documents there are.
func (h *Held) Len() int { return len(h.hits) }

// Newest is the newest time of ingest that there was, whenever the document happened; zero when there was none.
func (h *Held) Newest() time.Time {
	if h.newest == 0 {
		return time.Time{}
	}
	return time.UnixMilli(h.newest).UTC()
}

// Plan takes over nothing.
func (h *Held) Plan(context.Context, plan.Read) (plan.Pushed, error) { return plan.Pushed{}, nil }

// Rows gives the documents, the newest first by their time of ingest.
func (h *Held) Rows(ctx context.Context, r plan.Read, _ plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	if r.From != nil {
		return plan.Cost{}, fmt.Errorf("documents in memory were read of their own indices, not of %s", strings.Join(r.From, ","))
	}
	if len(h.hits) == 0 {
		return plan.Cost{}, nil
	}
	r.From = h.from
	o, err := h.backend.look(ctx, r)
	if err != nil {
		return plan.Cost{}, err
	}
	reader := newDocumentReader(o, schema, emit)
	for i := range h.hits {
		if err := reader.give(&h.hits[i]); err != nil {
			return reader.cost, err
		}
	}
	return reader.cost, nil
}
