package rule

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"tocsin/internal/alert"
)

// value is what a name means, nil for nothing. The rule's names hide fields of the alert, as in filters on
// alerts; count and the times are hidden by columns of the search.
func (d *MessageData) value(name string) any {
	switch name {
	case "rule.name":
		return d.Rule.Name
	case "rule.id":
		return d.Rule.ID
	case "severity":
		return d.Severity.String()
	case "risk_score":
		return d.Risk
	case "tags":
		return valuesOf(anys(d.Rule.Tags))
	case "owner":
		return orNil(d.Rule.Owner)
	case "runbook":
		return orNil(d.Rule.Runbook)
	case "rows":
		rows := make([]any, 0, len(d.Rows))
		for _, r := range d.Rows {
			rows = append(rows, messageRow(r))
		}
		return rows
	}
	if v := valuesOf(d.Fields[name]); v != nil {
		return v
	}
	switch name {
	case "count":
		return d.Count
	case "time":
		return timeOrNil(d.Time)
	case "first":
		return timeOrNil(d.First)
	case "last":
		return timeOrNil(d.Last)
	}
	return nil
}

// messageRow is one row of a run.
type messageRow map[string][]any

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// valuesOf is one value itself and several as a list, numbers as numbers.
func valuesOf(values []any) any {
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

// missing is what a message says for a field that the alert lacks.
const missing = "(missing)"

// messageFuncs are what a message can call beside what text/template has.
var messageFuncs = template.FuncMap{
	"get":  getValue,
	"show": showValue,
	"each": eachValue,
	"eq":   func(a any, b ...any) bool { return anyOf(b, func(b any) bool { return compare(a, b) == 0 }) },
	"ne":   func(a, b any) bool { return compare(a, b) != 0 },
	"lt":   func(a, b any) bool { return a != nil && b != nil && compare(a, b) < 0 },
	"le":   func(a, b any) bool { return a != nil && b != nil && compare(a, b) <= 0 },
	"gt":   func(a, b any) bool { return a != nil && b != nil && compare(a, b) > 0 },
	"ge":   func(a, b any) bool { return a != nil && b != nil && compare(a, b) >= 0 },
	"default": func(otherwise, v any) any {
		if v == nil || v == "" {
			return otherwise
		}
		return v
	},
	"join":     func(separator string, v any) string { return joined(v, separator) },
	"upper":    func(v any) string { return strings.ToUpper(showValue(v)) },
	"lower":    func(v any) string { return strings.ToLower(showValue(v)) },
	"truncate": truncate,
	"field":    func(name string, of any) (any, error) { return getValue(of, name) },
	"date":     date,
}

// builtinFuncs are the names text/template brings itself.
var builtinFuncs = map[string]any{
	"and": true, "or": true, "not": true, "len": true, "index": true, "slice": true, "print": true, "printf": true, "println": true,
	"html": true, "js": true, "urlquery": true, "call": true,
}

func getValue(of any, name string) (any, error) {
	switch of := of.(type) {
	case *MessageData:
		return of.value(name), nil
	case messageRow:
		return valuesOf(of[name]), nil
	case nil:
		return nil, nil
	default:
		return nil, fmt.Errorf("%v is a value and has no field %s", showValue(of), name)
	}
}

func eachValue(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func showValue(v any) string {
	switch v := v.(type) {
	case nil:
		return missing
	case []any:
		return joined(v, ", ")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case messageRow, *MessageData:
		return "(a row: name a field of it)"
	default:
		return alert.Text(v)
	}
}

func joined(v any, separator string) string {
	values := eachValue(v)
	if values == nil {
		return missing
	}
	out := make([]string, len(values))
	for i, one := range values {
		out[i] = showValue(one)
	}
	return strings.Join(out, separator)
}

func truncate(most int, v any) string {
	s := showValue(v)
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
		if at, err = time.Parse(time.RFC3339Nano, showValue(v)); err != nil {
			return showValue(v), nil //nolint:nilerr // what is no time is shown as it is
		}
	}
	return at.In(location).Format(layout), nil
}

func anyOf(values []any, holds func(any) bool) bool {
	for _, v := range values {
		if holds(v) {
			return true
		}
	}
	return false
}

// compare orders two values: numbers and what looks like one as numbers, else as text. Nothing comes first.
func compare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return -1
		}
		return 1
	}
	x, ok1 := number(a)
	y, ok2 := number(b)
	if ok1 && ok2 {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(showValue(a), showValue(b))
}
