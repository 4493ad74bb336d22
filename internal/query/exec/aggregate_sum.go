package exec

import (
	"math"
	"math/big"

	"tocsin/internal/row"
)

// total adds numbers exactly: as an integer for as long as it can, else in an exactSum.
type total struct {
	n       int64 // how many numbers
	whole   int64
	rest    *exactSum // what is not in whole
	doubles int64     // how many of them are doubles
	lost    int       // infinities that cannot be added
}

func (t *total) add(v row.Value, sign int64) {
	t.n += sign
	if v.Kind() == row.Int {
		d := v.Int()
		if s := t.whole + d*sign; d != math.MinInt64 && (s > t.whole) == (d*sign > 0) {
			t.whole = s
			return
		}
		t.big().addInt(t.whole)
		t.whole = 0
		if sign < 0 {
			t.big().add(-float64(d>>32) * (1 << 32))
			t.big().add(-float64(d & 0xffffffff))
			return
		}
		t.big().addInt(d)
		return
	}
	t.doubles += sign
	f := v.Float()
	if math.IsInf(f, 0) {
		t.lost += int(sign)
		return
	}
	t.big().add(f * float64(sign))
}

func (t *total) big() *exactSum {
	if t.rest == nil {
		t.rest = &exactSum{}
	}
	return t.rest
}

// exact is the sum without rounding.
func (t *total) exact() *big.Float {
	f := new(big.Float).SetInt64(t.whole)
	if t.rest != nil {
		b := t.rest.big()
		f = new(big.Float).SetPrec(max(b.Prec(), 64)+64).Add(b, f)
	}
	return f
}

// sum is the sum as a value: an integer if all numbers were.
func (t *total) sum() row.Value {
	switch {
	case t.n == 0 || t.lost != 0:
		return row.Value{}
	case t.rest == nil:
		return row.NewInt(t.whole)
	}
	x := t.exact()
	if t.doubles == 0 && x.IsInt() {
		i, _ := x.Int(nil)
		return row.NewNumber(i.String())
	}
	f, _ := x.Float64()
	return row.NewFloat(f)
}

type sumState struct{ total }

func (s *sumState) add(in input) int {
	eachNumber(in.v, func(n row.Value) { s.total.add(n, 1) })
	return 0
}

func (s *sumState) remove(in input) {
	eachNumber(in.v, func(n row.Value) { s.total.add(n, -1) })
}

func (s *sumState) value() row.Value { return s.sum() }

type avgState struct{ sumState }

func (s *avgState) value() row.Value {
	if s.n == 0 || s.lost != 0 {
		return row.Value{}
	}
	if s.doubles == 0 {
		whole, _ := s.exact().Int(nil)
		if q, r := new(big.Int).QuoRem(whole, big.NewInt(s.n), new(big.Int)); r.Sign() == 0 && q.IsInt64() {
			return row.NewInt(q.Int64())
		}
	}
	q := new(big.Float).SetPrec(128).Quo(s.exact(), new(big.Float).SetInt64(s.n))
	f, _ := q.Float64()
	return row.NewFloat(f)
}

// varState is the variance or the standard deviation, of a sample or of all. The squares are added
// exactly too: a double's square is two doubles.
type varState struct {
	total
	squares exactSum
	sample  bool
	root    bool
}

func (s *varState) add(in input) int {
	eachNumber(in.v, func(n row.Value) { s.both(n, 1) })
	return 0
}

func (s *varState) remove(in input) {
	eachNumber(in.v, func(n row.Value) { s.both(n, -1) })
}

func (s *varState) both(n row.Value, sign float64) {
	x := n.Float()
	if math.Abs(x) > 1e150 {
		s.lost += int(sign)
		return
	}
	s.total.add(row.NewFloat(x), int64(sign))
	high := x * x
	s.squares.add(sign * high)
	s.squares.add(sign * math.FMA(x, x, -high))
}

func (s *varState) value() row.Value {
	least := int64(1)
	if s.sample {
		least = 2
	}
	if s.n < least || s.lost != 0 {
		return row.Value{}
	}
	const prec = 4096
	n := new(big.Float).SetPrec(prec).SetInt64(s.n)
	sum := new(big.Float).SetPrec(prec).Set(s.exact())
	num := new(big.Float).SetPrec(prec).Mul(n, s.squares.big())
	num.Sub(num, sum.Mul(sum, sum))
	den := new(big.Float).SetPrec(prec).Mul(n, new(big.Float).SetInt64(s.n-least+1))
	v, _ := num.Quo(num, den).Float64()
	if v < 0 {
		v = 0
	}
	if s.root {
		v = math.Sqrt(v)
	}
	return row.NewFloat(v)
}
