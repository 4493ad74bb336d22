package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/query/dsl"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// What one request for busy bins may ask for. Clusters make no more than 65,535 buckets.
const (
	busyBins  = 64  // of time: to collect a bin's values a cluster goes through those of all bins
	busyTerms = 100 // values of the key in each
	busyParts = 32  // such requests are sent as one
)

// Busy calls emit with each value of the key and the start of each bin of time, in nanoseconds, in which
// it has at least so many documents, and with how many they may be at most. It reports false where the cluster does
// not tell them all: then what was given means nothing.
func (b *Backend) Busy(ctx context.Context, r plan.Read, want plan.Busy, emit func(key row.Value, bin, rows int64) error) (bool, plan.Cost, error) {
	var cost plan.Cost
	o, err := b.look(ctx, r)
	if err != nil {
		return false, cost, err
	}
	g := o.groups(want.Aggregate())
	if g == nil || !o.isoTime() || g.keys[0].kind == dsl.IndexDate {
		return false, cost, nil
	}
	if fits, err := o.prove(ctx, proofs{short: g.proofs.short}); err != nil || !fits {
		return false, cost, err
	}
	from, to, err := o.span(ctx)
	cost.Requests++
	if err != nil {
		return false, cost, err
	}
	var parts []stretch
	for step := busyBins * want.Bin.Milliseconds(); from < to; {
		end := min(to, (from/step+1)*step)
		parts = append(parts, stretch{from, end})
		from = end
	}
	least := want.Least
	for len(parts) > 0 {
		some := parts[:min(len(parts), busyParts)]
		bins, shards, ok, err := o.busy(ctx, g.keys[0], want.Bin, least, some)
		cost.Requests++
		if err != nil || !ok {
			return false, cost, err
		}
		// Of what all shards have together, one has its part: each must be asked for no more than that. A shard with
		// fewer may have kept them to itself.
		shards = max(1, shards)
		if part := (want.Least + shards - 1) / shards; part < least {
			if least = part; least < 2 {
				return false, cost, nil
			}
			continue
		}
		for _, bin := range bins {
			if err := emit(bin.key, bin.at*int64(time.Millisecond), bin.rows+(shards-1)*(least-1)); err != nil {
				return false, cost, err
			}
		}
		parts = parts[len(some):]
	}
	return true, cost, nil
}

// Precision is a millisecond where the index keeps dates in milliseconds, whatever else their documents write.
func (b *Backend) Precision(ctx context.Context, r plan.Read) (time.Duration, error) {
	o, err := b.look(ctx, r)
	if err != nil {
		return 0, err
	}
	if o.isoTime() {
		return time.Millisecond, nil
	}
	return 0, nil
}

// stretch is a part of time, [from, to) in milliseconds.
type stretch struct{ from, to int64 }

// span is the time that the documents of the read lie in, in milliseconds, half open.
func (o *outlook) span(ctx context.Context) (from, to int64, err error) {
	from, to = o.read.Earliest.UnixMilli(), o.read.Latest.UnixMilli()+1
	if !o.read.Earliest.IsZero() && !o.read.Latest.IsZero() {
		return from, to, nil
	}
	body := map[string]any{"size": 0, "track_total_hits": false, "aggs": map[string]any{
		"from": metric("min", o.read.TimeField), "to": metric("max", o.read.TimeField),
	}}
	if o.wide != nil {
		body["query"] = o.wide
	}
	a, err := o.backend.search(ctx, Search{Indices: o.indices, Body: body, AllowNoIndices: true})
	if err != nil {
		return 0, 0, fmt.Errorf("read the first and the last time: %w", err)
	}
	var got struct {
		From, To struct {
			Value *float64 `json:"value"`
		}
	}
	if a.Aggregations != nil {
		if err := json.Unmarshal(a.Aggregations, &got); err != nil {
			return 0, 0, fmt.Errorf("read the first and the last time: %w", err)
		}
	}
	if got.From.Value == nil || got.To.Value == nil {
		return 0, 0, nil
	}
	return int64(*got.From.Value), int64(*got.To.Value) + 1, nil
}

// busyBin is a value of the key with many documents, when, the start of a bin in milliseconds, and how many.
type busyBin struct {
	key      row.Value
	at, rows int64
}

// busy asks for the bins of stretches of time in which a shard has so many documents of a value at least,
// and tells how many shards there are. ok is false where they are not all.
func (o *outlook) busy(ctx context.Context, key groupKey, bin time.Duration, least int64, parts []stretch) (out []busyBin, shards int64, ok bool, err error) {
	searches := make([]Search, len(parts))
	for i, p := range parts {
		within := []any{map[string]any{"range": map[string]any{o.read.TimeField: map[string]any{"gte": p.from, "lt": p.to, "format": "epoch_millis"}}}}
		if o.wide != nil {
			within = append(within, o.wide)
		}
		searches[i] = Search{Indices: o.indices, AllowNoIndices: true, Body: map[string]any{
			"size": 0, "track_total_hits": false, "query": map[string]any{"bool": map[string]any{"filter": within}},
			"aggs": map[string]any{"bins": map[string]any{
				"date_histogram": map[string]any{"field": o.read.TimeField, "fixed_interval": fmt.Sprint(bin.Milliseconds(), "ms"), "min_doc_count": least},
				"aggs": map[string]any{"keys": map[string]any{"terms": map[string]any{
					"field": key.field, "size": busyTerms, "shard_size": busyTerms, "min_doc_count": least, "shard_min_doc_count": least,
				}}},
			}},
		}}
	}
	var answers []*Response
	if len(searches) == 1 {
		var one *Response
		one, err = o.backend.search(ctx, searches[0])
		answers = []*Response{one}
	} else {
		answers, err = o.backend.client.MultiSearch(ctx, searches)
	}
	var refused *Error
	if errors.As(err, &refused) && refused.Status != 401 && (refused.Status != 403 || len(searches) > 1) {
		return nil, 0, false, nil // too much for the cluster at once, or many searches are not allowed: it is read in other ways
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("find when %s has many documents: %w", key.column, err)
	}
	for _, a := range answers {
		bins, whole, err := key.busy(a.Aggregations)
		if err != nil || !whole {
			return nil, 0, false, err
		}
		out, shards = append(out, bins...), max(shards, int64(a.Shards.Total))
	}
	return out, shards, true, nil
}

// busy reads the bins of an answer. It reports false where a shard may have had more.
func (k *groupKey) busy(aggregations json.RawMessage) (out []busyBin, whole bool, err error) {
	var got struct {
		Bins struct {
			Buckets []struct {
				Key  int64 `json:"key"`
				Keys struct {
					Error   int64                        `json:"doc_count_error_upper_bound"`
					Buckets []map[string]json.RawMessage `json:"buckets"`
				} `json:"keys"`
			} `json:"buckets"`
		} `json:"bins"`
	}
	if aggregations != nil {
		if err := json.Unmarshal(aggregations, &got); err != nil {
			return nil, false, fmt.Errorf("read when %s has many documents: %w", k.column, err)
		}
	}
	for _, b := range got.Bins.Buckets {
		if len(b.Keys.Buckets) >= busyTerms || b.Keys.Error > 0 {
			return nil, false, nil // a shard hands over its largest ones only
		}
		for _, bucket := range b.Keys.Buckets {
			v, err := k.value(bucket["key"])
			if err != nil {
				return nil, false, fmt.Errorf("read the key %s: %w", k.column, err)
			}
			var rows int64
			if err := json.Unmarshal(bucket["doc_count"], &rows); err != nil {
				return nil, false, fmt.Errorf("read how many documents there are of a key: %w", err)
			}
			out = append(out, busyBin{v, b.Key, rows})
		}
	}
	return out, true, nil
}
