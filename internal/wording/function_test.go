package wording

import (
	"strings"
	"testing"
	"time"
)

type values map[string]any

func (v values) Value(name string) any { return v[name] }

func TestEveryFunctionToldOfWorksAsItsExampleSays(t *testing.T) {
	data := values{
		"count": 12, "severity": "high", "message": " a b ", "user.name": []any{"ann", "bob"}, "source.ip": "1.2.3.4", "first": time.Unix(0, 0), "avg_ms": 1.25,
		"rows": []any{Row{"user.name": {"ann"}}}, "process.executable": `C:\x`, "rule.name": "a & b", "odd name": "odd",
	}
	for _, f := range Functions {
		tmpl, err := Parse(f.Example)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		said, err := tmpl.Render(data)
		if err != nil || said == "" || strings.Contains(said, Missing) {
			t.Errorf("%s: %q, %v", f.Example, said, err)
		}
		if f.Text == "" || !strings.Contains(f.Example, f.Name) {
			t.Errorf("%+v", f)
		}
	}
}
