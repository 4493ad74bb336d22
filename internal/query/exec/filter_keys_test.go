package exec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
)

func TestKeysAreWhatADocumentMustHave(t *testing.T) {
	for text, want := range map[string]string{
		`severity: critical`:                                "severity=critical",
		`severity: (high or critical)`:                      "severity=high,critical",
		`severity: (high or critical) and rule.name: "a b"`: "rule.name=a b",
		`host.name: web* and user.name: root`:               "user.name=root",
		`enabled: true`:                                     "enabled=true",
		`severity: high or user.name: root`:                 "",
		`not severity: high`:                                "",
		`host.name: web*`:                                   "",
		`risk_score: 7`:                                     "",
		`source.ip: 10.0.0.1`:                               "",
		`seen: now`:                                         "",
		`seen: 2026-01-01`:                                  "",
		`message: root`:                                     "",
		`host.name.keyword: a`:                              "",
		`root`:                                              "",
		``:                                                  "",
		`k: (a or b or c or d or e or f or g or h or i)`:        "k=a,b,c,d,e,f,g,h,i",
		`k: (a or b or c or d or e or f or g or 5 or i)`:        "",
		`severity: critical and (user.name: a or user.name: b)`: "severity=critical",
	} {
		n, err := kql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		field, values, ok := exec.NewFilter(n, nil).Keys()
		got := ""
		if ok {
			got = field + "=" + strings.Join(values, ",")
		}
		if got != want {
			t.Errorf("%s: keys %q, want %q", text, got, want)
		}
	}
}

// A document that matches has one of the keys.
func TestWhatMatchesHasAKey(t *testing.T) {
	clause := rapid.Custom(func(t *rapid.T) string {
		field := rapid.SampledFrom([]string{"a", "b.c", "message"}).Draw(t, "field")
		value := rapid.SampledFrom([]string{"x", "y", `"x y"`, "true", "7", "10.0.0.1", "z*", "(x or y)", "(x or 7)", "now"}).Draw(t, "value")
		return rapid.SampledFrom([]string{"", "", "", "not "}).Draw(t, "not") + field + ": " + value
	})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for i, c := range rapid.SliceOfN(clause, 1, 4).Draw(t, "clauses") {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{" and ", " or "}).Draw(t, "op"))
			}
			b.WriteString(c)
		}
		n, err := kql.Parse(b.String())
		if err != nil {
			t.Fatal(err)
		}
		doc := exec.Map{}
		for _, field := range []string{"a", "b.c", "message"} {
			for range rapid.IntRange(0, 2).Draw(t, "values") {
				doc[field] = append(doc[field], rapid.SampledFrom([]any{"x", "y", "x y", true, "7", 7, "10.0.0.1", "zz", "2026-01-01"}).Draw(t, "value"))
			}
		}
		f := exec.NewFilter(n, nil)
		field, values, ok := f.Keys()
		if !ok || !f.Match(doc, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
			return
		}
		for _, v := range doc[field] {
			for _, k := range values {
				if fmt.Sprint(v) == k {
					return
				}
			}
		}
		t.Fatalf("%s matches %v, which has none of %s %v", b.String(), doc, field, values)
	})
}
