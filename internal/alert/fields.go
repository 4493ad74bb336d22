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

// Own are the values of the names that the alert itself has and that hide the document's own: rule.name
// rule.id rule.uuid rule.type severity risk_score source tags attack.technique attack.tactic status
// reason. ok is false for any other name and for one without a value.
func (a *Alert) Own(name string) (values []any, ok bool) {
	var texts []string
	switch name {
	case "rule.name":
		texts = []string{a.Rule.Name}
	case "rule.id":
		texts = []string{a.Rule.ID}
	case "rule.uuid":
		texts = []string{a.Rule.UUID}
	case "rule.type":
		texts = []string{a.Rule.Type}
	case "severity":
		texts = []string{a.Severity.String()}
	case "source":
		texts = []string{a.Source}
	case "tags":
		texts = a.Tags
	case "attack.technique":
		texts = a.Techniques()
	case "attack.tactic":
		texts = a.Tactics()
	case "status":
		texts = []string{string(a.Status)}
	case "reason":
		texts = []string{a.Reason}
	case "risk_score":
		if a.Risk != 0 {
			values = []any{a.Risk}
		}
	}
	for _, v := range texts {
		if v != "" {
			values = append(values, v)
		}
	}
	return values, values != nil
}

var own = []string{
	"rule.name", "rule.id", "rule.uuid", "rule.type", "severity", "risk_score", "source", "tags",
	"attack.technique", "attack.tactic", "status", "reason",
}

// Fields flattens the document and lays over it the alert's own names.
func (a *Alert) Fields() (Fields, error) {
	f, err := Flatten(a.Document)
	if err != nil {
		return nil, fmt.Errorf("fields of alert %s: %w", a.ID, err)
	}
	for _, name := range own {
		if values, ok := a.Own(name); ok {
			f[name] = values
		}
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
