package exec

import (
	"bytes"
	"cmp"

	"tocsin/internal/row"
)

// extremeState is min or max. Values that are all numbers, numeric-looking strings among them,
// compare as numbers; if all are times, as times; else all compare by the bytes of their text.
type extremeState struct {
	sign               int
	n, numbers, times  int64
	number, moment     row.Value
	numberAt, momentAt row.Value // what number and moment were read from
	text               row.Value
	textBytes, scratch []byte
}

func (s *extremeState) add(in input) int {
	for i := range in.v.Len() {
		s.one(in.v.At(i))
	}
	return 0
}

func (s *extremeState) one(v row.Value) {
	first := s.n == 0
	s.n++
	if n, ok := v.Number(); ok && v.Kind() != row.Time {
		if s.numbers == 0 || row.Order(n, s.number)*s.sign > 0 {
			s.number, s.numberAt = n, v.Own()
		}
		s.numbers++
	}
	if t, ok := asMoment(v); ok {
		if s.times == 0 || cmp.Compare(t, s.moment.Nanos())*s.sign > 0 {
			s.moment, s.momentAt = row.NewTimeNano(t), v.Own()
		}
		s.times++
	}
	s.scratch = appendText(s.scratch[:0], v)
	if first || bytes.Compare(s.scratch, s.textBytes)*s.sign > 0 {
		s.textBytes = append(s.textBytes[:0], s.scratch...)
		s.text = v.Own()
	}
}

func appendText(b []byte, v row.Value) []byte {
	if v.Kind() == row.String || v.Kind() == row.Object {
		return append(b, v.Str()...)
	}
	return v.AppendJSON(b)
}

// asMoment is a time or a string that is one.
func asMoment(v row.Value) (int64, bool) {
	switch v.Kind() {
	case row.Time:
		return v.Nanos(), true
	case row.String:
		return row.ParseTime(v.Str())
	}
	return 0, false
}

func (s *extremeState) value() row.Value {
	switch s.n {
	case 0:
		return row.Value{}
	case s.numbers:
		return s.numberAt
	case s.times:
		return s.momentAt
	}
	return s.text
}

// extremeSlide is min or max of a window. Each of its queues holds, of the values still in the
// window, those that no later one beats.
type extremeSlide struct {
	sign                  int
	n, numbers, times     int64
	number, moment, texts queue
	seq, gone             int64
}

// queue holds entries in the order they came.
type queue struct{ entries []entry }

type entry struct {
	seq      int64
	key, val row.Value
}

func (q *queue) push(e entry, beats func(a, b row.Value) bool) {
	for n := len(q.entries); n > 0 && beats(e.key, q.entries[n-1].key); n-- {
		q.entries = q.entries[:n-1]
	}
	q.entries = append(q.entries, e)
}

// drop takes away what came before seq.
func (q *queue) drop(seq int64) {
	i := 0
	for i < len(q.entries) && q.entries[i].seq < seq {
		i++
	}
	if q.entries = q.entries[i:]; len(q.entries) == 0 {
		q.entries = nil
	}
}

func newExtremeSlide(sign int) *extremeSlide { return &extremeSlide{sign: sign} }

func (s *extremeSlide) add(in input) int {
	for i := range in.v.Len() {
		v := in.v.At(i)
		s.n++
		if n, ok := v.Number(); ok && v.Kind() != row.Time {
			s.numbers++
			s.number.push(entry{s.seq, n, v}, func(a, b row.Value) bool { return row.Order(a, b)*s.sign > 0 })
		}
		if t, ok := asMoment(v); ok {
			s.times++
			s.moment.push(entry{s.seq, row.NewTimeNano(t), v}, func(a, b row.Value) bool { return row.Order(a, b)*s.sign > 0 })
		}
		s.texts.push(entry{s.seq, row.NewString(string(appendText(nil, v))), v}, func(a, b row.Value) bool {
			return cmp.Compare(a.Str(), b.Str())*s.sign > 0
		})
		s.seq++
	}
	return 0
}

func (s *extremeSlide) remove(in input) {
	for i := range in.v.Len() {
		v := in.v.At(i)
		s.n--
		if _, ok := v.Number(); ok && v.Kind() != row.Time {
			s.numbers--
		}
		if _, ok := asMoment(v); ok {
			s.times--
		}
		s.gone++
	}
	s.number.drop(s.gone)
	s.moment.drop(s.gone)
	s.texts.drop(s.gone)
}

func (s *extremeSlide) value() row.Value {
	switch s.n {
	case 0:
		return row.Value{}
	case s.numbers:
		return s.number.entries[0].val
	case s.times:
		return s.moment.entries[0].val
	}
	return s.texts.entries[0].val
}

// rangeState is the greatest number less the least.
type rangeState struct{ low, high row.Value }

func (s *rangeState) add(in input) int {
	eachNumber(in.v, func(n row.Value) {
		if s.low.IsNull() || row.Order(n, s.low) < 0 {
			s.low = n
		}
		if s.high.IsNull() || row.Order(n, s.high) > 0 {
			s.high = n
		}
	})
	return 0
}

func (s *rangeState) value() row.Value { return difference(s.high, s.low) }

func difference(a, b row.Value) row.Value {
	if a.IsNull() || b.IsNull() {
		return row.Value{}
	}
	if a.Kind() == row.Int && b.Kind() == row.Int {
		if v, ok := integer("-", a.Int(), b.Int()); ok {
			return v
		}
	}
	return row.NewFloat(a.Float() - b.Float())
}

type rangeSlide struct{ low, high *extremeSlide }

func (s *rangeSlide) add(in input) int {
	in.v = numbers(in.v)
	s.low.add(in)
	return s.high.add(in)
}

func (s *rangeSlide) remove(in input) {
	in.v = numbers(in.v)
	s.low.remove(in)
	s.high.remove(in)
}

func (s *rangeSlide) value() row.Value { return difference(s.high.value(), s.low.value()) }

// numbers are the numbers among the values of v.
func numbers(v row.Value) row.Value {
	var out []row.Value
	eachNumber(v, func(n row.Value) { out = append(out, n) })
	return row.NewList(out)
}
