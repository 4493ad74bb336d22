package elastic

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/dsl"
)

// schemas are the mappings of the indices that a pattern names.
type schemas struct {
	indices []indexSchema
	// ignored says that the cluster names in _ignored the fields whose texts were too long to index.
	// Elasticsearch does, OpenSearch does not.
	ignored bool
	read    time.Time
}

// indexSchema is one index.
type indexSchema struct {
	name   string
	fields map[string]mapped
	// opaque are paths below which documents may hold what the index does not know: objects that take
	// no new fields, flattened and nested ones.
	opaque   map[string]bool
	objects  map[string]bool
	closed   bool // new fields are not indexed
	noSource bool
}

// mapped is one field of a mapping.
type mapped struct {
	typ string
	// sound says that the index holds just what the document does, as the type reads it.
	sound       bool
	standard    bool // words are the standard analyzer's
	isoDate     bool // dates are in the format every cluster begins with
	ignoreAbove int
	multi       string            // the field whose multi-field it is
	fields      map[string]mapped // multi-fields by their last name
}

// harmless are the parameters of a mapping that change nothing of what a field finds or holds.
var harmless = []string{
	"type", "ignore_above", "eager_global_ordinals", "norms", "index_options", "similarity", "fields", "store", "meta",
	"time_series_dimension", "time_series_metric", "coerce", "split_queries_on_whitespace", "fielddata", "index_prefixes", "index_phrases",
	"copy_to", "boost", "term_vector", "format",
}

// schemas reads the mappings and settings of indices. It needs the privilege view_index_metadata.
func (c *Client) schemas(ctx context.Context, indices []string) (*schemas, error) {
	var answer map[string]struct {
		Mappings map[string]any `json:"mappings"`
		Settings struct {
			Index map[string]any `json:"index"`
		} `json:"settings"`
	}
	path := strings.TrimSuffix(IndexPath(indices, ""), "/")
	if len(indices) == 0 {
		path = "/_all"
	}
	if err := c.Do(ctx, http.MethodGet, path, indicesParams(nil, false, true), nil, &answer); err != nil {
		return nil, err
	}
	out := &schemas{ignored: c.elastic.Load(), read: time.Now()}
	for name, index := range answer {
		out.indices = append(out.indices, readSchema(name, index.Mappings, index.Settings.Index))
	}
	slices.SortFunc(out.indices, func(a, b indexSchema) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// at is a value below a path of nested objects.
func at(m map[string]any, path ...string) any {
	for i, p := range path {
		if i == len(path)-1 {
			return m[p]
		}
		m, _ = m[p].(map[string]any)
	}
	return nil
}

func readSchema(name string, mapping, settings map[string]any) indexSchema {
	s := indexSchema{name: name, fields: map[string]mapped{}, opaque: map[string]bool{}, objects: map[string]bool{}}
	r := schemaReader{schema: &s, copied: map[string]bool{}}
	r.malformed = isTrue(at(settings, "mapping", "ignore_malformed"))
	r.analyzed = at(settings, "analysis", "analyzer", "default") != nil || at(settings, "analysis", "analyzer", "standard") != nil
	r.ignoreAbove = number(at(settings, "mapping", "ignore_above"))
	if mode, _ := settings["mode"].(string); r.ignoreAbove == 0 && mode != "" && mode != "standard" {
		r.ignoreAbove = 8191
	}
	s.closed = closed(mapping["dynamic"]) || isTrue(at(settings, "mapping", "total_fields", "ignore_dynamic_beyond_limit"))
	if source, ok := mapping["_source"].(map[string]any); ok {
		s.noSource = source["enabled"] == false
		r.pruned = s.noSource || source["includes"] != nil || source["excludes"] != nil
	}
	properties, _ := mapping["properties"].(map[string]any)
	r.properties(properties, "")
	runtime, _ := mapping["runtime"].(map[string]any)
	for n := range runtime {
		r.copied[n] = true
	}
	for n := range r.copied {
		s.fields[n] = mapped{}
	}
	return s
}

// schemaReader walks a mapping.
type schemaReader struct {
	schema      *indexSchema
	copied      map[string]bool // fields that hold more than their own part of the document
	malformed   bool
	analyzed    bool // the index has a default analyzer of its own
	pruned      bool // _source lacks parts
	ignoreAbove int
}

func (r *schemaReader) properties(properties map[string]any, prefix string) {
	for key, v := range properties {
		p, _ := v.(map[string]any)
		name := prefix + key
		typ, _ := p["type"].(string)
		switch typ {
		case "", "object", "passthrough":
			r.schema.objects[name] = true
			if isFalse(p["enabled"]) || closed(p["dynamic"]) || typ == "passthrough" {
				r.schema.opaque[name] = true
			}
			inner, _ := p["properties"].(map[string]any)
			r.properties(inner, name+".")
			continue
		case "nested", "flattened", "flat_object", "join":
			r.schema.objects[name], r.schema.opaque[name] = true, true
			continue
		}
		switch to := p["copy_to"].(type) {
		case string:
			r.copied[to] = true
		case []any:
			for _, t := range to {
				if t, ok := t.(string); ok {
					r.copied[t] = true
				}
			}
		}
		f := r.field(p, typ)
		multi, _ := p["fields"].(map[string]any)
		for last, m := range multi {
			if m, ok := m.(map[string]any); ok {
				typ, _ := m["type"].(string)
				sub := r.field(m, typ)
				sub.multi = name
				if f.fields == nil {
					f.fields = map[string]mapped{}
				}
				f.fields[last] = sub
				r.schema.fields[name+"."+last] = sub
			}
		}
		r.schema.fields[name] = f
	}
}

func (r *schemaReader) field(p map[string]any, typ string) mapped {
	f := mapped{typ: typ, sound: !r.pruned && !r.malformed, standard: !r.analyzed, isoDate: true}
	for key, v := range p {
		switch {
		case key == "index" || key == "doc_values":
			f.sound = f.sound && isTrue(v)
		case key == "ignore_malformed":
			f.sound = f.sound && isFalse(v)
		case key == "format":
			f.isoDate = v == "strict_date_optional_time||epoch_millis" || v == "strict_date_optional_time" || v == "date_optional_time||epoch_millis"
		case !slices.Contains(harmless, key):
			f.sound = false
		}
	}
	if typ == "keyword" {
		f.ignoreAbove = number(p["ignore_above"])
		if f.ignoreAbove == 0 {
			f.ignoreAbove = r.ignoreAbove
		}
		if f.ignoreAbove >= math.MaxInt32 {
			f.ignoreAbove = 0
		}
	}
	return f
}

func isTrue(v any) bool  { return v == true || v == "true" }
func isFalse(v any) bool { return v == false || v == "false" }
func closed(v any) bool  { return isFalse(v) || v == "runtime" }

func number(v any) int {
	switch v := v.(type) {
	case float64:
		return int(v)
	case json.Number:
		n, _ := strconv.Atoi(v.String())
		return n
	case string:
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}

// find is a field of the index. Absent means that no document has a value; else not ok is that
// nothing is known.
func (s *indexSchema) find(name string) (f mapped, absent, ok bool) {
	if f, ok := s.fields[name]; ok {
		return f, false, f.typ != ""
	}
	if s.objects[name] || strings.HasPrefix(name, "_") || strings.ContainsAny(name, "*") {
		return mapped{}, false, false
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' {
			continue
		}
		if s.opaque[name[:i]] {
			return mapped{}, false, false
		}
		if _, ok := s.fields[name[:i]]; ok {
			return mapped{}, true, true // an object cannot stand where a value does
		}
	}
	return mapped{}, !s.closed, !s.closed
}

// typeOf is the type that a field has in every index that has it, "" where they differ or it is not
// known. Absent means that no document has a value.
func (s *schemas) typeOf(name string) (typ string, absent bool) {
	absent = true
	for i := range s.indices {
		f, none, ok := s.indices[i].find(name)
		switch {
		case !ok:
			return "", false
		case none:
			continue
		case !absent && family(typ) != family(f.typ):
			return "", false
		}
		typ, absent = f.typ, false
	}
	return typ, absent
}

// family joins types whose values rows read alike.
func family(typ string) string {
	switch typ {
	case "text", "keyword":
		return "text"
	case "long", "integer", "short", "byte":
		return "long"
	case "date", "date_nanos":
		return "date"
	}
	return typ
}

// integers are the ranges of the whole numbers' types.
var integers = map[string][2]int64{
	"long": {math.MinInt64, math.MaxInt64}, "integer": {math.MinInt32, math.MaxInt32},
	"short": {math.MinInt16, math.MaxInt16}, "byte": {math.MinInt8, math.MaxInt8},
}

// indexed is how a field can be asked for in every index. Words says that the language searches it by
// words.
func (s *schemas) indexed(name string, words bool) dsl.Indexed {
	var out dsl.Indexed
	for i := range s.indices {
		x := s.indices[i].indexed(name, words, s.ignored)
		switch {
		case x.Kind == dsl.IndexUnknown:
			return x
		case x.Kind == dsl.IndexAbsent:
			continue
		case out.Kind == dsl.IndexUnknown:
			out = x
			continue
		}
		above := min(out.IgnoreAbove, x.IgnoreAbove)
		if above == 0 {
			above = max(out.IgnoreAbove, x.IgnoreAbove)
		}
		if above > 0 && s.ignored {
			out.Ignored, x.Ignored = x.Name, x.Name
		}
		if out.IgnoreAbove, x.IgnoreAbove = above, above; out != x {
			return dsl.Indexed{}
		}
	}
	if out.Kind == dsl.IndexUnknown {
		return dsl.Indexed{Kind: dsl.IndexAbsent}
	}
	return out
}

func (s *indexSchema) indexed(name string, words, ignored bool) dsl.Indexed {
	f, absent, ok := s.find(name)
	plain := false
	if parent, last, found := cutLast(name); ok && found && (last == "keyword" || last == "text") && (absent || f.multi != "") {
		// On rows this is the text of the field above, as far as a document has no such field itself.
		if last == "text" && absent {
			if _, none, ok := s.find(parent); !ok || !none {
				return dsl.Indexed{}
			}
		}
		if last == "keyword" && absent {
			if f, absent, ok = s.find(parent); f.typ == "text" {
				return dsl.Indexed{}
			}
			name = parent
		}
		plain = true
	}
	switch {
	case !ok:
		return dsl.Indexed{}
	case absent:
		return dsl.Indexed{Kind: dsl.IndexAbsent}
	}
	out := dsl.Indexed{Name: name, Plain: plain}
	switch {
	case words:
		if f.typ == "text" && f.sound && f.standard {
			out.Kind = dsl.IndexWords
		}
		return out
	case f.typ == "text":
		best := ""
		for last, m := range f.fields {
			if m.typ == "keyword" && m.sound && (best == "" || better(m, f.fields[best]) || !better(f.fields[best], m) && last < best) {
				best = last
			}
		}
		if best == "" {
			return dsl.Indexed{}
		}
		f = f.fields[best]
		out.Name = name + "." + best
	}
	if !f.sound || plain && f.typ != "keyword" {
		return dsl.Indexed{}
	}
	if bounds, ok := integers[f.typ]; ok {
		out.Kind, out.Least, out.Most = dsl.IndexInteger, bounds[0], bounds[1]
		return out
	}
	switch f.typ {
	case "keyword":
		out.Kind, out.IgnoreAbove = dsl.IndexKeyword, f.ignoreAbove
		if ignored && f.ignoreAbove > 0 {
			out.Ignored = out.Name
		}
	case "double":
		out.Kind = dsl.IndexDouble
	case "boolean":
		out.Kind = dsl.IndexBoolean
	case "ip":
		out.Kind = dsl.IndexIP
	}
	return out
}

// better tells a keyword that leaves out less.
func better(a, b mapped) bool {
	return b.ignoreAbove > 0 && (a.ignoreAbove == 0 || a.ignoreAbove > b.ignoreAbove)
}

func cutLast(name string) (parent, last string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}
