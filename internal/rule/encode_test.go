package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestJSONBecomesYAMLThatPeopleRead(t *testing.T) {
	got, err := YAML([]byte(`{"name":"SSH: \ud83d\ude00","search":"a:1\n| count by b","tags":["8","x","true"],"every":"5m","enabled":false,"tests":[{"name":"t","events":[{"n":1.5e3,"z":null}],"alerts":0}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `name: "SSH: 😀"
search: |-
  a:1
  | count by b
tags:
  - "8"
  - x
  - "true"
every: 5m
enabled: false
tests:
  - name: t
    events:
      - "n": 1500
        z: null
    alerts: 0
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestAnyJSONIsTheSameAsYAML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]any{}
		for range rapid.IntRange(1, 4).Draw(t, "keys") {
			value[rapid.String().Draw(t, "key")] = rapid.OneOf(
				rapid.Map(rapid.String(), func(s string) any { return s }),
				rapid.Map(rapid.SampledFrom([]string{"true", "null", "5", "1_0", "0x1", "~", "- a", "a: b", " a", "a\n b\n", "#", "a #b", "'", "\"", "&a", "*a", "!!str", "2024-01-01", ".inf", "<<", "=", "\u0085", "\u2028", "\t", "a\r\nb", "%"}), func(s string) any { return s }),
				rapid.Map(rapid.IntRange(-5, 1<<50), func(n int) any { return n }),
				rapid.Just[any](nil), rapid.Just[any](true),
			).Draw(t, "value")
		}
		content, err := marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		written, err := YAML(content)
		if err != nil {
			t.Fatalf("%s: %v", content, err)
		}
		back, err := JSON(written)
		if err != nil {
			t.Fatalf("%s became\n%s: %v", content, written, err)
		}
		if diff := cmp.Diff(string(content), string(back)); diff != "" {
			t.Fatalf("%s became\n%s%s", content, written, diff)
		}
	})
}

func TestOneKeyChangesAndAllElseStays(t *testing.T) {
	f := func(before, want string) {
		t.Helper()
		got, err := withState([]byte(before), Shadow)
		if err != nil || string(got) != want {
			t.Errorf("%q became %q, %v", before, got, err)
		}
	}
	f("name: a # x\nenabled: true # for now\nsearch: b\n", "name: a # x\nenabled: \"shadow\" # for now\nsearch: b\n")
	f("name: a", "name: a\nenabled: \"shadow\"\n")
	f("{name: a, enabled: true}\n", "{name: a, enabled: \"shadow\"}\n")
	f("{name: a, enabled: false, search: b}", "{name: a, enabled: \"shadow\", search: b}")
	f("{name: a,\n}\n", "{name: a, \"enabled\": \"shadow\"}\n")
	f("name: a\nsearch: |\n  enabled: true\n", "name: a\nsearch: |\n  enabled: true\nenabled: \"shadow\"\n")
	f("enabled:\n  true\nname: a\n", "enabled:\n  \"shadow\"\nname: a\n")
}
