package demo

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// most is how many hits one answer has at most, as in a real cluster.
const most = 10_000

func (c *Cluster) search(names string, body map[string]any) (any, error) {
	for key := range body {
		if !slices.Contains([]string{"size", "query", "sort", "_source", "aggs", "pit", "search_after", "seq_no_primary_term", "track_total_hits"}, key) {
			return nil, notUnderstood("%q in a search", key)
		}
	}
	var docs []*document
	var err error
	pit, inPIT := body["pit"].(map[string]any)
	switch {
	case inPIT && names != "":
		return nil, notUnderstood("indices beside a point in time")
	case inPIT:
		docs, err = c.snapshot(pit)
	default:
		docs, _, err = c.of(names)
	}
	if err != nil {
		return nil, err
	}
	now := c.now()
	matches, err := compile(body["query"], now)
	if err != nil {
		return nil, err
	}
	var found []*document
	for _, d := range docs {
		if matches(d) {
			found = append(found, d)
		}
	}
	aggregations, err := aggregate(body["aggs"], found, now)
	if err != nil {
		return nil, err
	}
	total := len(found)
	order, err := readSort(body["sort"], inPIT)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, order.compare)
	if found, err = order.after(found, body["search_after"]); err != nil {
		return nil, err
	}
	size, err := readSize(body["size"])
	if err != nil {
		return nil, err
	}
	source, err := readSource(body["_source"])
	if err != nil {
		return nil, err
	}
	hits := []any{}
	for _, d := range found[:min(size, len(found))] {
		hit := map[string]any{"_index": d.index, "_id": d.id, "_score": nil}
		if part := source(d.source); part != nil {
			hit["_source"] = part
		}
		if len(order) > 0 {
			hit["sort"] = order.values(d)
		}
		if body["seq_no_primary_term"] == true {
			hit["_seq_no"], hit["_primary_term"] = d.seq, 1
		}
		hits = append(hits, hit)
	}
	answer := map[string]any{
		"took": 0, "timed_out": false, "_shards": map[string]any{"total": 1, "successful": 1, "skipped": 0, "failed": 0},
		"hits": map[string]any{"total": map[string]any{"value": total, "relation": "eq"}, "max_score": nil, "hits": hits},
	}
	if body["aggs"] != nil {
		answer["aggregations"] = aggregations
	}
	if inPIT {
		answer["pit_id"] = pit["id"]
	}
	return answer, nil
}

func readSize(v any) (int, error) {
	if v == nil {
		return 10, nil
	}
	n, ok := v.(float64)
	if !ok || n < 0 {
		return 0, notUnderstood("the size %v", v)
	}
	if n > most {
		return 0, &searchError{http.StatusBadRequest, "illegal_argument_exception", "Result window is too large"}
	}
	return int(n), nil
}

// key is one thing to sort by: @timestamp or _shard_doc.
type key struct {
	shard, descending bool
}

type order []key

func readSort(v any, inPIT bool) (order, error) {
	var out order
	entries, ok := v.([]any)
	if v != nil && !ok {
		return nil, notUnderstood("the sort %v", v)
	}
	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok || len(fields) != 1 {
			return nil, notUnderstood("the sort %v", entry)
		}
		for name, how := range fields {
			options, ok := how.(map[string]any)
			if !ok || name != "@timestamp" && (name != "_shard_doc" || !inPIT) {
				return nil, notUnderstood("a sort by %q", name)
			}
			for option := range options {
				if option != "order" && option != "unmapped_type" {
					return nil, notUnderstood("%q in a sort", option)
				}
			}
			out = append(out, key{shard: name == "_shard_doc", descending: options["order"] == "desc"})
		}
	}
	return out, nil
}

func (k key) value(d *document) int64 {
	switch {
	case k.shard:
		return d.place
	case d.timed:
		return d.time
	case k.descending:
		return math.MinInt64
	}
	return math.MaxInt64 // documents without a value come last
}

func (o order) values(d *document) []any {
	out := make([]any, len(o))
	for i, k := range o {
		out[i] = k.value(d)
	}
	return out
}

func (o order) compare(a, b *document) int {
	for _, k := range o {
		c := cmp.Compare(k.value(a), k.value(b))
		if k.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// after leaves out what was given before, up to and including the sort values of search_after.
func (o order) after(docs []*document, v any) ([]*document, error) {
	if v == nil {
		return docs, nil
	}
	values, ok := v.([]any)
	if !ok || len(values) != len(o) || len(o) == 0 {
		return nil, notUnderstood("search_after %v", v)
	}
	mark := make([]int64, len(o))
	for i, value := range values {
		n, ok := value.(float64)
		if !ok {
			return nil, notUnderstood("search_after %v", v)
		}
		if mark[i] = int64(n); n >= math.MaxInt64 {
			mark[i] = math.MaxInt64
		}
	}
	i := slices.IndexFunc(docs, func(d *document) bool {
		for i, k := range o {
			c := cmp.Compare(k.value(d), mark[i])
			if k.descending {
				c = -c
			}
			if c != 0 {
				return c > 0
			}
		}
		return false
	})
	if i < 0 {
		return nil, nil
	}
	return docs[i:], nil
}

// compile makes a test of the subset of the query language that is understood.
func compile(v any, now time.Time) (func(*document) bool, error) {
	if v == nil {
		return func(*document) bool { return true }, nil
	}
	query, ok := v.(map[string]any)
	if !ok || len(query) != 1 {
		return nil, notUnderstood("the query %v", v)
	}
	for kind, what := range query {
		body, ok := what.(map[string]any)
		if !ok {
			return nil, notUnderstood("the query %v", v)
		}
		switch kind {
		case "match_all":
			return func(*document) bool { return true }, nil
		case "bool":
			return compileBool(body, now)
		case "range":
			return compileRange(body, now)
		case "exists":
			name, ok := body["field"].(string)
			if !ok || len(body) != 1 {
				return nil, notUnderstood("exists %v", body)
			}
			return func(d *document) bool { return d.fields[name] != nil }, nil
		case "ids":
			values, ok := body["values"].([]any)
			if !ok || len(body) != 1 {
				return nil, notUnderstood("ids %v", body)
			}
			ids := make(map[any]bool, len(values))
			for _, id := range values {
				ids[id] = true
			}
			return func(d *document) bool { return ids[d.id] }, nil
		case "term":
			return compileTerm(body)
		}
		return nil, notUnderstood("the query %q", kind)
	}
	return nil, nil
}

func compileBool(body map[string]any, now time.Time) (func(*document) bool, error) {
	clauses := map[string][]func(*document) bool{}
	for name, v := range body {
		switch name {
		case "filter", "must", "must_not", "should":
			parts, ok := v.([]any)
			if !ok {
				parts = []any{v}
			}
			for _, part := range parts {
				f, err := compile(part, now)
				if err != nil {
					return nil, err
				}
				clauses[name] = append(clauses[name], f)
			}
		case "minimum_should_match":
			if v != 1.0 || body["should"] == nil {
				return nil, notUnderstood("minimum_should_match %v", v)
			}
		default:
			return nil, notUnderstood("%q in a bool query", name)
		}
	}
	needs := body["minimum_should_match"] != nil || clauses["filter"] == nil && clauses["must"] == nil
	return func(d *document) bool {
		for _, name := range []string{"filter", "must"} {
			for _, f := range clauses[name] {
				if !f(d) {
					return false
				}
			}
		}
		for _, f := range clauses["must_not"] {
			if f(d) {
				return false
			}
		}
		should := clauses["should"]
		return !needs || should == nil || slices.ContainsFunc(should, func(f func(*document) bool) bool { return f(d) })
	}, nil
}

func compileRange(body map[string]any, now time.Time) (func(*document) bool, error) {
	for name, v := range body {
		bounds, ok := v.(map[string]any)
		if !ok || len(body) != 1 || !slices.Contains(dateFields, name) {
			return nil, notUnderstood("the range %v", body)
		}
		type bound struct {
			operator string
			at       int64
		}
		var all []bound
		for operator, value := range bounds {
			switch operator {
			case "format":
				if value != "strict_date_optional_time" {
					return nil, notUnderstood("the format %v", value)
				}
			case "gte", "gt", "lte", "lt":
				at, err := instant(value, now)
				if err != nil {
					return nil, err
				}
				all = append(all, bound{operator, at})
			default:
				return nil, notUnderstood("%q in a range", operator)
			}
		}
		within := func(at int64) bool {
			for _, b := range all {
				c := cmp.Compare(at, b.at)
				if b.operator == "gte" && c < 0 || b.operator == "gt" && c <= 0 || b.operator == "lte" && c > 0 || b.operator == "lt" && c >= 0 {
					return false
				}
			}
			return true
		}
		return func(d *document) bool {
			return slices.ContainsFunc(d.fields[name], func(v any) bool {
				at, ok := millis(v)
				return ok && within(at)
			})
		}, nil
	}
	return nil, notUnderstood("an empty range")
}

// instant reads a bound: a date, or date math from now in seconds.
func instant(v any, now time.Time) (int64, error) {
	if s, ok := v.(string); ok && strings.HasPrefix(s, "now") {
		if s == "now" {
			return now.UnixMilli(), nil
		}
		seconds, ok := strings.CutSuffix(strings.TrimPrefix(s, "now-"), "s")
		n, err := strconv.ParseInt(seconds, 10, 64)
		if !ok || err != nil {
			return 0, notUnderstood("the date %q", s)
		}
		return now.Add(-time.Duration(n) * time.Second).UnixMilli(), nil
	}
	at, ok := millis(v)
	if !ok {
		return 0, notUnderstood("the date %v", v)
	}
	return at, nil
}

func compileTerm(body map[string]any) (func(*document) bool, error) {
	for name, value := range body {
		if _, ok := value.(map[string]any); ok || len(body) != 1 {
			return nil, notUnderstood("the term %v", body)
		}
		return func(d *document) bool { return slices.Contains(d.fields[name], value) }, nil
	}
	return nil, notUnderstood("an empty term")
}

// aggregate answers max and min of @timestamp, a date range from now, and a filter's count.
func aggregate(v any, docs []*document, now time.Time) (map[string]any, error) {
	out := map[string]any{}
	if v == nil {
		return out, nil
	}
	aggs, ok := v.(map[string]any)
	if !ok {
		return nil, notUnderstood("the aggregations %v", v)
	}
	for name, what := range aggs {
		body, ok := what.(map[string]any)
		if !ok || len(body) != 1 {
			return nil, notUnderstood("the aggregation %v", what)
		}
		for kind, how := range body {
			options, ok := how.(map[string]any)
			if !ok || kind != "filter" && options["field"] != "@timestamp" {
				return nil, notUnderstood("the aggregation %v", body)
			}
			switch kind {
			case "max", "min":
				var best any
				for _, d := range docs {
					if b, ok := best.(int64); d.timed && (!ok || kind == "max" && d.time > b || kind == "min" && d.time < b) {
						best = d.time
					}
				}
				out[name] = map[string]any{"value": best}
			case "date_range":
				text, err := json.Marshal(options["ranges"])
				if err != nil || string(text) != `[{"from":"now"}]` {
					return nil, notUnderstood("the ranges %s", text)
				}
				n := 0
				for _, d := range docs {
					if d.timed && d.time >= now.UnixMilli() {
						n++
					}
				}
				out[name] = map[string]any{"buckets": []any{map[string]any{"key": iso(now) + "-*", "from": now.UnixMilli(), "from_as_string": iso(now), "doc_count": n}}}
			case "filter":
				f, err := compile(options, now)
				if err != nil {
					return nil, err
				}
				n := 0
				for _, d := range docs {
					if f(d) {
						n++
					}
				}
				out[name] = map[string]any{"doc_count": n}
			default:
				return nil, notUnderstood("the aggregation %q", kind)
			}
		}
	}
	return out, nil
}

// readSource makes what gives the part of a source that is asked for; nil for none of it.
func readSource(v any) (func(map[string]any) map[string]any, error) {
	var includes, excludes []any
	switch v := v.(type) {
	case nil:
	case bool:
		if !v {
			return func(map[string]any) map[string]any { return nil }, nil
		}
	case []any:
		includes = v
	case map[string]any:
		for key := range v {
			if key != "includes" && key != "excludes" {
				return nil, notUnderstood("%q in _source", key)
			}
		}
		includes, _ = v["includes"].([]any)
		excludes, _ = v["excludes"].([]any)
	default:
		return nil, notUnderstood("the _source %v", v)
	}
	for _, pattern := range slices.Concat(includes, excludes) {
		if s, ok := pattern.(string); !ok || strings.Contains(s, "*") {
			return nil, notUnderstood("the pattern %v in _source", pattern)
		}
	}
	return func(source map[string]any) map[string]any { return pickFields(source, "", includes, excludes) }, nil
}

func pickFields(source map[string]any, path string, includes, excludes []any) map[string]any {
	out := map[string]any{}
	for key, value := range source {
		at := strings.TrimPrefix(path+"."+key, ".")
		if slices.ContainsFunc(excludes, func(p any) bool { return under(at, p) }) {
			continue
		}
		inner, nested := value.(map[string]any)
		if includes == nil || slices.ContainsFunc(includes, func(p any) bool { return under(at, p) }) {
			if nested {
				value = pickFields(inner, at, nil, excludes)
			}
			out[key] = value
			continue
		}
		if nested {
			if part := pickFields(inner, at, includes, excludes); len(part) > 0 {
				out[key] = part
			}
		}
	}
	return out
}

// under reports whether a path is a pattern or below it.
func under(path string, pattern any) bool {
	p, _ := pattern.(string)
	return path == p || strings.HasPrefix(path, p+".")
}
