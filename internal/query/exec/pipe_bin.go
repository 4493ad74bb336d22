package exec

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// newBin makes the func that rounds a value down to the start of its bin; a time for a span of time,
// a number for a number. Bins of time are aligned so that one begins at align (nanoseconds since
// 1970); weeks begin on Monday. What is no time or number is null.
func newBin(size pipe.Size, align int64) func(row.Value) row.Value {
	if size.Number != "" {
		return numberBin(size.Number)
	}
	floor := timeBin(size.Duration, align)
	return func(v row.Value) row.Value {
		ns, ok := v.AsTime()
		if !ok {
			return row.Value{}
		}
		return row.NewTimeNano(floor(ns))
	}
}

// timeBin rounds nanoseconds since 1970 down.
func timeBin(d pipe.Duration, align int64) func(int64) int64 {
	if length, ok := d.Fixed(); ok {
		width := int64(length)
		if d.Unit == "w" && align == 0 {
			align = 4 * 24 * int64(time.Hour) // 1970-01-05 was a Monday
		}
		offset := floorMod(align, width)
		return func(ns int64) int64 { return ns - floorMod(ns-offset, width) }
	}
	months := map[string]int{"mon": 1, "q": 3, "y": 12}[d.Unit] * int(d.N)
	return func(ns int64) int64 {
		t := time.Unix(0, ns).UTC()
		m := (t.Year()-1970)*12 + int(t.Month()) - 1
		m -= int(floorMod(int64(m), int64(months)))
		return time.Date(1970, time.Month(m+1), 1, 0, 0, 0, 0, time.UTC).UnixNano()
	}
}

// timeStep is the start of the bin after the one that starts at ns.
func timeStep(d pipe.Duration, ns int64) int64 {
	if length, ok := d.Fixed(); ok {
		return ns + int64(length)
	}
	months := map[string]int{"mon": 1, "q": 3, "y": 12}[d.Unit] * int(d.N)
	return time.Unix(0, ns).UTC().AddDate(0, months, 0).UnixNano()
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// numberBin rounds down to multiples of span, exactly in decimal.
func numberBin(span string) func(row.Value) row.Value {
	width, ok := new(big.Rat).SetString(span)
	if whole, err := strconv.ParseInt(span, 10, 64); err == nil {
		return func(v row.Value) row.Value {
			n, isNumber := v.Number()
			if !isNumber {
				return row.Value{}
			}
			if n.Kind() == row.Int {
				return row.NewInt(n.Int() - floorMod(n.Int(), whole))
			}
			return decimalBin(n, width, 0)
		}
	}
	_, fraction, _ := strings.Cut(span, ".")
	return func(v row.Value) row.Value {
		n, isNumber := v.Number()
		if !isNumber || !ok {
			return row.Value{}
		}
		return decimalBin(n, width, len(fraction))
	}
}

func decimalBin(n row.Value, width *big.Rat, digits int) row.Value {
	if math.IsInf(n.Float(), 0) || math.Abs(n.Float()) > 1e300 {
		return row.Value{}
	}
	x, ok := new(big.Rat).SetString(strconv.FormatFloat(n.Float(), 'g', -1, 64))
	if !ok {
		return row.Value{}
	}
	q := x.Quo(x, width)
	floor := new(big.Int).Div(q.Num(), q.Denom()) // Euclidean: rounds down, the denominator is positive
	out := new(big.Rat).Mul(new(big.Rat).SetInt(floor), width)
	f, err := strconv.ParseFloat(out.FloatString(digits), 64)
	if err != nil {
		return row.Value{}
	}
	return tidy(f)
}

func (b *builder) bin(p *pipe.Bin) (op, *row.Schema, error) {
	from := 0
	if p.Field.Name == "" {
		from = b.timeSlot()
	} else {
		from = b.slot(p.Field.Name)
	}
	to := from
	if p.As != "" {
		to = b.in.Slot(p.As)
	}
	align := int64(0)
	switch p.AlignTime {
	case "":
	case "earliest":
		if !b.query.Source.Earliest.IsZero() {
			align = b.query.Source.Earliest.UnixNano()
		}
	case "latest":
		if !b.query.Source.Latest.IsZero() {
			align = b.query.Source.Latest.UnixNano()
		}
	default:
		if m, err := pipe.ParseMoment(p.AlignTime); err == nil {
			align = m.At(b.query.Now()).UnixNano()
		}
	}
	apply := func(r *row.Row, bin func(row.Value) row.Value) {
		r.Set(to, eachValue(r.Get(from), func(v row.Value) row.Value {
			if out := bin(v); !out.IsNull() {
				return out
			}
			return v // what cannot be binned stays
		}))
	}
	if !p.Size.IsZero() {
		bin := newBin(p.Size, align)
		return &changeOp{change: func(r *row.Row) { apply(r, bin) }}, b.in, nil
	}
	return &holdOp{env: b.env, pipe: "bin with bins", finish: func(rows []row.Row) []row.Row {
		if size, ok := chooseSize(rows, from, p.Bins); ok {
			bin := newBin(size, align)
			for i := range rows {
				apply(&rows[i], bin)
			}
		}
		return rows
	}}, b.in, nil
}

// niceSpans are the spans of time that are chosen from.
var niceSpans = []pipe.Duration{
	{N: 1, Unit: "ms"},
	{N: 10, Unit: "ms"},
	{N: 100, Unit: "ms"},
	{N: 1, Unit: "s"},
	{N: 5, Unit: "s"},
	{N: 10, Unit: "s"},
	{N: 30, Unit: "s"},
	{N: 1, Unit: "m"},
	{N: 5, Unit: "m"},
	{N: 10, Unit: "m"},
	{N: 30, Unit: "m"},
	{N: 1, Unit: "h"},
	{N: 6, Unit: "h"},
	{N: 12, Unit: "h"},
	{N: 1, Unit: "d"},
	{N: 1, Unit: "w"},
	{N: 1, Unit: "mon"},
	{N: 1, Unit: "q"},
	{N: 1, Unit: "y"},
	{N: 10, Unit: "y"},
	{N: 100, Unit: "y"},
}

// chooseSize is the smallest nice size that puts the values in at most bins bins. Values are taken as
// times if they are times, else as numbers.
func chooseSize(rows []row.Row, slot, bins int) (pipe.Size, bool) {
	var low, high row.Value
	var first, last int64
	times, numbers := 0, 0
	for i := range rows {
		for _, v := range rows[i].Vals[min(slot, len(rows[i].Vals)):min(slot+1, len(rows[i].Vals))] {
			for _, e := range v.Values() {
				if t, ok := asMoment(e); ok {
					if times == 0 || t < first {
						first = t
					}
					if times == 0 || t > last {
						last = t
					}
					times++
				} else if n, ok := e.Number(); ok {
					if numbers == 0 || row.Order(n, low) < 0 {
						low = n
					}
					if numbers == 0 || row.Order(n, high) > 0 {
						high = n
					}
					numbers++
				}
			}
		}
	}
	if times > numbers {
		return pipe.Size{Duration: chooseSpan(first, last, bins)}, true
	}
	if numbers == 0 || math.IsInf(low.Float(), 0) || math.IsInf(high.Float(), 0) {
		return pipe.Size{}, false
	}
	for exp := -12; exp < 300; exp++ {
		for _, m := range []string{"1", "2", "5"} {
			text := m + strings.Repeat("0", max(exp, 0))
			if exp < 0 {
				text = "0." + strings.Repeat("0", -exp-1) + m
			}
			width, _ := strconv.ParseFloat(text, 64)
			if (high.Float()-low.Float())/width > 2*float64(bins) {
				continue
			}
			bin := numberBin(text)
			count := math.Round((bin(high).Float()-bin(low).Float())/width) + 1
			if count <= float64(bins) {
				return pipe.Size{Number: text}, true
			}
		}
	}
	return pipe.Size{}, false
}

// chooseSpan is the smallest nice span of which at most bins cover from first to last.
func chooseSpan(first, last int64, bins int) pipe.Duration {
	for _, d := range niceSpans {
		floor := timeBin(d, 0)
		length := int64(365 * 24 * time.Hour)
		switch d.Unit {
		case "mon":
			length = int64(30 * 24 * time.Hour)
		case "q":
			length = int64(91 * 24 * time.Hour)
		default:
			if l, ok := d.Fixed(); ok {
				length = int64(l)
			}
		}
		if (floor(last)-floor(first))/length < int64(bins) {
			return d
		}
	}
	return niceSpans[len(niceSpans)-1]
}
