package query_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
)

func TestMistakesAreAllThatIsRefused(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for _, m := range query.Mistakes(text, query.Options{}) {
			got = append(got, fmt.Sprintf("%s: %s (%s)", m.Text[m.Start:m.End], m.Message, m.Hint))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
		if _, err := query.Compile(text, query.Options{}); (err == nil) != (len(got) == 0) {
			t.Errorf("%s: %q, and Compile says %v", text, got, err)
		}
	}
	f("a:b | count by c | where count > 1")
	f("a:b | count by c | where cuont > 1 | sort d", `cuont: there is no column "cuont" here; the columns are c, count (count)`, `d: there is no column "d" here; the columns are c, count (c)`)
	f("a:(b", `: Expected ")", AND, OR, whitespace but end of input found. ()`)
	f("* | staats count", `staats: unknown command "staats" (stats)`)
}

func TestColumnsAreKnownAfterAnAggregation(t *testing.T) {
	f := func(text string, closed bool, want ...string) {
		t.Helper()
		q, err := query.Compile(text, query.Options{Window: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		got, is := q.Columns()
		if diff := cmp.Diff(want, got); diff != "" || is != closed {
			t.Errorf("%s: %v, %s", text, is, diff)
		}
	}
	f("a:b", false)
	f("a:b | count by c", true, "c", "count", "first", "last")
	f("a:b | eval d = 1", false, "d")
	f("a:b | table c, d", true, "c", "d")
}
