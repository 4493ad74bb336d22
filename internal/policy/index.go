package policy

import (
	"slices"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// index finds those of many filters that an alert may match, without asking each: a filter that demands one
// of a few values of a field is only asked where the alert has one of them.
type index struct {
	filters []*query.Filter // nil matches everything
	fields  []string
	keys    []map[string][]int // for each of fields, its values and the filters that demand them
	rest    []int              // filters that are always asked
}

func newIndex(filters []*query.Filter) *index {
	x := &index{filters: filters}
	for i, f := range filters {
		if f == nil {
			x.rest = append(x.rest, i)
			continue
		}
		field, values, ok := f.Keys()
		if !ok {
			x.rest = append(x.rest, i)
			continue
		}
		at := slices.Index(x.fields, field)
		if at < 0 {
			at = len(x.fields)
			x.fields, x.keys = append(x.fields, field), append(x.keys, map[string][]int{})
		}
		for _, v := range values {
			x.keys[at][v] = append(x.keys[at][v], i)
		}
	}
	return x
}

// each calls yield with the number of every filter that matches, in their order, until it says false.
func (x *index) each(f *fields, yield func(int) bool) {
	maybe := x.rest
	for n, name := range x.fields {
		for _, value := range f.values(name) {
			if some := x.keys[n][alert.Text(value)]; some != nil {
				maybe = append(slices.Clip(maybe), some...)
			}
		}
	}
	if len(maybe) > len(x.rest) {
		slices.Sort(maybe)
		maybe = slices.Compact(maybe)
	}
	for _, i := range maybe {
		if (x.filters[i] == nil || f.match(x.filters[i])) && !yield(i) {
			return
		}
	}
}

// first is the number of the first filter that matches and that also allows; -1 for none.
func (x *index) first(f *fields, also func(int) bool) int {
	found := -1
	x.each(f, func(i int) bool {
		if also(i) {
			found = i
		}
		return found < 0
	})
	return found
}
