package config

import (
	"strings"
	"testing"
)

// TestPlaceInFollowsHowYAMLWritesText marks one character of a text with a section sign, which the
// file has once, so that where it must be found is plain.
func TestPlaceInFollowsHowYAMLWritesText(t *testing.T) {
	for name, file := range map[string]string{
		"plain":                   "k: severity§ critical\n",
		"plain first":             "k: §everity\n",
		"plain after wide":        "k: é日本§x\n",
		"plain in a list":         "k: [a, b c§d]\n",
		"plain folded":            "k: severity\n  critical and\n\n  x§ y\n",
		"plain with a comment":    "k: abc§ # comment\n",
		"windows lines":           "a: 1\r\nk: a\r\n  b§ c\r\n",
		"single":                  "k: 'it''s ''a''§ b'\n",
		"single folded":           "k: 'it''s\n  a §b'\n",
		"double":                  "k: \"a \\\"b\\\" \\u00e9\\x41\\U0001F600\\n§\"\n",
		"double with tab":         "k: \"a\\t§\"\n",
		"double after spaces":     "k: \"a   b  §\"\n",
		"literal":                 "k: |\n  severity: x\n  and  y§ z\nb: 1\n",
		"literal with blank line": "k: |-\n\n    a\n      b§\n",
		"folded":                  "k: >-\n  severity: x\n  and y§ z\n",
		"after a variable":        "k: a ${VAR} b§\n",
		"after a dollar":          "k: a $${ b§\n",
		"the variable":            "k: a b c§\n",
		"flow mapping":            "x: {k: 'a: b§'}\n",
		"after a bom":             "\ufeffk: a§b\n",
	} {
		d := &decoder{file: "f", env: environment("VAR=much longer than its name §"), places: map[string]Place{}}
		if name != "after a variable" {
			d.env = environment("VAR=x")
		}
		root, ok := d.parse([]byte(file))
		if !ok {
			t.Errorf("%s: %v", name, d.problems)
			continue
		}
		m := d.mapping(root, "", d.start())
		if name == "flow mapping" {
			m = m.section("x")
		}
		value, ok := text{}, false
		if name == "plain in a list" {
			var values []text
			values, ok = m.texts("k")
			if ok && len(values) == 2 {
				value = values[1]
			}
		} else {
			value, ok = m.text("k")
		}
		offset := strings.LastIndex(value.value, "§")
		if !ok || offset < 0 {
			t.Errorf("%s: read %q, %v", name, value.value, d.problems)
			continue
		}
		got := d.placeIn(value, value.from[offset])
		before, _, _ := strings.Cut(strings.TrimPrefix(file, "\ufeff"), "§")
		line := 1 + strings.Count(before, "\n")
		column := 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
		if got.Line != line || got.Column != column {
			t.Errorf("%s: %s, want %d:%d", name, got, line, column)
		}
	}
}

func TestTheEndOfATextIsAPlaceToo(t *testing.T) {
	for file, want := range map[string]string{
		"k: abc\nb: 1\n":      "f:1:7",
		"k: 'abc' # x\nb: 1":  "f:1:8",
		"k: |\n  abc\n\nb: 1": "f:2:6",
	} {
		d := &decoder{file: "f", env: environment(""), places: map[string]Place{}}
		root, _ := d.parse([]byte(file))
		value, ok := d.mapping(root, "", d.start()).text("k")
		if !ok {
			t.Errorf("%q: %v", file, d.problems)
			continue
		}
		if got := d.placeIn(value, value.from[len(value.value)]).String(); got != want {
			t.Errorf("%q: %s, want %s", file, got, want)
		}
	}
}
