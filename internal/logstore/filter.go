package logstore

import (
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// Filter keeps documents in which a field has one of some values. The field is a dotted path that goes
// through objects, keys with dots and arrays alike; a value is the text of a string, the literal of a
// number as the document wrote it, true or false. Null, objects and missing fields have no value.
type Filter struct {
	Field  string
	Values []string
}

// matches is what decides: it reads the document. What the engine is asked is only ever wider.
func (f Filter) matches(document *fastjson.Value) bool {
	found := false
	leaves(document, f.Field, false, func(text string) bool {
		for _, v := range f.Values {
			if v == text {
				found = true
				return false
			}
		}
		return true
	})
	return found
}

// leaves calls visit with the text of each value at a path, until visit answers false. arrived says that
// the path is used up.
func leaves(v *fastjson.Value, path string, arrived bool, visit func(text string) bool) bool {
	switch v.Type() {
	case fastjson.TypeArray:
		for _, element := range v.GetArray() {
			if !leaves(element, path, arrived, visit) {
				return false
			}
		}
		return true
	case fastjson.TypeObject:
		if arrived {
			return true
		}
		more := true
		v.GetObject().Visit(func(key []byte, child *fastjson.Value) {
			if !more {
				return
			}
			if path == string(key) {
				more = leaves(child, "", true, visit)
			} else if len(path) > len(key) && path[len(key)] == '.' && path[:len(key)] == string(key) {
				more = leaves(child, path[len(key)+1:], false, visit)
			}
		})
		return more
	case fastjson.TypeNull:
		return true
	case fastjson.TypeString:
		return !arrived || visit(string(v.GetStringBytes()))
	default:
		return !arrived || visit(string(v.MarshalTo(nil)))
	}
}

// engineFilter is a LogsQL filter that every document f keeps passes, or empty where there is none. A
// column holds a single value as it is, several as a text that begins with a bracket, there or at an
// object above; a document too wide for columns says so.
func (f Filter) engineFilter() string {
	if !hasColumn(f.Field) || len(f.Values) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("(" + strconv.Quote(f.Field) + ":in(")
	for i, v := range f.Values {
		if v == "" {
			return "" // the engine knows no empty values
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(v))
	}
	b.WriteString(")")
	for i := range len(f.Field) + 1 {
		if i == len(f.Field) || f.Field[i] == '.' {
			b.WriteString(" or " + strconv.Quote(f.Field[:i]) + `:="["*`)
		}
	}
	b.WriteString(" or " + strconv.Quote(columnPartial) + `:="1")`)
	return b.String()
}

// indexFilter is the same for the patterns of index names.
func indexFilter(patterns []string) string {
	var parts []string
	for _, p := range patterns {
		prefix, _, wild := strings.Cut(p, "*")
		switch {
		case !wild:
			parts = append(parts, strconv.Quote(columnIndex)+":="+strconv.Quote(p))
		case prefix != "":
			parts = append(parts, strconv.Quote(columnIndex)+":="+strconv.Quote(prefix)+"*")
		default:
			return ""
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// matchIndex reports whether a name matches one of the patterns, in which * stands for any text; without
// patterns every name does.
func matchIndex(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return false
}

func glob(pattern, name string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}
