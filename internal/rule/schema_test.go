package rule

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"tocsin/internal/yamltext"
)

var update = flag.Bool("update", false, "write what came out as what is wanted")

func TestThePublishedSchemaIsTheOneWeHave(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "rule.schema.json")
	if *update {
		if err := os.WriteFile(path, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(published), string(Schema())); diff != "" {
		t.Errorf("go test ./internal/rule -run Published -update writes it\n%s", diff)
	}
}

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rule.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rule.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaAndDecoderAgree makes documents that are rules, or nearly.
func TestSchemaAndDecoderAgree(t *testing.T) {
	schema := compiledSchema(t)
	valid, invalid := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		document := drawShape(t, described, rapid.SampledFrom([]int{0, 0, 0, 30}).Draw(t, "spoil"))
		content, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(content)))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := schema.Validate(instance)
		for name, tree := range map[string]func(*reader, string) *node{"JSON": (*reader).json, "YAML": (*reader).yaml} {
			r := reader{source: yamltext.NewText("", string(content))}
			n := tree(&r, string(content))
			if n == nil {
				t.Fatalf("%s is not read as %s: %v", content, name, r.problems)
			}
			r.check(n, described, "")
			if (bySchema == nil) != (len(r.problems) == 0) {
				t.Fatalf("%s\nas %s\nthe schema says %v\nthe decoder says %v", content, name, bySchema, r.problems)
			}
		}
		// What the decoder takes whole, the schema takes.
		if _, err := ParseJSON(content, ParseOptions{}); err == nil && bySchema != nil {
			t.Fatalf("%s\nis a rule, and the schema says %v", content, bySchema)
		}
		if bySchema == nil {
			valid++
		} else {
			invalid++
		}
	})
	if valid == 0 || invalid == 0 {
		t.Errorf("%d valid documents and %d others: the law was not tested", valid, invalid)
	}
}

var drawnTexts = []string{
	"a", "b c", "event.action:x", "* | count by user.name", "T1110", "T1110.001", "5m", "1h30m", "auto", "off", "https://example.org/x",
	"2027-01-31", "mon-fri 08:00-18:00", "ssh/brute-force", "ümlaut", "low", "row", "shadow", "true", "8", "two\nlines", "bell\a",
}

var spoiled = []any{
	"", " ", "\u00a0", nil, true, false, 0, -1, 7, 100.5, 1e6, []any{}, []any{"a", "a"}, []any{nil}, map[string]any{}, map[string]any{"field": "x"}, "5 m", "T11", "10m5h",
}

// drawShape makes a value of a shape; about spoil of a hundred values are something else.
func drawShape(t *rapid.T, s *shape, spoil int) any {
	if rapid.IntRange(0, 99).Draw(t, "luck") < spoil {
		return rapid.SampledFrom(spoiled).Draw(t, "spoiled")
	}
	switch s.form {
	case textForm:
		return rapid.SampledFrom(drawnTexts).Draw(t, "text")
	case wordForm:
		return rapid.SampledFrom(s.words).Draw(t, "word")
	case patternForm:
		for {
			v := rapid.SampledFrom(drawnTexts).Draw(t, "pattern")
			if s.pattern.MatchString(v) {
				return v
			}
		}
	case boolForm:
		return rapid.Bool().Draw(t, "bool")
	case integerForm:
		return rapid.IntRange(int(s.least), int(s.most)).Draw(t, "integer")
	case numberForm:
		return rapid.Float64Range(s.least, s.most).Draw(t, "number")
	case listForm:
		var out []any
		seen := map[string]bool{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			v := drawShape(t, s.of, spoil)
			if text := fmt.Sprint(v); !seen[text] || s.repeats {
				seen[text] = true
				out = append(out, v)
			}
		}
		return append([]any{}, out...)
	case sectionForm:
		out := map[string]any{}
		for _, k := range s.keys {
			if k.needed && rapid.IntRange(0, 99).Draw(t, "lack") >= spoil/3 || rapid.IntRange(0, 4).Draw(t, "has") == 0 {
				out[k.name] = drawShape(t, k.shape, spoil)
			}
		}
		if rapid.IntRange(0, 99).Draw(t, "more") < spoil/3 {
			out["unheard_of"] = 1
		}
		return out
	case mapForm:
		out := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			out[rapid.SampledFrom(drawnTexts).Draw(t, "key")] = drawShape(t, s.of, spoil)
		}
		return out
	case eitherForm:
		return drawShape(t, rapid.SampledFrom(s.choices).Draw(t, "choice"), spoil)
	default:
		return rapid.SampledFrom(spoiled).Draw(t, "anything")
	}
}
