package query_test

import (
	"testing"

	"tocsin/internal/query"
)

func TestWhatNeverPassesIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"a:b | count by user.name | search count > abc":             `count is a number and "abc" is none: this never holds`,
		"a:b | stats sum(x) as s by u | search s > 3 and s < ten":   `s is a number and "ten" is none: this never holds`,
		"a:b | stats dc(x) as n by u | sort - n | search n: many":   `n is a number and "many" is none: this never holds`,
		"a:b | count by user.name | search count > 10":              "",
		"a:b | count by user.name | search count > 1e3":             "",
		"a:b | count by user.name | search user.name: abc":          "",
		"a:b | stats max(x) as m by u | search m > abc":             "",
		"a:b | stats count as n by u | eval n = \"x\" | search n:x": "",
		"a:b | count by u | search not count: many":                 "",
	} {
		q, err := query.Compile(text, query.Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := ""
		for _, w := range q.Warnings() {
			got += w.Message
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
