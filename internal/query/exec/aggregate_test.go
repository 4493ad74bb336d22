package exec

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

func TestExactSumLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s exactSum
		want := new(big.Float).SetPrec(4000)
		for _, f := range rapid.SliceOf(rapid.Float64Range(-1e300, 1e300)).Draw(t, "doubles") {
			s.add(f)
			want.Add(want, new(big.Float).SetFloat64(f))
		}
		for _, f := range rapid.SliceOf(rapid.SampledFrom([]float64{5e-324, -5e-324, 1, 0.1, 1e-300, -1e17, math.MaxFloat64 / 4})).Draw(t, "special") {
			s.add(f)
			want.Add(want, new(big.Float).SetFloat64(f))
		}
		if got := s.big(); got.Cmp(want) != 0 {
			t.Fatalf("sum is %g, want %g", got, want)
		}
		s.carry()
		if got := s.big(); got.Cmp(want) != 0 {
			t.Fatalf("after carrying the sum is %g, want %g", got, want)
		}
	})
}

// A window from which inputs have left has the value of a state that never saw them.
func TestSlidingStatesForgetWhatLeft(t *testing.T) {
	makers := map[string]aggregator{}
	b := &builder{in: row.NewSchema("f"), step: &plan.Step{In: plan.Columns{Open: true}}, query: &plan.Query{}}
	for _, name := range []string{"count", "sum", "avg", "min", "max", "range", "dc", "values", "list", "mode", "median", "perc", "stdev", "stdevp", "var", "varp", "first", "last", "earliest", "latest"} {
		makers[name] = b.newAggregator(aggregateOf(name))
	}
	value := rapid.Custom(func(t *rapid.T) row.Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return row.NewString(rapid.SampledFrom([]string{"a", "b", "10", "9", "2024-01-01", "2023-05-05T10:00:00Z"}).Draw(t, "s"))
		case 1:
			return row.NewFloat(rapid.SampledFrom([]float64{0.1, 0.2, -0.3, 1e16, -1e16, 2.5}).Draw(t, "f"))
		case 2:
			return row.NewList([]row.Value{row.NewInt(rapid.Int64Range(-2, 2).Draw(t, "l")), row.NewString("x")})
		case 3:
			return row.NewInt(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1, 0}).Draw(t, "big"))
		}
		return row.NewInt(rapid.Int64Range(-5, 5).Draw(t, "i"))
	})
	rapid.Check(t, func(t *rapid.T) {
		var inputs []input
		at := int64(0)
		for i, v := range rapid.SliceOfN(value, 1, 30).Draw(t, "values") {
			at += rapid.Int64Range(0, 2).Draw(t, "step")
			inputs = append(inputs, input{v: v, t: at, at: true, seq: int64(i)})
		}
		width := rapid.IntRange(1, 8).Draw(t, "width")
		for name, g := range makers {
			slide := g.slide()
			for i := range inputs {
				slide.add(inputs[i])
				if i >= width {
					slide.remove(inputs[i-width])
				}
				fresh := g.new()
				for _, in := range inputs[max(0, i-width+1) : i+1] {
					fresh.add(in)
				}
				if got, want := string(slide.value().AppendJSON(nil)), string(fresh.value().AppendJSON(nil)); got != want {
					t.Fatalf("%s of the window that ends at %d is %s, want %s", name, i, got, want)
				}
			}
		}
	})
}
