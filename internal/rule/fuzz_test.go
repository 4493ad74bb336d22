package rule

import (
	"errors"
	"testing"
)

// FuzzParse looks for texts that break the parser, and holds that a rule read from YAML is the same read
// from its JSON.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		bruteForce, "name: a\nsearch: b", "{name: a, search: 'b:c | count'}", `{"name":"a","search":"b"}`, "- x", "a: &x [*x]", "name: a\nsearch: |\n  b\n   c\n",
		"name: a\nsearch: >-\n  x:(y or\n\n  )", "name: \"\\ud83d\\ude00\"\nsearch: \"a\\\n  b\"", "name: x\nsearch: y\nmessage: '{{range .x}}'", "<<: {name: a}\nsearch: b",
		"name: a\nsearch: b\nschedule: {runs: '*/5 8-17 * * fri-mon'}", "\ufeffname: a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		r, err := Parse([]byte(content), ParseOptions{Now: testNow})
		if err != nil {
			var problems *Problems
			if !errors.As(err, &problems) || len(problems.List) == 0 {
				t.Fatalf("error is %T %v", err, err)
			}
			for _, p := range problems.List {
				if p.Text == "" || p.Place.Line < 0 || p.Place.Column < 0 {
					t.Fatalf("problem is %+v", p)
				}
			}
			return
		}
		written, err := JSON([]byte(content))
		if err != nil {
			t.Fatalf("%q has no JSON: %v", content, err)
		}
		again, err := ParseJSON(written, ParseOptions{Now: testNow})
		if err != nil {
			t.Fatalf("%q as JSON %s: %v", content, written, err)
		}
		if r.ID != again.ID || r.Search != again.Search || r.Every != again.Every || len(r.Tests) != len(again.Tests) {
			t.Fatalf("%q is another rule as JSON", content)
		}
		back, err := YAML(written)
		if err != nil {
			t.Fatalf("%s has no YAML: %v", written, err)
		}
		if third, err := JSON(back); err != nil || string(third) != string(written) {
			t.Fatalf("%s became %s, %v", written, third, err)
		}
		for _, state := range []State{On, Off, Shadow} {
			changed, err := withState([]byte(content), state)
			if err != nil {
				t.Fatalf("%q cannot be %s: %v", content, state, err)
			}
			if r, err := Parse(changed, ParseOptions{Now: testNow}); err == nil && r.Enabled != state {
				t.Fatalf("%q made %s is %q", content, state, changed)
			}
		}
	})
}
