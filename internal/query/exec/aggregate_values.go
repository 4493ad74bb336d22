package exec

import (
	"math"
	"slices"

	"tocsin/internal/row"
)

// distinctState counts distinct values.
type distinctState struct{ seen map[string]int64 }

func (s *distinctState) add(in input) int {
	if s.seen == nil {
		s.seen = map[string]int64{}
	}
	held := 0
	var buf [64]byte
	for i := range in.v.Len() {
		key := in.v.At(i).AppendKey(buf[:0])
		if n, ok := s.seen[string(key)]; ok {
			s.seen[string(key)] = n + 1
			continue
		}
		s.seen[string(key)] = 1
		held += len(key) + 48
	}
	return held
}

func (s *distinctState) remove(in input) {
	for i := range in.v.Len() {
		key := string(in.v.At(i).AppendKey(nil))
		if s.seen[key]--; s.seen[key] == 0 {
			delete(s.seen, key)
		}
	}
}

func (s *distinctState) value() row.Value { return row.NewInt(int64(len(s.seen))) }

// counted is a value and how often it is there.
type counted struct {
	v row.Value
	n int64
}

// valuesState is the distinct values, in order.
type valuesState struct{ seen map[string]*counted }

func (s *valuesState) add(in input) int {
	if s.seen == nil {
		s.seen = map[string]*counted{}
	}
	held := 0
	var buf [64]byte
	for i := range in.v.Len() {
		v := in.v.At(i)
		key := v.AppendKey(buf[:0])
		if c := s.seen[string(key)]; c != nil {
			c.n++
			continue
		}
		own := v.Own()
		s.seen[string(key)] = &counted{own, 1}
		held += len(key) + own.Size() + 64
	}
	return held
}

func (s *valuesState) remove(in input) {
	for i := range in.v.Len() {
		key := string(in.v.At(i).AppendKey(nil))
		if c := s.seen[key]; c != nil {
			if c.n--; c.n == 0 {
				delete(s.seen, key)
			}
		}
	}
}

func (s *valuesState) value() row.Value {
	out := make([]row.Value, 0, len(s.seen))
	for _, c := range s.seen {
		out = append(out, c.v)
	}
	slices.SortFunc(out, byText)
	return row.NewList(out)
}

// byText is the order of values(): by the bytes of the text.
func byText(a, b row.Value) int {
	if c := slices.Compare(appendText(nil, a), appendText(nil, b)); c != 0 {
		return c
	}
	return row.StrictOrder(a, b)
}

// modeState is the most common value; of equally common ones the first in order.
type modeState struct{ valuesState }

func (s *modeState) value() row.Value {
	var best *counted
	for _, c := range s.seen {
		if best == nil || c.n > best.n || c.n == best.n && row.StrictOrder(c.v, best.v) < 0 {
			best = c
		}
	}
	if best == nil {
		return row.Value{}
	}
	return best.v
}

// listState is all values in the order they came.
type listState struct{ list []row.Value }

func (s *listState) add(in input) int {
	held := 0
	for i := range in.v.Len() {
		own := in.v.At(i).Own()
		s.list = append(s.list, own)
		held += own.Size()
	}
	return held
}

func (s *listState) remove(in input) { s.list = s.list[in.v.Len():] }

func (s *listState) value() row.Value { return row.NewList(slices.Clone(s.list)) }

// pickers say whether a row is to be taken instead of the one taken so far.
var pickers = map[string]func(a, b input) bool{
	"first":    func(a, b input) bool { return a.seq < b.seq },
	"last":     func(a, b input) bool { return a.seq > b.seq },
	"earliest": func(a, b input) bool { return a.t < b.t || a.t == b.t && a.seq < b.seq },
	"latest":   func(a, b input) bool { return a.t > b.t || a.t == b.t && a.seq > b.seq },
}

// pickState is the value of one row: the first, last, earliest or latest.
type pickState struct {
	better func(a, b input) bool
	timed  bool // rows without a time do not count
	have   bool
	best   input
}

func (s *pickState) add(in input) int {
	if s.timed && !in.at || s.have && !s.better(in, s.best) {
		return 0
	}
	s.have, s.best = true, in
	s.best.v = in.v.Own()
	return 0
}

func (s *pickState) value() row.Value {
	if !s.have {
		return row.Value{}
	}
	return s.best.v
}

// pickSlide is pickState over a window: of the rows in it, those that no later one beats.
type pickSlide struct {
	better      func(a, b input) bool
	timed       bool
	added, gone int64
	queue       []pick
}

type pick struct {
	n int64
	input
}

func (s *pickSlide) add(in input) int {
	s.added++
	if s.timed && !in.at {
		return 0
	}
	for n := len(s.queue); n > 0 && s.better(in, s.queue[n-1].input); n-- {
		s.queue = s.queue[:n-1]
	}
	s.queue = append(s.queue, pick{s.added, in})
	return 0
}

func (s *pickSlide) remove(input) {
	s.gone++
	for len(s.queue) > 0 && s.queue[0].n <= s.gone {
		s.queue = s.queue[1:]
	}
}

func (s *pickSlide) value() row.Value {
	if len(s.queue) == 0 {
		return row.Value{}
	}
	return s.queue[0].v
}

// rankState is a percentile by the nearest rank, or the median, which of an even number of values is
// the mean of the middle two.
type rankState struct {
	percent float64
	median  bool
	sorted  []row.Value
	fresh   []row.Value // not sorted in yet
}

func (s *rankState) add(in input) int {
	held := 0
	eachNumber(in.v, func(n row.Value) {
		s.fresh = append(s.fresh, n.Own())
		held += 40
	})
	return held
}

// settle sorts the fresh values in.
func (s *rankState) settle() {
	switch {
	case len(s.fresh) == 0:
	case len(s.fresh) < 8 && len(s.sorted) > 0:
		for _, n := range s.fresh {
			i, _ := slices.BinarySearchFunc(s.sorted, n, row.Order)
			s.sorted = slices.Insert(s.sorted, i, n)
		}
	default:
		s.sorted = append(s.sorted, s.fresh...)
		slices.SortFunc(s.sorted, row.Order)
	}
	s.fresh = s.fresh[:0]
}

func (s *rankState) remove(in input) {
	s.settle()
	eachNumber(in.v, func(n row.Value) {
		if i, ok := slices.BinarySearchFunc(s.sorted, n, row.Order); ok {
			s.sorted = slices.Delete(s.sorted, i, i+1)
		}
	})
}

func (s *rankState) value() row.Value {
	s.settle()
	n := len(s.sorted)
	if n == 0 {
		return row.Value{}
	}
	if !s.median {
		rank := int(math.Ceil(s.percent / 100 * float64(n)))
		return s.sorted[min(max(rank, 1), n)-1]
	}
	low, high := s.sorted[(n-1)/2], s.sorted[n/2]
	if n%2 == 1 {
		return high
	}
	mean := avgState{}
	mean.add(input{v: low})
	mean.add(input{v: high})
	return mean.value()
}
