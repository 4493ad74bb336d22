package row

import (
	"cmp"
	"math"
	"strings"
)

// Compare orders two single values as `where` does. A number and a numeric-looking string compare as
// numbers; a time and a string that is an ISO 8601 time, or a number of seconds, as times; false is
// less than true; anything else compares by the bytes of its text. ok is false when one is null or a
// list: the answer is then unknown.
func Compare(a, b Value) (order int, ok bool) {
	if a.kind == Null || b.kind == Null || a.kind == List || b.kind == List {
		return 0, false
	}
	if a.IsNumber() && b.IsNumber() {
		return compareNumbers(a, b), true
	}
	if a.kind == String && b.kind == String {
		return strings.Compare(a.str, b.str), true
	}
	if a.kind == b.kind {
		switch a.kind {
		case Bool:
			return cmp.Compare(a.num, b.num), true
		case Time:
			return cmp.Compare(a.Nanos(), b.Nanos()), true
		}
		return strings.Compare(a.str, b.str), true
	}
	if a.kind == Time || b.kind == Time {
		x, okX := a.AsTime()
		y, okY := b.AsTime()
		if okX && okY {
			return cmp.Compare(x, y), true
		}
	}
	if a.IsNumber() || b.IsNumber() {
		x, okX := a.Number()
		y, okY := b.Number()
		if okX && okY {
			return compareNumbers(x, y), true
		}
	}
	return strings.Compare(a.Text(), b.Text()), true
}

// compareNumbers compares exactly: an integer is never rounded to a double.
func compareNumbers(a, b Value) int {
	if a.kind == Int && b.kind == Int {
		return cmp.Compare(a.Int(), b.Int())
	}
	x, y := a.Float(), b.Float()
	if x != y || math.Abs(x) < 1<<53 {
		return cmp.Compare(x, y)
	}
	if p, ok := a.exact(); ok {
		if q, ok := b.exact(); ok {
			return p.Cmp(q)
		}
	}
	return 0
}

// Order is the total order of sort, of groups and of values(): numbers and numeric-looking strings
// first, as numbers; then times; then the other strings and objects by bytes; booleans before all,
// false first. Null is the greatest. Lists compare value by value.
func Order(a, b Value) int {
	ca, na := class(a)
	cb, nb := class(b)
	if ca != cb {
		return cmp.Compare(ca, cb)
	}
	switch ca {
	case classBool:
		return cmp.Compare(a.num, b.num)
	case classNumber:
		return compareNumbers(na, nb)
	case classTime:
		return cmp.Compare(a.Nanos(), b.Nanos())
	case classText:
		return strings.Compare(a.str, b.str)
	case classList:
		x, y := *a.list, *b.list
		for i := 0; i < len(x) && i < len(y); i++ {
			if c := Order(x[i], y[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(x), len(y))
	}
	return 0
}

const (
	classBool = iota
	classNumber
	classTime
	classText
	classList
	classNull
)

func class(v Value) (int, Value) {
	switch v.kind {
	case Bool:
		return classBool, v
	case Int, Float:
		return classNumber, v
	case Time:
		return classTime, v
	case List:
		if len(*v.list) == 1 {
			return class((*v.list)[0])
		}
		return classList, v
	case Null:
		return classNull, v
	case String:
		if n, ok := parseNumber(v.str); ok {
			return classNumber, n
		}
	}
	return classText, v
}

// StrictOrder is Order with ties between values of different kinds (5 and "5") broken, so that two
// values are equal only if they are the same value.
func StrictOrder(a, b Value) int {
	if c := Order(a, b); c != 0 {
		return c
	}
	x, y := a, b
	if s, ok := a.Single(); ok {
		x = s
	}
	if s, ok := b.Single(); ok {
		y = s
	}
	if x.kind != y.kind && !(x.IsNumber() && y.IsNumber()) {
		return cmp.Compare(x.kind, y.kind)
	}
	if x.kind == String {
		return strings.Compare(x.str, y.str)
	}
	return 0
}

// AppendKey appends an encoding of v that is equal for two values exactly if they are the same
// value: 1 and 1.0 are, 1 and "1" are not. Keys of several values may be appended one after the other.
func (v Value) AppendKey(b []byte) []byte {
	switch v.kind {
	case Null:
		return append(b, 'z')
	case Bool:
		return append(b, 'b', byte('0'+v.num))
	case Int:
		return appendUint64(append(b, 'i'), v.num)
	case Float:
		if v.str != "" {
			return appendText(append(b, 'n'), v.str)
		}
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return appendUint64(append(b, 'i'), uint64(int64(f)))
		}
		return appendUint64(append(b, 'f'), v.num)
	case Time:
		return appendUint64(append(b, 't'), v.num)
	case List:
		if len(*v.list) == 1 {
			return (*v.list)[0].AppendKey(b)
		}
		b = appendUint64(append(b, 'l'), uint64(len(*v.list)))
		for _, e := range *v.list {
			b = e.AppendKey(b)
		}
		return b
	case Object:
		return appendText(append(b, 'o'), v.str)
	}
	return appendText(append(b, 's'), v.str)
}

func appendUint64(b []byte, n uint64) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
}

func appendText(b []byte, s string) []byte {
	return append(appendUint64(b, uint64(len(s))), s...)
}

// Equal reports whether two values are the same value, for tests and for keys.
func (v Value) Equal(w Value) bool {
	return string(v.AppendKey(nil)) == string(w.AppendKey(nil))
}
