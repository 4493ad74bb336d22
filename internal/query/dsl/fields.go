package dsl

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/query/kql"
)

// Field is a field of an index pattern, as Kibana's data views have them.
type Field struct {
	Name string
	// Type is Kibana's word: string, number, date, boolean, ip and so on; conflict where indices
	// disagree.
	Type string
	// ESTypes are Elasticsearch's types over all indices, sorted.
	ESTypes []string
	// Nested is the path of the nested object the field is in; empty if it is in none.
	Nested string
}

// keyword reports whether the field is a keyword in every index.
func (f Field) keyword() bool { return len(f.ESTypes) == 1 && f.ESTypes[0] == "keyword" }

// whole reports whether the field's values are compared as a whole, so that a terms query finds what a
// match or term query for each value does.
func (f Field) whole() bool {
	return f.keyword() || f.Type == "number" || f.Type == "ip" || f.Type == "boolean"
}

// Fields are the fields of an index pattern. They are not changed once made and safe for concurrent
// use.
type Fields struct {
	list  []Field
	index map[string]int
}

// NewFields makes Fields; of two with the same name the first counts.
func NewFields(list []Field) *Fields {
	f := &Fields{index: make(map[string]int, len(list))}
	for _, field := range list {
		if _, ok := f.index[field.Name]; !ok {
			f.index[field.Name] = len(f.list)
			f.list = append(f.list, field)
		}
	}
	return f
}

// All are the fields in their order. The caller must not write to them.
func (f *Fields) All() []Field { return f.list }

// Names are the names of the fields, in their order.
func (f *Fields) Names() []string {
	names := make([]string, len(f.list))
	for i, field := range f.list {
		names[i] = field.Name
	}
	return names
}

// Find is the field of a name.
func (f *Fields) Find(name string) (Field, bool) {
	i, ok := f.index[name]
	if !ok {
		return Field{}, false
	}
	return f.list[i], true
}

// Match are the fields whose name a wildcard matches, in their order.
func (f *Fields) Match(w *kql.Wildcard) []Field {
	parts := w.Parts()
	var found []Field
	for _, field := range f.list {
		if matches(parts, field.Name) {
			found = append(found, field)
		}
	}
	return found
}

func matches(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, parts[len(parts)-1]); !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}

// ReadFields reads fields from JSON: the answer of _mapping (of one index or several), a mapping with
// or without its "mappings" and "properties" around it, an index template, or the answer of
// _field_caps.
func ReadFields(data []byte) (*Fields, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, fmt.Errorf("read fields: %w", err)
	}
	found := collector{types: map[string]map[string]bool{}, nested: map[string]string{}, aliases: map[string]string{}}
	ok, err := false, error(nil)
	if _, has := top["fields"]; has && top["mappings"] == nil && top["properties"] == nil {
		ok, err = true, found.caps(top["fields"])
	} else {
		ok, err = found.mappings(top, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("read fields: %w", err)
	}
	if !ok {
		return nil, errors.New(`read fields: neither a mapping ("mappings" or "properties") nor a _field_caps answer ("fields")`)
	}
	return found.fields(), nil
}

// collector gathers the fields of several indices.
type collector struct {
	types   map[string]map[string]bool // by name, Elasticsearch's types
	nested  map[string]string
	aliases map[string]string
	names   []string
}

func (c *collector) add(name, esType, nested string) {
	if c.types[name] == nil {
		c.types[name] = map[string]bool{}
		c.names = append(c.names, name)
	}
	c.types[name][family(esType)] = true
	if nested != "" {
		c.nested[name] = nested
	}
}

// property is a field or object of a mapping.
type property struct {
	Type       string              `json:"type"`
	Path       string              `json:"path"`
	Enabled    any                 `json:"enabled"`
	Properties map[string]property `json:"properties"`
	Fields     map[string]property `json:"fields"`
}

// mappings looks for "properties" in and below the object, as far down as answers and templates have
// them.
func (c *collector) mappings(top map[string]json.RawMessage, depth int) (bool, error) {
	if raw, ok := top["properties"]; ok {
		var properties map[string]property
		if err := json.Unmarshal(raw, &properties); err != nil {
			return false, err
		}
		c.properties(properties, "", "")
		if raw, ok := top["runtime"]; ok {
			var runtime map[string]property
			if err := json.Unmarshal(raw, &runtime); err != nil {
				return false, err
			}
			for _, name := range sorted(runtime) {
				c.add(name, runtime[name].Type, "")
			}
		}
		return true, nil
	}
	found := false
	if raw, ok := top["mappings"]; ok {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(raw, &inner); err != nil {
			return false, err
		}
		if len(inner) == 0 { // an index without fields
			return true, nil
		}
		return c.mappings(inner, depth+1)
	}
	if depth > 3 {
		return false, nil
	}
	for _, key := range sorted(top) {
		var inner map[string]json.RawMessage
		if json.Unmarshal(top[key], &inner) != nil || len(inner) == 0 {
			continue
		}
		ok, err := c.mappings(inner, depth+1)
		if err != nil {
			return false, err
		}
		found = found || ok
	}
	return found, nil
}

func (c *collector) properties(properties map[string]property, prefix, nested string) {
	for _, key := range sorted(properties) {
		p, name := properties[key], prefix+key
		switch {
		case p.Enabled == false || p.Enabled == "false":
		case p.Type == "alias":
			c.aliases[name] = p.Path
		case p.Type == "nested":
			c.properties(p.Properties, name+".", name)
		case p.Type == "object" || p.Type == "" || p.Type == "passthrough":
			c.properties(p.Properties, name+".", nested)
		default:
			c.add(name, p.Type, nested)
			for _, sub := range sorted(p.Fields) {
				c.add(name+"."+sub, p.Fields[sub].Type, nested)
			}
		}
	}
}

func (c *collector) caps(raw json.RawMessage) error {
	var fields map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for _, name := range sorted(fields) {
		nested := ""
		for i := len(name) - 1; i > 0 && nested == ""; i-- {
			if name[i] == '.' {
				if _, ok := fields[name[:i]]["nested"]; ok {
					nested = name[:i]
				}
			}
		}
		for _, esType := range sorted(fields[name]) {
			if esType != "object" && esType != "nested" && esType != "unmapped" {
				c.add(name, esType, nested)
			}
		}
	}
	return nil
}

func (c *collector) fields() *Fields {
	for _, name := range sorted(c.aliases) {
		for esType := range c.types[c.aliases[name]] {
			c.add(name, esType, c.nested[c.aliases[name]])
		}
	}
	list := make([]Field, 0, len(c.names))
	for _, name := range c.names {
		f := Field{Name: name, ESTypes: sorted(c.types[name]), Nested: c.nested[name]}
		for i, esType := range f.ESTypes {
			if t := kibanaType(esType); i == 0 {
				f.Type = t
			} else if t != f.Type {
				f.Type = "conflict"
			}
		}
		list = append(list, f)
	}
	slices.SortStableFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return NewFields(list)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// family is the type that field caps names for a type of a mapping.
func family(esType string) string {
	switch esType {
	case "constant_keyword", "wildcard", "counted_keyword":
		return "keyword"
	case "match_only_text", "pattern_text":
		return "text"
	}
	return esType
}

// kibanaType is Kibana's word for a type.
func kibanaType(esType string) string {
	switch esType {
	case "text", "keyword", "version", "semantic_text", "annotated_text", "search_as_you_type":
		return "string"
	case "long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long", "token_count", "aggregate_metric_double":
		return "number"
	case "date", "date_nanos":
		return "date"
	case "integer_range", "long_range", "float_range", "double_range":
		return "number_range"
	case "boolean", "ip", "geo_point", "geo_shape", "ip_range", "date_range", "histogram", "murmur3":
		return esType
	}
	return "unknown"
}
