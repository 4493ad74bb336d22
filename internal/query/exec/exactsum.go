package exec

import (
	"math"
	"math/big"
	"math/bits"
)

// exactSum adds and takes away doubles without any rounding, so that sums depend neither on the order
// of rows nor on what has left a window. It is a superaccumulator: a row of 32-bit digits, of which
// only those in use are kept. The zero exactSum is 0.
type exactSum struct {
	digits []int64
	base   int // the weight of digits[0] is 2^(32*base-1074)
	adds   int
}

// add adds a finite double.
func (s *exactSum) add(f float64) {
	if f == 0 {
		return
	}
	b := math.Float64bits(f)
	exp := int(b >> 52 & 0x7ff)
	m := b & (1<<52 - 1)
	if exp > 0 {
		m |= 1 << 52
		exp--
	}
	// f is m * 2^(exp-1074).
	at, shift := exp/32, uint(exp%32)
	hi, lo := bits.Mul64(m, 1<<shift)
	s.reach(at, at+3)
	i := at - s.base
	if b>>63 == 0 {
		s.digits[i] += int64(lo & 0xffffffff)
		s.digits[i+1] += int64(lo >> 32)
		s.digits[i+2] += int64(hi)
	} else {
		s.digits[i] -= int64(lo & 0xffffffff)
		s.digits[i+1] -= int64(lo >> 32)
		s.digits[i+2] -= int64(hi)
	}
	if s.adds++; s.adds == 1<<29 {
		s.carry()
	}
}

// addInt adds an integer.
func (s *exactSum) addInt(n int64) {
	s.add(float64(n>>32) * (1 << 32))
	s.add(float64(n & 0xffffffff))
}

// reach makes digits from up to before to.
func (s *exactSum) reach(from, to int) {
	if len(s.digits) == 0 {
		s.base, s.digits = from, make([]int64, to-from)
		return
	}
	if from < s.base {
		s.digits = append(make([]int64, s.base-from), s.digits...)
		s.base = from
	}
	for s.base+len(s.digits) < to {
		s.digits = append(s.digits, 0)
	}
}

// carry brings every digit but the last below 2^32.
func (s *exactSum) carry() {
	s.adds = 0
	if last := len(s.digits) - 1; last >= 0 && (s.digits[last] >= 1<<40 || s.digits[last] <= -1<<40) {
		s.digits = append(s.digits, 0)
	}
	for i := 0; i+1 < len(s.digits); i++ {
		c := s.digits[i] >> 32
		s.digits[i] -= c << 32
		s.digits[i+1] += c
	}
}

// big is the exact sum.
func (s *exactSum) big() *big.Float {
	n := new(big.Int)
	for i := len(s.digits) - 1; i >= 0; i-- {
		n.Lsh(n, 32)
		n.Add(n, big.NewInt(s.digits[i]))
	}
	f := new(big.Float).SetInt(n)
	return f.SetMantExp(f, 32*s.base-1074)
}
