package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

func aggregateOf(name string) pipe.Aggregate {
	return pipe.Aggregate{Func: name, Written: name, Percent: 30, Field: &pipe.Field{Name: "f"}}
}

// every function of the grammar can be run, and nothing else is here.
func TestEveryFunctionOfTheGrammarRuns(t *testing.T) {
	var here []string
	for n := range plainFunctions {
		here = append(here, n)
	}
	for n := range lazyFunctions {
		here = append(here, n)
	}
	slices.Sort(here)
	if want := pipe.FunctionNames(); !slices.Equal(here, want) {
		t.Errorf("functions are %v, the grammar has %v", here, want)
	}
}

// counting is a backend without end that tells how much was read of it.
type counting struct {
	read  int
	limit int
	text  string
}

func (b *counting) Plan(context.Context, plan.Read) (plan.Pushed, error) { return plan.Pushed{}, nil }

func (b *counting) Rows(_ context.Context, r plan.Read, _ plan.Pushed, s *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	slot := s.Slot("n")
	for b.read = 0; b.limit == 0 || b.read < b.limit; b.read++ {
		w := row.Row{}
		w.Set(slot, row.NewString(fmt.Sprintf("%s%d", b.text, b.read)))
		if err := emit(&w); err != nil {
			return plan.Cost{}, err
		}
	}
	return plan.Cost{}, nil
}

func runOn(ctx context.Context, t *testing.T, b Backend, text string, limit int64) (int, error) {
	t.Helper()
	q, err := plan.New(text, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	_, err = Run(ctx, q, Options{Backend: b, MaxMemory: limit}, Sink{
		Columns: func([]string) error { return nil },
		Row:     func(*row.Row) error { rows++; return nil },
	})
	return rows, err
}

func TestHeadStopsTheReading(t *testing.T) {
	b := &counting{}
	rows, err := runOn(t.Context(), t, b, "* | where isnotnull(n) | head 3 | table n", 0)
	if err != nil || rows != 3 || b.read != 2 {
		t.Errorf("%d rows, %d read, error %v", rows, b.read, err)
	}
}

func TestWhatHoldsTooMuchIsRefusedByName(t *testing.T) {
	for _, text := range []string{
		"* | sort n | table n", "* | count by n", "* | stats values(n)", "* | stats dc(n)", "* | dedup n | table n", "* | eventstats count | table n",
		"* | streamstats count by n | table n", "* | top n", "* | append [* | table n] | tail 1", "* | eval @timestamp=0 | count by n over 5m",
		"* | join n [* | table n] | table n", "* | eval @timestamp=0 | transaction n | table n", "* | head 200000",
	} {
		_, err := runOn(t.Context(), t, &counting{limit: 40_000, text: strings.Repeat("x", 50)}, text, 1<<20)
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: error %v", text, err)
			continue
		}
		if !strings.Contains(err.Error(), "--max-memory") || limit.Pipe == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTopRowsOfAnEndlessOrderFitInMemory(t *testing.T) {
	rows, err := runOn(t.Context(), t, &counting{limit: 40_000, text: strings.Repeat("x", 50)}, "* | sort 10 - n | table n", 2<<20)
	if err != nil || rows != 10 {
		t.Errorf("%d rows, error %v", rows, err)
	}
}

func TestValuesCannotGrowWithoutEnd(t *testing.T) {
	for _, text := range []string{
		"* | eval a = concat(n, n)" + strings.Repeat(", a = concat(a, a)", 60) + " | table a",
		"* | eval a = mvappend(n, n)" + strings.Repeat(", a = mvappend(a, a)", 60) + " | table a",
	} {
		if _, err := runOn(t.Context(), t, &counting{limit: 1}, text, 0); err == nil || !strings.Contains(err.Error(), "more than 64 MB") {
			t.Errorf("error %v", err)
		}
	}
}

func TestACancelledSearchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runOn(ctx, t, &counting{}, "* | count", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestErrorsOfTheBackendAreErrorsOfTheSearch(t *testing.T) {
	failed := errors.New("shard 3 failed")
	for _, text := range []string{"*", "* | count", "* | append [*]", "[* | fields n] | count", "* | join n [* | table n]"} {
		if _, err := runOn(t.Context(), t, failing{failed}, text, 0); !errors.Is(err, failed) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Plan(context.Context, plan.Read) (plan.Pushed, error) { return plan.Pushed{}, nil }

func (f failing) Rows(context.Context, plan.Read, plan.Pushed, *row.Schema, func(*row.Row) error) (plan.Cost, error) {
	return plan.Cost{}, f.err
}
