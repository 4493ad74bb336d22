package kibana

import (
	"encoding/json"
	"strconv"

	"tocsin/internal/jsonscan"
)

// decode reads any JSON value that jsonscan.Value has accepted: a string, bool, json.Number, nil, []any or object.
func decode(raw []byte) any {
	v, _ := decodeAt(raw, 0)
	return v
}

// object is a decoded JSON object whose keys may be dotted, nested or both at once.
type object map[string]any

func decodeAt(b []byte, i int) (any, int) {
	switch b[i] {
	case '{':
		o := object{}
		i = jsonscan.Space(b, i+1)
		for b[i] != '}' {
			key, at, _ := jsonscan.Key(b, i)
			v, end := decodeAt(b, at)
			if name := jsonscan.Unquote(key); o[name] == nil {
				o[name] = v
			}
			if i = jsonscan.Space(b, end); b[i] == ',' {
				i = jsonscan.Space(b, i+1)
			}
		}
		return o, i + 1
	case '[':
		list := []any{}
		i = jsonscan.Space(b, i+1)
		for b[i] != ']' {
			v, end := decodeAt(b, i)
			list = append(list, v)
			if i = jsonscan.Space(b, end); b[i] == ',' {
				i = jsonscan.Space(b, i+1)
			}
		}
		return list, i + 1
	}
	end, _ := jsonscan.Value(b, i, 0)
	return scalar(b[i:end]), end
}

func scalar(raw []byte) any {
	switch raw[0] {
	case '"':
		return jsonscan.Unquote(raw)
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	}
	return json.Number(raw)
}

// get finds a dotted path through any split into keys; nil when it is not there.
func (o object) get(path string) any {
	if v := o[path]; v != nil {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		for _, v := range values(o[path[:i]]) {
			if child, ok := v.(object); ok {
				if found := child.get(path[i+1:]); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// values are the elements of an array, of arrays in it too, or the one value; null is none.
func values(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []any
		for _, element := range v {
			out = append(out, values(element)...)
		}
		return out
	}
	return []any{v}
}

// objects are the objects among values.
func objects(v any) []object {
	var out []object
	for _, v := range values(v) {
		if o, ok := v.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// text writes a scalar as people read it; what is no scalar is "".
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// texts are the scalars among values as text, without empty ones.
func texts(v any) []string {
	var out []string
	for _, v := range values(v) {
		if s := text(v); s != "" {
			out = append(out, s)
		}
	}
	return out
}
