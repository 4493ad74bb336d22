package kibana

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest, the same as in encoding/json.
const maxDepth = 10_000

// errSyntax is wrapped with the place where a text stops being JSON.
var errSyntax = errors.New("not valid JSON")

func syntaxError(i int) error { return fmt.Errorf("%w at byte %d", errSyntax, i) }

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends. It accepts exactly what encoding/json
// accepts.
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, syntaxError(i)
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{':
		return skipObject(b, i, depth)
	case c == '[':
		return skipArray(b, i, depth)
	case c == '-' || c >= '0' && c <= '9':
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return i, syntaxError(i)
}

func skipWord(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, syntaxError(i)
	}
	return i + len(word), nil
}

// plain marks the bytes of a string that end nothing and escape nothing.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func skipString(b []byte, i int) (int, error) {
	i++
	for i < len(b) {
		if plain[b[i]] {
			i++
			continue
		}
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if i+1 >= len(b) {
				return i, syntaxError(i)
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if len(b)-i < 6 {
					return i, syntaxError(i)
				}
				for _, c := range b[i+2 : i+6] {
					if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
						return i, syntaxError(i)
					}
				}
				i += 6
			default:
				return i, syntaxError(i)
			}
		default:
			return i, syntaxError(i)
		}
	}
	return i, syntaxError(i)
}

func skipNumber(b []byte, i int) (int, error) {
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return i, syntaxError(i)
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return i, syntaxError(i)
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return i, syntaxError(i)
		}
	}
	return i, nil
}

func skipArray(b []byte, i, depth int) (int, error) {
	return eachElement(b, i, depth, func(i, depth int) (int, error) { return skipValue(b, i, depth) })
}

// eachElement calls value with the start of each element of the array that begins at i; value
// returns where the element ends.
func eachElement(b []byte, i, depth int, value func(i, depth int) (int, error)) (int, error) {
	if depth++; depth > maxDepth {
		return i, syntaxError(i)
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := value(i, depth)
		if err != nil {
			return end, err
		}
		if i = skipSpace(b, end); i >= len(b) {
			return i, syntaxError(i)
		}
		switch b[i] {
		case ']':
			return i + 1, nil
		case ',':
			i = skipSpace(b, i+1)
		default:
			return i, syntaxError(i)
		}
	}
}

func skipObject(b []byte, i, depth int) (int, error) {
	if depth++; depth > maxDepth {
		return i, syntaxError(i)
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		_, at, err := memberKey(b, i)
		if err != nil {
			return at, err
		}
		end, err := skipValue(b, at, depth)
		if err != nil {
			return end, err
		}
		if i = skipSpace(b, end); i >= len(b) {
			return i, syntaxError(i)
		}
		switch b[i] {
		case '}':
			return i + 1, nil
		case ',':
			i = skipSpace(b, i+1)
		default:
			return i, syntaxError(i)
		}
	}
}

// memberKey reads the key that begins at i, quotes included, and finds where its value begins.
func memberKey(b []byte, i int) (key []byte, at int, err error) {
	if i >= len(b) || b[i] != '"' {
		return nil, i, syntaxError(i)
	}
	end, err := skipString(b, i)
	if err != nil {
		return nil, end, err
	}
	key = b[i:end]
	if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
		return nil, i, syntaxError(i)
	}
	return key, skipSpace(b, i+1), nil
}

// unquote reads a JSON string, quotes included.
func unquote(raw []byte) string {
	body := raw[1 : len(raw)-1]
	for _, c := range body {
		if c == '\\' || c >= utf8.RuneSelf {
			var s string
			// skipString has accepted it, so it is a string.
			_ = json.Unmarshal(raw, &s)
			return s
		}
	}
	return string(body)
}

// decode reads any JSON value that skipValue has accepted: a string, bool, json.Number, nil, []any or object.
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
		i = skipSpace(b, i+1)
		for b[i] != '}' {
			key, at, _ := memberKey(b, i)
			v, end := decodeAt(b, at)
			if name := unquote(key); o[name] == nil {
				o[name] = v
			}
			if i = skipSpace(b, end); b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
		return o, i + 1
	case '[':
		list := []any{}
		i = skipSpace(b, i+1)
		for b[i] != ']' {
			v, end := decodeAt(b, i)
			list = append(list, v)
			if i = skipSpace(b, end); b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
		return list, i + 1
	}
	end, _ := skipValue(b, i, 0)
	return scalar(b[i:end]), end
}

func scalar(raw []byte) any {
	switch raw[0] {
	case '"':
		return unquote(raw)
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
