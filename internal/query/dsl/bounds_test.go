package dsl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/query/dsl"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
)

// boundFields are fields as an index has them; what is not here no document has, but for secret.
var boundFields = map[string]dsl.Indexed{
	"kw":         {Kind: dsl.IndexKeyword, Name: "kw"},
	"kw.keyword": {Kind: dsl.IndexKeyword, Name: "kw", Plain: true},
	"txt":        {Kind: dsl.IndexKeyword, Name: "txt.keyword", IgnoreAbove: 64},
	"message":    {Kind: dsl.IndexWords, Name: "message"},
	"n":          {Kind: dsl.IndexInteger, Name: "n", Least: -1 << 31, Most: 1<<31 - 1},
	"d":          {Kind: dsl.IndexDouble, Name: "d"},
	"flag":       {Kind: dsl.IndexBoolean, Name: "flag"},
	"ip":         {Kind: dsl.IndexIP, Name: "ip"},
	"at":         {Kind: dsl.IndexDate, Name: "at"},
	"secret":     {},
}

// boundTypes are the same fields as Elasticsearch would match them.
func boundTypes(name string) exec.FieldType {
	switch name {
	case "kw", "txt.keyword", "secret":
		return exec.Keyword
	case "message":
		return exec.Text
	case "n", "d":
		return exec.Number
	case "flag":
		return exec.Boolean
	case "ip":
		return exec.IP
	case "at":
		return exec.Date
	}
	return exec.Unindexed
}

var boundValues = map[string][]any{
	"kw":      {"root", "Root", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2024-07-01", "2024-07-01T00:00:00Z", "2024", "5", "5.0", "now", "true", "", "a b"},
	"txt":     {"root", "ro", "10.0.0.1", "4624", "word"},
	"message": {"failed password", "Failed", "root"},
	"n":       {0, 5, -7, 2024},
	"d":       {0.5, 5.0, -2.25},
	"flag":    {true, false},
	"ip":      {"10.0.0.1", "2001:db8::1"},
	"at":      {"2024-07-01T00:00:00Z", "2024-06-30T23:59:59.999Z", "2024-07-01T12:00:00.5Z"},
	"secret":  {"root", "x"},
}

var boundTexts = []string{
	"root", "ro*", "*", "*oo*", "10.0.0.1", "10.0.0.0/8", "10.0.0.0/33", "::ffff:10.0.0.1", "2001:db8::1", "2024", "2024-07-01",
	"2024-07-01T00:00:00Z", "now", "now-1d/d", "5", "5.0", "5.5", "+5", "1e3", "99999999999999999999", "99999999999", "true", "false", "failed", "FAILED password", "null", "", "x",
}

var boundNames = []string{"kw", "kw.keyword", "txt", "message", "n", "d", "flag", "ip", "at", "secret", "absent", "k*"}

func boundFilter(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "node") {
		case 0:
			return "(" + boundFilter(t, depth-1) + " and " + boundFilter(t, depth-1) + ")"
		case 1:
			return "(" + boundFilter(t, depth-1) + " or " + boundFilter(t, depth-1) + ")"
		case 2:
			return "not (" + boundFilter(t, depth-1) + ")"
		}
	}
	name, text := rapid.SampledFrom(boundNames).Draw(t, "field"), rapid.SampledFrom(boundTexts).Draw(t, "text")
	if !strings.Contains(text, "*") && (text == "" || strings.ContainsAny(text, `:/+ `) || rapid.Bool().Draw(t, "quoted")) {
		text = `"` + text + `"`
	}
	op := rapid.SampledFrom([]string{":", ":", ":", "<", ">="}).Draw(t, "operator")
	if rapid.IntRange(0, 9).Draw(t, "free") == 0 {
		return text
	}
	return name + " " + op + " " + text
}

// TestBoundsHoldAFilterBetweenThem: what the index finds with the narrow bound rows match, and what rows
// match the index finds with the wide one.
func TestBoundsHoldAFilterBetweenThem(t *testing.T) {
	exact := 0
	rapid.Check(t, func(t *rapid.T) {
		text := boundFilter(t, 3)
		tree, err := kql.Parse(text)
		if err != nil {
			t.Skip(err)
		}
		b := dsl.Bound(tree, func(name string) dsl.Indexed {
			if f, ok := boundFields[name]; ok {
				return f
			}
			return dsl.Indexed{Kind: dsl.IndexAbsent}
		})
		if b.Exact {
			exact++
		}
		rows := exec.NewFilter(tree, nil)
		narrow, wide := exec.NewFilter(b.Narrow, boundTypes), exec.NewFilter(b.Wide, boundTypes)
		for range 10 {
			doc := exec.Map{}
			for _, name := range boundNames {
				if len(boundValues[name]) > 0 && rapid.IntRange(0, 2).Draw(t, "has "+name) > 0 {
					for range rapid.IntRange(1, 2).Draw(t, "values") {
						doc[name] = append(doc[name], rapid.SampledFrom(boundValues[name]).Draw(t, name))
					}
				}
			}
			indexed := exec.Map{"txt.keyword": doc["txt"]}
			for name, values := range doc {
				indexed[name] = values
			}
			now := time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)
			n, r, w := narrow.Match(indexed, now), rows.Match(doc, now), wide.Match(indexed, now)
			if n && !r || r && !w || b.Exact && n != w {
				t.Fatalf("%s on %v: narrow %v, rows %v, wide %v\nnarrow %s\nwide   %s", text, doc, n, r, w, kql.Print(b.Narrow), kql.Print(b.Wide))
			}
		}
	})
	if exact == 0 {
		t.Error("no filter was exact")
	}
}

func TestBounds(t *testing.T) {
	for _, tc := range []struct{ filter, narrow, wide string }{
		{`txt:root`, `txt.keyword:root`, `txt.keyword:root`},
		{`txt:ro*`, `txt.keyword:ro*`, `*:*`},
		{`n:5.0`, `n:5`, `n:5`},
		{`n:5.5`, `NOT *:*`, `NOT *:*`},
		{`secret:x or kw:root`, `kw:root`, `*:*`},
		{`secret:x and kw:root`, `NOT *:*`, `kw:root`},
		{`not (secret:x and kw:root)`, `NOT kw:root`, `*:*`},
		{`not secret:x and not kw:root`, `NOT *:*`, `NOT kw:root`},
		{`absent:x or kw:root`, `kw:root`, `kw:root`},
		{`kw:"10.0.0.1"`, `kw:"10.0.0.1"`, `kw:("10.0.0.1" or *\:*)`},
	} {
		tree, err := kql.Parse(tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		b := dsl.Bound(tree, func(name string) dsl.Indexed {
			if f, ok := boundFields[name]; ok {
				return f
			}
			return dsl.Indexed{Kind: dsl.IndexAbsent}
		})
		got, want := fmt.Sprint(kql.Print(b.Narrow), " .. ", kql.Print(b.Wide)), tc.narrow+" .. "+tc.wide
		if !strings.EqualFold(got, want) || b.Exact != (tc.narrow == tc.wide) {
			t.Errorf("%s: %s, exact %v; want %s", tc.filter, got, b.Exact, want)
		}
	}
}
