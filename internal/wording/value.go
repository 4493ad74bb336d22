package wording

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

// Values is one value itself and several as a list, numbers as numbers; nil for none.
func Values(values []any) any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		if n, ok := v.(json.Number); ok {
			if whole, err := n.Int64(); err == nil {
				v = whole
			} else if f, err := n.Float64(); err == nil {
				v = f
			}
		}
		if v != nil {
			out = append(out, v)
		}
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		return out[0]
	}
	return out
}

// Missing is what a text says for a field that is not there.
const Missing = "(missing)"

// funcs are what a template can call, beside and, or, not and slice. None gives more than outMost bytes.
var funcs = template.FuncMap{
	"get":  get,
	"show": func(v any) string { return Open + unmark.Replace(short(Show(v))) + Close },
	"each": Each,
	"eq":   func(a any, b ...any) bool { return anyOf(b, func(b any) bool { return Compare(a, b) == 0 }) },
	"ne":   func(a, b any) bool { return Compare(a, b) != 0 },
	"lt":   func(a, b any) bool { return a != nil && b != nil && Compare(a, b) < 0 },
	"le":   func(a, b any) bool { return a != nil && b != nil && Compare(a, b) <= 0 },
	"gt":   func(a, b any) bool { return a != nil && b != nil && Compare(a, b) > 0 },
	"ge":   func(a, b any) bool { return a != nil && b != nil && Compare(a, b) >= 0 },
	"default": func(otherwise, v any) any {
		if v == nil || v == "" {
			return otherwise
		}
		return v
	},
	"join":     func(separator string, v any) string { return joined(v, separator) },
	"upper":    func(v any) string { return short(strings.ToUpper(short(Show(v)))) },
	"lower":    func(v any) string { return short(strings.ToLower(short(Show(v)))) },
	"trim":     func(v any) string { return strings.TrimSpace(Show(v)) },
	"replace":  func(old, by string, v any) string { return replaced(Show(v), old, by) },
	"truncate": Truncate,
	"field":    func(name string, of any) (any, error) { return get(of, name) },
	"date":     date,
	"len":      length,
	"index":    index,
	"print":    func(v ...any) string { return short(fmt.Sprint(plain(v)...)) },
	"println":  func(v ...any) string { return short(fmt.Sprintln(plain(v)...)) },
	"printf":   printf,
	"html":     func(v any) string { return short(template.HTMLEscapeString(short(Show(v)))) },
	"js":       func(v any) string { return short(template.JSEscapeString(short(Show(v)))) },
	"urlquery": func(v any) string { return short(url.QueryEscape(short(Show(v)))) },
}

// builtins are the names that text/template brings itself and a template may call.
var builtins = map[string]any{"and": true, "or": true, "not": true, "slice": true}

// short is a text that no function makes longer than a whole message.
func short(s string) string {
	if len(s) <= outMost {
		return s
	}
	return strings.ToValidUTF8(s[:outMost], "")
}

func get(of any, name string) (any, error) {
	switch of := of.(type) {
	case nil:
		return nil, nil
	case Source:
		return of.Value(name), nil
	default:
		return nil, fmt.Errorf("%v is a value and has no field %s", Show(of), name)
	}
}

// Each is a value as a list; nil for nothing.
func Each(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// Show writes a value as people read it.
func Show(v any) string {
	switch v := v.(type) {
	case nil:
		return Missing
	case string:
		return v
	case []any:
		return joined(v, ", ")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case Source:
		return "(a row: name a field of it)"
	default:
		return fmt.Sprint(v)
	}
}

func joined(v any, separator string) string {
	values := Each(v)
	if values == nil {
		return Missing
	}
	var b strings.Builder
	for i, one := range values {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(Show(one))
		if b.Len() > outMost {
			break
		}
	}
	return short(b.String())
}

func replaced(s, old, by string) string {
	s = short(s)
	if old == "" || len(by) > 1000 {
		return s
	}
	return short(strings.ReplaceAll(s, old, by))
}

// Truncate is the first characters of a value, ended by an ellipsis where it has more.
func Truncate(most int, v any) string {
	s := Show(v)
	if most < 1 || utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// date writes a time in Go's layout and a time zone: {{date "15:04" "Europe/Berlin" .first}}.
func date(layout, zone string, v any) (string, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return "", fmt.Errorf("%q is not a time zone", zone)
	}
	at, ok := v.(time.Time)
	if !ok {
		if at, err = time.Parse(time.RFC3339Nano, Show(v)); err != nil {
			return Show(v), nil //nolint:nilerr // what is no time is shown as it is
		}
	}
	return short(at.In(location).Format(layout)), nil
}

func length(v any) int {
	if s, ok := v.(string); ok {
		return utf8.RuneCountInString(s)
	}
	return len(Each(v))
}

// index is one of several values, counted from 0; nothing beyond their end.
func index(v any, at int) any {
	if values := Each(v); at >= 0 && at < len(values) {
		return values[at]
	}
	return nil
}

// wide are layouts that could make a small value long.
var wide = regexp.MustCompile(`%[-+# 0-9.\[\]]*(?:\d{3}|\*)`)

func printf(layout string, v ...any) (string, error) {
	if wide.MatchString(layout) {
		return "", fmt.Errorf("printf: a width has at most two digits, and no *: %s", layout)
	}
	return short(fmt.Sprintf(layout, plain(v)...)), nil
}

// plain are values that no verb of printf can make much of.
func plain(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil, []any, Source, time.Time:
			out[i] = Show(v)
		case string:
			out[i] = short(v)
		default:
			out[i] = v
		}
	}
	return out
}

func anyOf(values []any, holds func(any) bool) bool {
	for _, v := range values {
		if holds(v) {
			return true
		}
	}
	return false
}

// Compare orders two values: numbers and what looks like one as numbers, else as text. Nothing comes first.
func Compare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return -1
		}
		return 1
	}
	x, ok1 := Number(a)
	y, ok2 := Number(b)
	if ok1 && ok2 {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(Show(a), Show(b))
}

// Number reads a value as a number; text that is one too.
func Number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case bool, nil:
		return 0, false
	}
	n, err := strconv.ParseFloat(Show(v), 64)
	return n, err == nil
}

// Filled is a text as a value: nothing where it is empty.
func Filled(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Moment is a time as a value: nothing where it is zero.
func Moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
