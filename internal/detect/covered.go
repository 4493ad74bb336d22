package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Span is a stretch of event time, [From, To) in microseconds.
type Span struct{ From, To int64 }

// Empty reports whether nothing is in it.
func (s Span) Empty() bool { return s.From >= s.To }

// Length is how long it is, in microseconds.
func (s Span) Length() int64 { return max(0, s.To-s.From) }

// Meets reports whether the spans have a moment in common.
func (s Span) Meets(o Span) bool { return s.From < o.To && o.From < s.To && !s.Empty() && !o.Empty() }

// Set is a set of moments of event time: spans in order that neither overlap nor touch. It is a value:
// every operation gives a new one. The zero Set is empty.
type Set []Span

// Of is the set of all moments of some spans, in any order.
func Of(spans ...Span) Set {
	all := slices.DeleteFunc(slices.Clone(spans), Span.Empty)
	slices.SortFunc(all, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	var out Set
	for _, s := range all {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Add is the set with the moments of a span too.
func (s Set) Add(spans ...Span) Set { return Of(append(slices.Clone(s), spans...)...) }

// Without is the set without the moments of other.
func (s Set) Without(other Set) Set {
	var out Set
	i := 0
	for _, have := range s {
		for i < len(other) && other[i].To <= have.From {
			i++
		}
		from := have.From
		for k := i; k < len(other) && other[k].From < have.To; k++ {
			if other[k].From > from {
				out = append(out, Span{from, other[k].From})
			}
			from = max(from, other[k].To)
		}
		if from < have.To {
			out = append(out, Span{from, have.To})
		}
	}
	return out
}

// Within is the part of the set that lies in a span.
func (s Set) Within(span Span) Set {
	var out Set
	for _, have := range s {
		if part := (Span{max(have.From, span.From), min(have.To, span.To)}); !part.Empty() {
			out = append(out, part)
		}
	}
	return out
}

// Gaps are the moments of a span that are not in the set, in order.
func (s Set) Gaps(span Span) Set { return Of(span).Without(s) }

// Contains reports whether all of a span is in the set. An empty span is.
func (s Set) Contains(span Span) bool { return len(s.Gaps(span)) == 0 }

// End is the end of the last span; ok is false for the empty set.
func (s Set) End() (end int64, ok bool) {
	if len(s) == 0 {
		return 0, false
	}
	return s[len(s)-1].To, true
}

// Length is how long all of it is, in microseconds.
func (s Set) Length() int64 {
	n := int64(0)
	for _, span := range s {
		n += span.Length()
	}
	return n
}

// MarshalJSON writes [[from,to],...].
func (s Set) MarshalJSON() ([]byte, error) {
	pairs := make([][2]int64, len(s))
	for i, span := range s {
		pairs[i] = [2]int64{span.From, span.To}
	}
	return json.Marshal(pairs)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Set) UnmarshalJSON(b []byte) error {
	var pairs [][2]int64
	if err := json.Unmarshal(b, &pairs); err != nil {
		return fmt.Errorf("read covered windows: %w", err)
	}
	spans := make([]Span, len(pairs))
	for i, p := range pairs {
		spans[i] = Span{p[0], p[1]}
	}
	*s = Of(spans...)
	return nil
}
