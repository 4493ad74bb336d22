package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Fields are an alert's fields for matching: dotted path to its values. A value is a string, bool or
// json.Number; null is left out. Arrays and arrays of objects are several values of one path.
type Fields map[string][]any

// Fields flattens the document and lays over it the names that routes, silences and exceptions use:
// rule.name rule.id rule.uuid rule.type severity risk_score source tags attack.technique
// attack.tactic status reason. A name of these that the alert has hides the document's own.
func (a *Alert) Fields() (Fields, error) {
	f, err := Flatten(a.Document)
	if err != nil {
		return nil, fmt.Errorf("fields of alert %s: %w", a.ID, err)
	}
	set := func(name string, values ...string) {
		var out []any
		for _, v := range values {
			if v != "" {
				out = append(out, v)
			}
		}
		if out != nil {
			f[name] = out
		}
	}
	set("rule.name", a.Rule.Name)
	set("rule.id", a.Rule.ID)
	set("rule.uuid", a.Rule.UUID)
	set("rule.type", a.Rule.Type)
	set("severity", a.Severity.String())
	set("source", a.Source)
	set("tags", a.Tags...)
	set("attack.technique", a.Techniques()...)
	set("attack.tactic", a.Tactics()...)
	set("status", string(a.Status))
	set("reason", a.Reason)
	if a.Risk != 0 {
		f["risk_score"] = []any{a.Risk}
	}
	return f, nil
}

// First is the first value of a path as text, or "".
func (f Fields) First(path string) string {
	if v := f[path]; len(v) > 0 {
		return Text(v[0])
	}
	return ""
}

// Text writes a field's value as people read it.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// Flatten reads one JSON object into Fields. Keys may be dotted, nested or both at once, as in
// Kibana's alert documents: {"host":{"name":"a"}}, {"host.name":"a"} and a mix of them are the same.
// An empty document has no fields. What is not one JSON object is an error.
func Flatten(document json.RawMessage) (Fields, error) {
	f := Fields{}
	if len(bytes.TrimSpace(document)) == 0 {
		return f, nil
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	f.add("", doc)
	return f, nil
}

func (f Fields) add(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			f.add(join(path, k), child)
		}
	case []any:
		for _, child := range v {
			f.add(path, child)
		}
	case nil:
	default:
		f[path] = append(f[path], v)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return strings.Join([]string{path, key}, ".")
}
