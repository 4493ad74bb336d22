package exec

import (
	"encoding/json"
	"strconv"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

func (b *builder) spath(p *pipe.Spath) (op, *row.Schema, error) {
	slot := b.message(p.Input)
	if p.Path != "" {
		name := p.Output
		if name == "" {
			name = p.Path
		}
		to := b.in.Slot(name)
		return &changeOp{change: func(r *row.Row) {
			if v := r.Get(slot); !v.IsNull() {
				if found := jsonPath(v.Text(), p.Path); !found.IsNull() {
					r.Set(to, found)
				}
			}
		}}, b.in, nil
	}
	found := row.NewSchema()
	extract := row.NewExtractor(found, nil)
	var slots []int
	var vals []row.Value
	return &changeOp{change: func(r *row.Row) {
		v := r.Get(slot)
		if v.Kind() != row.String && v.Kind() != row.Object {
			return
		}
		var err error
		if vals, err = extract.Extract(v.Str(), vals); err != nil {
			return
		}
		for i, f := range vals {
			if i == len(slots) {
				slots = append(slots, b.in.Slot(found.Name(i)))
			}
			if !f.IsNull() {
				r.Set(slots[i], f)
			}
		}
	}}, b.in, nil
}

// jsonPath finds a.b{}.c or a.b{0} in a JSON text. Arrays on the way are gone through; several
// values are a list. What is not JSON has nothing.
func jsonPath(text, path string) row.Value {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var doc any
	if dec.Decode(&doc) != nil {
		return row.Value{}
	}
	var out []row.Value
	walkPath(doc, path, &out)
	if len(out) == 1 {
		return out[0]
	}
	return row.NewList(out)
}

// walkPath collects what is found at path in v. A key with dots in it is found too.
func walkPath(v any, path string, out *[]row.Value) {
	if path == "" {
		*out = append(*out, fromAny(v).Values()...)
		return
	}
	switch v := v.(type) {
	case []any:
		if strings.HasPrefix(path, "{") {
			end := strings.IndexByte(path, '}')
			if end < 0 {
				return
			}
			inside, rest := path[1:end], strings.TrimPrefix(path[end+1:], ".")
			if inside == "" {
				for _, e := range v {
					walkPath(e, rest, out)
				}
				return
			}
			if i, err := strconv.Atoi(inside); err == nil && i >= 0 && i < len(v) {
				walkPath(v[i], rest, out)
			}
			return
		}
		for _, e := range v {
			walkPath(e, path, out)
		}
	case map[string]any:
		for i := 0; i <= len(path); i++ {
			if i < len(path) && path[i] != '.' && path[i] != '{' {
				continue
			}
			if child, ok := v[path[:i]]; ok {
				walkPath(child, strings.TrimPrefix(path[i:], "."), out)
			}
		}
	}
}

// fromAny is a decoded JSON value as a row's.
func fromAny(v any) row.Value {
	switch v := v.(type) {
	case string:
		return row.NewString(v)
	case bool:
		return row.NewBool(v)
	case json.Number:
		return row.NewNumber(v.String())
	case []any:
		out := make([]row.Value, len(v))
		for i, e := range v {
			out[i] = fromAny(e)
		}
		return row.NewList(out)
	case map[string]any:
		b, err := json.Marshal(v)
		if err != nil || len(v) == 0 {
			return row.Value{}
		}
		return row.NewObject(string(b))
	}
	return row.Value{}
}
