package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tocsin/internal/jsonscan"
	"tocsin/internal/query/dsl"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// groups is a grouping as an aggregation of the cluster.
type groups struct {
	// twice asks for a lone key of time twice. OpenSearch 3.5 has a faster way for a composite of one
	// date_histogram, which fails on some shards with an index out of bounds.
	twice  bool
	keys   []groupKey
	aggs   []groupAgg
	proofs proofs
}

type groupKey struct {
	column, field string
	kind          dsl.IndexKind
	interval      int64 // milliseconds of the bins of a date
}

type groupAgg struct {
	column, function, field string
	kind                    dsl.IndexKind
}

// groupPage is how many groups are asked for at a time; clusters give no more than 65,535.
const groupPage = 10_000

// groups is the aggregation of a, or nil where the cluster's would not be exact.
func (o *outlook) groups(a *plan.Aggregate) *groups {
	if o.schemas == nil || a.UseNull || !o.timed {
		return nil
	}
	g := &groups{}
	for _, b := range a.By {
		k := groupKey{column: b.Column(), field: b.Field.Name}
		if !b.Size.IsZero() {
			length, fixed := b.Size.Duration.Fixed()
			if b.Size.Number != "" || !fixed || b.Size.Duration.Unit == "w" || k.field != o.read.TimeField || !o.isoTime() {
				return nil
			}
			k.kind, k.interval = dsl.IndexDate, length.Milliseconds()
			g.proofs.single = append(g.proofs.single, k.field)
			g.keys = append(g.keys, k)
			continue
		}
		x := o.value(k.field)
		if k.field, k.kind = x.Name, x.Kind; !g.proofs.distinct(x) {
			return nil
		}
		g.keys = append(g.keys, k)
	}
	for _, f := range a.Aggs {
		agg := groupAgg{column: f.Column(), function: f.Func}
		if f.Field == nil {
			if f.Func != "count" || f.Expr != nil {
				return nil
			}
			g.aggs = append(g.aggs, agg)
			continue
		}
		x := o.value(f.Field.Name)
		agg.field, agg.kind = x.Name, x.Kind
		whole := x.Kind == dsl.IndexInteger
		switch f.Func {
		case "count":
			if !whole && x.Kind != dsl.IndexDouble && x.Kind != dsl.IndexBoolean {
				return nil // of equal texts in one document the index keeps one
			}
		case "sum", "avg":
			if !whole {
				return nil // the sum of doubles depends on their order
			}
			g.proofs.summed = append(g.proofs.summed, agg.field)
		case "min", "max", "range":
			if !whole && (x.Kind != dsl.IndexDouble || f.Func == "range") {
				return nil
			}
			if whole {
				g.proofs.doubled = append(g.proofs.doubled, agg.field)
			}
		case "dc":
			if !g.proofs.distinct(x) {
				return nil
			}
		default:
			return nil
		}
		g.aggs = append(g.aggs, agg)
	}
	g.twice = !o.schemas.ignored && len(g.keys) == 1 && g.keys[0].interval > 0
	for _, list := range []*[]string{&g.proofs.single, &g.proofs.short, &g.proofs.summed, &g.proofs.doubled} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return g
}

// distinct adds the proofs that the groups of a field are those of its values, if there are any.
func (p *proofs) distinct(x dsl.Indexed) bool {
	switch x.Kind {
	case dsl.IndexKeyword:
		if x.IgnoreAbove > 0 {
			if x.Ignored == "" {
				return false
			}
			p.short = append(p.short, x.Ignored)
		}
		return true
	case dsl.IndexInteger, dsl.IndexBoolean:
		p.single = append(p.single, x.Name)
		return true
	}
	return x.Kind == dsl.IndexIP
}

// value is the index of a column of documents, which multi-fields are not.
func (o *outlook) value(name string) dsl.Indexed {
	for i := range o.schemas.indices {
		if f, absent, ok := o.schemas.indices[i].find(name); ok && !absent && f.multi != "" {
			return dsl.Indexed{}
		}
	}
	x := o.schemas.indexed(name, false)
	if x.Plain {
		return dsl.Indexed{}
	}
	return x
}

// body is the request for one page of groups.
func (g *groups) body(q query, after json.RawMessage) map[string]any {
	aggs := map[string]any{}
	for i, a := range g.aggs {
		add := func(kind string) { aggs[fmt.Sprint("a", i, kind)] = metric(kind, a.field) }
		switch {
		case a.field == "", a.function == "dc":
		case a.function == "count":
			add("value_count")
		case a.function == "sum", a.function == "avg":
			add("value_count")
			add("sum")
		case a.function == "range":
			add("min")
			add("max")
		default:
			add(a.function)
		}
	}
	body := map[string]any{"size": 0, "track_total_hits": len(g.keys) == 0}
	if q != nil {
		body["query"] = q
	}
	if len(g.keys) == 0 {
		if len(aggs) > 0 {
			body["aggs"] = aggs
		}
		return body
	}
	sources := make([]any, len(g.keys), len(g.keys)+1)
	for i, k := range g.keys {
		source := any(map[string]any{"terms": map[string]any{"field": k.field}})
		if k.interval > 0 {
			source = map[string]any{"date_histogram": map[string]any{"field": k.field, "fixed_interval": fmt.Sprint(k.interval, "ms")}}
		}
		sources[i] = map[string]any{fmt.Sprint("k", i): source}
		if g.twice {
			sources = append(sources, map[string]any{"again": source})
		}
	}
	composite := map[string]any{"size": groupPage, "sources": sources}
	if after != nil {
		composite["after"] = after
	}
	groups := map[string]any{"composite": composite}
	if len(aggs) > 0 {
		groups["aggs"] = aggs
	}
	body["aggs"] = map[string]any{"groups": groups}
	return body
}

// aggregate reads the groups.
func (o *outlook) aggregate(ctx context.Context, g *groups, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	r := groupReader{outlook: o}
	slots := make([]int, 0, len(g.keys)+len(g.aggs))
	for _, k := range g.keys {
		slots = append(slots, schema.Slot(k.column))
	}
	distinct := make([]map[string]int64, len(g.aggs))
	for i, a := range g.aggs {
		slots = append(slots, schema.Slot(a.column))
		if a.function != "dc" {
			continue
		}
		var err error
		if distinct[i], err = r.distinct(ctx, g, a); err != nil {
			return r.cost, err
		}
	}
	out := row.Row{}
	err := r.pages(ctx, g, func(keys []row.Value, bucket map[string]json.RawMessage, count int64) error {
		out.Vals = append(out.Vals[:0], make([]row.Value, schema.Len())...)
		for i, v := range keys {
			out.Set(slots[i], v)
		}
		for i, a := range g.aggs {
			var v row.Value
			if a.function == "dc" {
				v = row.NewInt(distinct[i][keyOf(keys)])
			} else {
				var err error
				if v, err = a.value(bucket, i, count); err != nil {
					return fmt.Errorf("read %s of a group: %w", a.column, err)
				}
			}
			out.Set(slots[len(g.keys)+i], v)
		}
		r.cost.Rows++
		return emit(&out)
	})
	return r.cost, err
}

func keyOf(keys []row.Value) string {
	var b []byte
	for _, k := range keys {
		b = k.AppendKey(b)
	}
	return string(b)
}

// groupReader reads pages of groups.
type groupReader struct {
	outlook *outlook
	cost    plan.Cost
}

// finer are the groups by the keys and the field of an aggregate.
func (g *groups) finer(a groupAgg) *groups {
	return &groups{keys: append(slices.Clone(g.keys), groupKey{column: a.column, field: a.field, kind: a.kind})}
}

// distinct counts the values of a field in each group: the groups by the keys and the field.
func (r *groupReader) distinct(ctx context.Context, g *groups, a groupAgg) (map[string]int64, error) {
	out := map[string]int64{}
	err := r.pages(ctx, g.finer(a), func(keys []row.Value, _ map[string]json.RawMessage, _ int64) error {
		out[keyOf(keys[:len(g.keys)])]++
		return nil
	})
	return out, err
}

// pages calls each with every group; without keys that is one, of all documents. While a page is read the
// cluster works at the next one.
func (r *groupReader) pages(ctx context.Context, g *groups, each func(keys []row.Value, bucket map[string]json.RawMessage, count int64) error) error {
	page := func(ctx context.Context, after json.RawMessage) (json.RawMessage, int64, error) {
		a, err := r.outlook.backend.search(ctx, Search{Indices: r.outlook.indices, Body: g.body(r.outlook.wide, after), AllowNoIndices: true})
		if err != nil {
			return nil, 0, fmt.Errorf("aggregate %s: %w", strings.Join(r.outlook.indices, ","), err)
		}
		return a.Aggregations, a.Total, nil
	}
	if len(g.keys) == 0 {
		answer, total, err := page(ctx, nil)
		r.cost.Requests++
		if err != nil {
			return err
		}
		r.cost.Bytes += int64(len(answer))
		values := map[string]json.RawMessage{}
		if answer != nil {
			if err := json.Unmarshal(answer, &values); err != nil {
				return fmt.Errorf("read the aggregation: %w", err)
			}
		}
		return each(nil, values, total)
	}
	next := begin(ctx, func(ctx context.Context) (json.RawMessage, error) {
		answer, _, err := page(ctx, nil)
		return answer, err
	})
	defer func() { next.end() }()
	keys := make([]row.Value, len(g.keys))
	for {
		answer, err := next.wait()
		r.cost.Requests++
		if err != nil {
			return err
		}
		r.cost.Bytes += int64(len(answer))
		after, err := afterKey(answer)
		if err != nil {
			return fmt.Errorf("read the groups: %w", err)
		}
		// A page that is not full is the last. What names no more buckets than fit has no more.
		if after != nil && bytes.Count(answer, []byte(`"doc_count"`)) < groupPage {
			after = nil
		}
		if after != nil {
			next = begin(ctx, func(ctx context.Context) (json.RawMessage, error) {
				answer, _, err := page(ctx, after)
				return answer, err
			})
		}
		n, err := g.read(answer, keys, each)
		if err != nil || n == 0 || after == nil {
			return err
		}
	}
}

// afterKey is where a page of groups ends; nil when it is the last.
func afterKey(answer json.RawMessage) (after json.RawMessage, err error) {
	if answer == nil {
		return nil, nil
	}
	err = jsonscan.Object(answer, func(name string, groups []byte) error {
		if name != "groups" {
			return nil
		}
		return jsonscan.Object(groups, func(name string, value []byte) error {
			if name == "after_key" {
				after = value
			}
			return nil
		})
	})
	return after, err
}

// read calls each with the groups of a page and counts them.
func (g *groups) read(answer json.RawMessage, keys []row.Value, each func(keys []row.Value, bucket map[string]json.RawMessage, count int64) error) (int, error) {
	var page struct {
		Groups struct {
			Buckets []map[string]json.RawMessage `json:"buckets"`
		} `json:"groups"`
	}
	if answer != nil {
		if err := json.Unmarshal(answer, &page); err != nil {
			return 0, fmt.Errorf("read the groups: %w", err)
		}
	}
	for _, bucket := range page.Groups.Buckets {
		var count int64
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(bucket["doc_count"], &count); err != nil {
			return 0, fmt.Errorf("read the size of a group: %w", err)
		}
		if err := json.Unmarshal(bucket["key"], &raw); err != nil {
			return 0, fmt.Errorf("read the key of a group: %w", err)
		}
		for i, k := range g.keys {
			var err error
			if keys[i], err = k.value(raw[fmt.Sprint("k", i)]); err != nil {
				return 0, fmt.Errorf("read the key %s of a group: %w", k.column, err)
			}
		}
		if err := each(keys, bucket, count); err != nil {
			return 0, err
		}
	}
	return len(page.Groups.Buckets), nil
}

// value reads a key as rows have it.
func (k *groupKey) value(raw json.RawMessage) (row.Value, error) {
	v, err := row.Parse(string(raw))
	if err != nil {
		return v, err
	}
	switch k.kind {
	case dsl.IndexDate:
		if v.Kind() != row.Int {
			return v, fmt.Errorf("%s is no time", raw)
		}
		return row.NewTimeNano(v.Int() * 1e6), nil
	case dsl.IndexBoolean:
		if n, ok := v.Number(); ok {
			return row.NewBool(n.Int() != 0), nil
		}
		return toBoolean(v), nil
	}
	return v, nil
}

// value reads the i-th aggregate of a group of count documents.
func (a *groupAgg) value(bucket map[string]json.RawMessage, i int, count int64) (row.Value, error) {
	read := func(kind string) (row.Value, error) {
		var m struct {
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(bucket[fmt.Sprint("a", i, kind)], &m); err != nil {
			return row.Value{}, err
		}
		v, err := row.Parse(string(m.Value))
		if err == nil && v.Kind() == row.Float && v.Float() == float64(int64(v.Float())) && max(v.Float(), -v.Float()) < double {
			v = row.NewInt(int64(v.Float()))
		}
		return v, err
	}
	if a.field == "" {
		return row.NewInt(count), nil
	}
	switch a.function {
	case "count":
		return read("value_count")
	case "sum", "avg":
		n, err := read("value_count")
		if err != nil || n.Int() == 0 {
			return row.Value{}, err
		}
		sum, err := read("sum")
		if err != nil || a.function == "sum" {
			return sum, err
		}
		if sum.Int()%n.Int() == 0 {
			return row.NewInt(sum.Int() / n.Int()), nil
		}
		q, _ := new(big.Float).SetPrec(128).Quo(new(big.Float).SetInt64(sum.Int()), new(big.Float).SetInt64(n.Int())).Float64()
		return row.NewFloat(q), nil
	case "range":
		low, err := read("min")
		if err != nil || low.IsNull() {
			return row.Value{}, err
		}
		high, err := read("max")
		return row.NewInt(high.Int() - low.Int()), err
	}
	return read(a.function)
}
