package web

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// schemas makes JSON Schemas of Go types as encoding/json writes them: a slice, map or pointer that is not
// left out when empty may be null, and a type that writes itself may be anything unless known says more.
type schemas struct {
	named map[string]schema
	types map[string]reflect.Type
}

// known are the types that do not look as they are written, and strings with few values.
var known = map[reflect.Type]schema{
	reflect.TypeFor[time.Time]():       {"type": "string", "format": "date-time"},
	reflect.TypeFor[json.RawMessage](): {},
	reflect.TypeFor[[]byte]():          {"type": []string{"string", "null"}, "contentEncoding": "base64"},
	reflect.TypeFor[alert.Fate]():      {"type": "string", "enum": alert.Fates},
	reflect.TypeFor[alert.Severity]():  {"type": "string"},
	reflect.TypeFor[account.Role]():    {"type": "string", "enum": []account.Role{account.Viewer, account.Editor, account.Admin, account.Ingest}},
	reflect.TypeFor[rule.Origin]():     {"type": "string"},
	reflect.TypeFor[query.Kind]():      {"type": "string"},
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// of is the schema of a type. Structs with a name are put under it and referred to.
func (s *schemas) of(t reflect.Type) schema {
	if found, ok := known[t]; ok {
		return found
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return orNullSchema(s.of(t.Elem()))
	case t.Implements(jsonMarshaler), reflect.PointerTo(t).Implements(jsonMarshaler):
		return schema{}
	case t.Implements(textMarshaler), reflect.PointerTo(t).Implements(textMarshaler):
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return known[reflect.TypeFor[[]byte]()]
		}
		return schema{"type": []string{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Array:
		return schema{"type": "array", "items": s.of(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	default: // interfaces
		return schema{}
	}
}

func (s *schemas) object(t reflect.Type) schema {
	name := schemaName(t)
	if name == "" {
		return s.properties(t)
	}
	if other, ok := s.types[name]; !ok {
		s.types[name] = t
		s.named[name] = schema{} // a type may hold itself
		s.named[name] = s.properties(t)
	} else if other != t {
		panic("web: two types are called " + name + " in the document")
	}
	return schema{"$ref": "#/components/schemas/" + name}
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// schemaName is a type's name in the document: that of this package's types as it is, that of others' with
// their package before it; empty for types without a name.
func schemaName(t reflect.Type) string {
	name := notInName.ReplaceAllString(t.Name(), "")
	room := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	if name == "" || room == "web" {
		return strings.ToUpper(name[:min(1, len(name))]) + name[min(1, len(name)):]
	}
	return strings.ToUpper(room[:1]) + room[1:] + strings.ToUpper(name[:1]) + name[1:]
}

func (s *schemas) properties(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	s.fields(t, properties, &required)
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (s *schemas) fields(t reflect.Type, properties schema, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" && options == "" {
			continue
		}
		if f.Anonymous && tag == "" {
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if embedded.Kind() == reflect.Struct {
				s.fields(embedded, properties, required)
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		one := s.of(f.Type)
		if optional {
			one = notNull(one)
		} else {
			*required = append(*required, tag)
		}
		properties[tag] = described(one, f.Tag)
	}
}

// described adds what a field's tags say.
func described(one schema, tag reflect.StructTag) schema {
	doc, enum := tag.Get("doc"), tag.Get("enum")
	if doc == "" && enum == "" {
		return one
	}
	out := schema{}
	for k, v := range one {
		out[k] = v
	}
	if doc != "" {
		out["description"] = doc
	}
	if enum != "" {
		out["enum"] = strings.Split(enum, ",")
	}
	return out
}

func orNullSchema(one schema) schema {
	kind, plain := one["type"].(string)
	if !plain {
		if len(one) == 0 {
			return one
		}
		return schema{"anyOf": []schema{one, {"type": "null"}}}
	}
	out := schema{}
	for k, v := range one {
		out[k] = v
	}
	out["type"] = []string{kind, "null"}
	return out
}

// notNull is a schema for where null is left out.
func notNull(one schema) schema {
	if either, ok := one["anyOf"].([]schema); ok && len(either) == 2 {
		return either[0]
	}
	kinds, ok := one["type"].([]string)
	if !ok {
		return one
	}
	out := schema{}
	for k, v := range one {
		out[k] = v
	}
	out["type"] = kinds[0]
	return out
}
