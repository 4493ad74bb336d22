package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
)

func compile(t *testing.T, text string, o plan.Options) *plan.Query {
	t.Helper()
	q, err := plan.New(text, o)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func TestOnlyTheFieldsNeededAreRead(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		read, _ := compile(t, text, plan.Options{}).Read(kql.MatchAll())
		got := "all"
		if read.Fields != nil {
			got = strings.Join(read.Fields, " ")
		}
		if got != want {
			t.Errorf("%s reads %q, want %q", text, got, want)
		}
	}
	f("*", "all")
	f("* | head 5", "all")
	f("* | eval x = a", "all")
	f("* | count", "")
	f("* | count by a, b.c", "a b.c")
	f("* | eval x = a + b, y = x | stats sum(y) by c", "c a b")
	f("* | where q > 1 | table a, _time", "a @timestamp q")
	f("* | fields a* | count", "all")
	f("* | rename a as b | table b", "a")
	f("* | rex field=m \"(?<n>.)\" | count by n", "n m")
	f("* | count by u over 5m", "u @timestamp")
	f("* | eventstats max(a) as m | where b = m | table c", "c b a")
	f("* | sort - a | head 2 | table b", "b a")
	f("* | join k [x | table k, v] | table v", "v k")
	f("* | timechart span=1h avg(a) by b", "@timestamp a b")
	f("* | search c:1 | count by a | search count > 1", "a")
	f("* | eval x=1 | search c:1 | count by a", "a c")
	f("* | eval x=1 | search anything | count by a", "all")
}

func TestWhatIsOfferedToTheBackend(t *testing.T) {
	f := func(text string, aggregate bool, top string, covered int) {
		t.Helper()
		read, n := compile(t, text, plan.Options{}).Read(nil)
		got := ""
		if read.Top != nil {
			for _, k := range read.Top.Keys {
				got += k.String() + " "
			}
		}
		if (read.Aggregate != nil) != aggregate || strings.TrimSpace(got) != top || n != covered {
			t.Errorf("%s: aggregate %v, top %q, covered %d", text, read.Aggregate != nil, got, n)
		}
	}
	f("* | count by a", true, "", 1)
	f("* | search b:1 | count by a | where count > 1", true, "", 1)
	f("* | where b = 1 | count by a", false, "", 0)
	f("* | count by a over 5m", false, "", 0)
	f("* | sort 5 - _time, b", false, "-@timestamp b", 1)
	f("* | sort a | head 3", false, "a", 1)
	f("* | sort a", false, "", 0)
}

func TestARuleGivesItsAggregationItsWindow(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		q := compile(t, text, plan.Options{Window: 5 * time.Minute})
		over := false
		for _, s := range q.Steps {
			if st, ok := s.Pipe.(*pipe.Stats); ok {
				over = over || st.Over == pipe.Duration{N: 300000, Unit: "ms"}
			}
		}
		if over != want {
			t.Errorf("%s: over is %v", text, over)
		}
	}
	f("* | count by u | search count > 10", true)
	f("* | eval x=1 | count by u | where count > 10 | table u", true)
	f("* | count by u over 10m", false)
	f("* | bin span=1h | count by _time", false)
	f("* | count by span(_time, 1h)", false)
	f("* | count by u | count", false)
	f("* | dedup u | count by u", false)
}

func TestMistakesKnownBeforeDataIsRead(t *testing.T) {
	for _, text := range []string{
		"* | count by a | where b = 1", "* | count | sort nosuch", "* | where match(a, \"(\")", "* | eval x=cidrmatch(\"10.0.0\", a)",
		"* | count | timechart count", "* | lookup nosuch a", "* | table a | stats earliest(a)", "a:( | count", "* | search b:(", "* | count by a | search b:1",
		"* | append [* | count | where x=1]", "[* | count | where x = 1]", "* | where relative_time(a, \"soon\") > 1", "* | spike by a factor=2 baseline=2d seasonal=1d",
		"* | missing by last over 1d", "* | changed a by b | table _time, a | spike factor=2 baseline=1h | changed count",
	} {
		if _, err := plan.New(text, plan.Options{}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestSubsearchesTakeTheTimesOfTheirSearch(t *testing.T) {
	now := time.Date(2024, 7, 2, 12, 0, 0, 0, time.UTC)
	q := compile(t, "from a earliest=-1d [x] and [from b earliest=-7d latest=@d y]", plan.Options{Now: now, Latest: now})
	one, two := q.Filter.Subs[0].Source, q.Filter.Subs[1].Source
	if strings.Join(one.From, "") != "a" || !one.Earliest.Equal(now.AddDate(0, 0, -1)) || !one.Latest.Equal(now) {
		t.Errorf("the first reads %+v", one)
	}
	if strings.Join(two.From, "") != "b" || !two.Earliest.Equal(now.AddDate(0, 0, -7)) || !two.Latest.Equal(now.Truncate(24*time.Hour)) {
		t.Errorf("the second reads %+v", two)
	}
}

func TestKQLMistakesKeepTheirPlaceBesideSubsearches(t *testing.T) {
	_, err := plan.New(`[from é * | count] and a:"b" c`, plan.Options{})
	var se *kql.SyntaxError
	if !errors.As(err, &se) {
		t.Fatalf("error is %v", err)
	}
	want := "Expected end of input, whitespace but \"c\" found.\n[from é * | count] and a:\"b\" c\n" + strings.Repeat("-", 29) + "^"
	if se.Error() != want {
		t.Errorf("error is\n%s\nwant\n%s", se, want)
	}
}
