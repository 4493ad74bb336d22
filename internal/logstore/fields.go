package logstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Field is a field that documents have, with the type an index would give it.
type Field struct {
	Name string
	// Type is by Elasticsearch's names: date, keyword, text, ip, long, double, boolean. A field that has
	// had values of several kinds is a keyword.
	Type string
}

// Fields are the fields documents have had, by name, those within objects by their dotted names. They are
// of all indices, and may be of documents that are gone since.
func (b *Backend) Fields() ([]Field, error) {
	done, err := b.store.use()
	if err != nil {
		return nil, err
	}
	defer done()
	shapes := view{census: b.store.census, last: math.MaxInt64}.names()
	out := []Field{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		s := shapes[name]
		if strings.HasPrefix(name, "\x00") || s.only(isObject|isArray|isOdd) {
			continue
		}
		out = append(out, Field{Name: name, Type: typeOf(name, s)})
	}
	return out, nil
}

// Names are the fields documents have had, and those of asked of which a day with a lost census cannot tell.
// Which indices are asked about makes no difference.
func (b *Backend) Names(_ context.Context, _, asked []string) ([]string, error) {
	fields, err := b.Fields()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(fields)+len(asked))
	for _, f := range fields {
		names = append(names, f.Name)
	}
	for _, name := range asked {
		if _, ok := (view{census: b.store.census, last: math.MaxInt64}).find(name); !ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func typeOf(name string, s shape) string {
	values := s.kinds() &^ (isArray | isObject | isOdd | isEmpty)
	switch {
	case name == clockField:
		return "date"
	case values == 0:
		return "keyword"
	case values.only(isTimeText):
		return "date"
	case values.only(isAddress | isOddAddress):
		return "ip"
	case values.only(isInt):
		return "long"
	case values.only(anyNumber):
		return "double"
	case values.only(isBool):
		return "boolean"
	case values.only(anyText) && textName(name):
		return "text"
	}
	return "keyword"
}

// FieldTypes is Fields as a field caps answer, as dsl reads it.
func (b *Backend) FieldTypes(context.Context) ([]byte, error) {
	fields, err := b.Fields()
	if err != nil {
		return nil, fmt.Errorf("read the types of fields: %w", err)
	}
	type ability struct {
		Type         string `json:"type"`
		Searchable   bool   `json:"searchable"`
		Aggregatable bool   `json:"aggregatable"`
	}
	caps := map[string]map[string]ability{}
	for _, f := range fields {
		caps[f.Name] = map[string]ability{f.Type: {f.Type, true, f.Type != "text"}}
	}
	return json.Marshal(map[string]any{"fields": caps})
}

// Indices are the names of the indices there have been documents of, in order.
func (b *Backend) Indices() ([]string, error) {
	done, err := b.store.use()
	if err != nil {
		return nil, err
	}
	defer done()
	return view{census: b.store.census, last: math.MaxInt64}.indices(), nil
}

func (v view) indices() []string {
	out := []string{}
	for name := range v.names() {
		if index, ok := strings.CutPrefix(name, indexPrefix); ok {
			out = append(out, index)
		}
	}
	slices.Sort(out)
	return out
}
