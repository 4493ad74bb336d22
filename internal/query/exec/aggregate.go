package exec

import (
	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// input is what one row gives an aggregate.
type input struct {
	v   row.Value
	t   int64 // the time of the row, in nanoseconds
	at  bool  // whether the row has a time
	seq int64 // the place of the row in the stream
}

// state is an aggregate in the making.
type state interface {
	// add takes the input of one more row, which has a value, and returns how many bytes it keeps of it.
	add(in input) int
	// value is the aggregate of what was added.
	value() row.Value
}

// slidingState is a state from which the oldest input can be taken away again.
type slidingState interface {
	state
	// remove takes away the input that was added first of those still there.
	remove(in input)
}

// aggregator makes states of one aggregate and computes their inputs.
type aggregator struct {
	name  string
	arg   evalFunc // nil: count of rows
	count bool     // count(eval()): only true counts
	new   func() state
	slide func() slidingState
	// numeric says that the aggregate is always a number or null.
	numeric bool
}

// newAggregator makes the aggregator of a.
func (b *builder) newAggregator(a pipe.Aggregate) aggregator {
	g := aggregator{name: a.Column(), numeric: a.Numeric()}
	switch {
	case a.Expr != nil:
		g.arg = b.expr(a.Expr)
		g.count = a.Func == "count"
	case a.Field != nil:
		slot := b.slot(a.Field.Name)
		g.arg = func(r *row.Row) row.Value { return r.Get(slot) }
	}
	plain := func(f func() slidingState) { g.slide, g.new = f, func() state { return f() } }
	switch a.Func {
	case "count":
		plain(func() slidingState { return &countState{} })
	case "sum":
		plain(func() slidingState { return &sumState{} })
	case "avg":
		plain(func() slidingState { return &avgState{} })
	case "stdev", "stdevp", "var", "varp":
		plain(func() slidingState {
			return &varState{sample: a.Func == "stdev" || a.Func == "var", root: a.Func[0] == 's'}
		})
	case "range":
		g.new = func() state { return &rangeState{} }
		g.slide = func() slidingState { return &rangeSlide{low: newExtremeSlide(-1), high: newExtremeSlide(1)} }
	case "dc":
		plain(func() slidingState { return &distinctState{} })
	case "median":
		plain(func() slidingState { return &rankState{median: true} })
	case "perc":
		plain(func() slidingState { return &rankState{percent: a.Percent} })
	case "min":
		g.new = func() state { return &extremeState{sign: -1} }
		g.slide = func() slidingState { return newExtremeSlide(-1) }
	case "max":
		g.new = func() state { return &extremeState{sign: 1} }
		g.slide = func() slidingState { return newExtremeSlide(1) }
	case "values":
		plain(func() slidingState { return &valuesState{} })
	case "mode":
		plain(func() slidingState { return &modeState{} })
	case "list":
		plain(func() slidingState { return &listState{} })
	case "first", "last", "earliest", "latest":
		g.new = func() state {
			return &pickState{better: pickers[a.Func], timed: a.Func[0] == 'e' || a.Func == "latest"}
		}
		g.slide = func() slidingState {
			return &pickSlide{better: pickers[a.Func], timed: a.Func[0] == 'e' || a.Func == "latest"}
		}
	}
	return g
}

// input is what the row gives; ok is false when it gives nothing.
func (g *aggregator) input(r *row.Row) (v row.Value, ok bool) {
	if g.arg == nil {
		return row.NewBool(true), true
	}
	v = g.arg(r)
	if g.count {
		return v, truth(v) == yes
	}
	return v, !v.IsNull()
}

// aggregators are those of a pipe, with where rows have their time.
type aggregators struct {
	list []aggregator
	time int // -1: rows have no time
}

func (b *builder) aggregators(aggs []pipe.Aggregate) *aggregators {
	out := &aggregators{time: -1}
	for _, a := range aggs {
		out.list = append(out.list, b.newAggregator(a))
		if a.Func == "earliest" || a.Func == "latest" {
			out.time = b.timeSlot()
		}
	}
	return out
}

func (a *aggregators) states() []state {
	out := make([]state, len(a.list))
	for i := range a.list {
		out[i] = a.list[i].new()
	}
	return out
}

// add gives a row to states and returns the bytes they keep of it.
func (a *aggregators) add(states []state, r *row.Row, seq int64) int {
	n := 0
	in := input{seq: seq}
	if a.time >= 0 {
		in.t, in.at = r.Get(a.time).AsTime()
	}
	for i := range a.list {
		if v, ok := a.list[i].input(r); ok {
			in.v = v
			n += states[i].add(in)
		}
	}
	return n
}

// countState counts values: rows for a bare count.
type countState struct{ n int64 }

func (s *countState) add(in input) int {
	s.n += int64(in.v.Len())
	return 0
}

func (s *countState) remove(in input) { s.n -= int64(in.v.Len()) }

func (s *countState) value() row.Value { return row.NewInt(s.n) }

// eachNumber calls f with every number among the values of v.
func eachNumber(v row.Value, f func(row.Value)) {
	if v.Kind() != row.List {
		if n, ok := v.Number(); ok {
			f(n)
		}
		return
	}
	for _, e := range v.Values() {
		if n, ok := e.Number(); ok {
			f(n)
		}
	}
}
