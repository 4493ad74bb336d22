package query_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
)

func TestASearchUsesWhatItDecidesBy(t *testing.T) {
	for text, want := range map[string][]string{
		"*":   nil,
		"a:1": {"a"},
		"a:1 and not (b:2 or @timestamp > 3) | search c:4":        {"a", "b", "c"},
		"a:1 | where n % 2 == 0":                                  {"a", "n"},
		"a:1 | eval x = lower(u) | where x == \"y\" | table x, z": {"a", "u", "z"},
		"a:1 | count by user.name | search count > 3":             {"a", "user.name"},
		"a:1 | stats dc(ip), values(p) by u | where 'dc(ip)' > 3": {"a", "ip", "p", "u"},
		"a:1 | newterms u, v over 1d":                             {"a", "u", "v"},
		"* | sequence by u maxspan=5m [x:1] ![y:2]":               {"u", "x", "y"},
		"a.*:1": nil,
	} {
		q, err := query.Compile(text, query.Options{Window: 5 * time.Minute})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, q.Uses()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
