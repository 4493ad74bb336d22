// Package row owns the values, rows and schemas that results are made of: their kinds, how they
// compare and coerce, and how they are read from and written as JSON. It knows no query and no source.
package row

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Kind is what a Value is.
type Kind uint8

// The kinds. A missing field, JSON null and an empty list are all Null.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Time
	List
	Object
)

var kindNames = [...]string{"null", "boolean", "long", "double", "string", "time", "list", "object"}

func (k Kind) String() string { return kindNames[k] }

// Value is one value of a row. Values are immutable and may be shared. The zero Value is null.
// Strings of values read by an Extractor are parts of the document they came from and keep it in
// memory; Own cuts them loose.
type Value struct {
	kind Kind
	num  uint64
	str  string // String: the text; Object: its JSON; Float: the literal, where a double cannot hold it
	list *[]Value
}

// NewBool makes a boolean.
func NewBool(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// NewInt makes an integer.
func NewInt(n int64) Value { return Value{kind: Int, num: uint64(n)} }

// NewFloat makes a number. NaN and the infinities are no values: they become null.
func NewFloat(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: Float, num: math.Float64bits(f)}
}

// NewString makes a string.
func NewString(s string) Value { return Value{kind: String, str: s} }

// NewTime makes a time. A time outside the years 1678 to 2262 is null.
func NewTime(t time.Time) Value {
	if y := t.Year(); y < 1678 || y > 2261 {
		return Value{}
	}
	return Value{kind: Time, num: uint64(t.UnixNano())}
}

// NewTimeNano makes a time from nanoseconds since 1970.
func NewTimeNano(ns int64) Value { return Value{kind: Time, num: uint64(ns)} }

// NewObject makes an object from its JSON text, which must be valid.
func NewObject(json string) Value { return Value{kind: Object, str: json} }

// NewList makes a list. Nulls are left out and lists in it are unfolded; an empty list is null. The
// Value owns values from then on.
func NewList(values []Value) Value {
	plain := true
	for _, v := range values {
		if v.kind == Null || v.kind == List {
			plain = false
			break
		}
	}
	if !plain {
		var flat []Value
		for _, v := range values {
			switch v.kind {
			case Null:
			case List:
				flat = append(flat, *v.list...)
			default:
				flat = append(flat, v)
			}
		}
		values = flat
	}
	if len(values) == 0 {
		return Value{}
	}
	return Value{kind: List, list: &values}
}

// NewNumber reads a JSON number literal, keeping every digit of an integer that does not fit 64 bits.
func NewNumber(literal string) Value {
	if n, ok := parseInt(literal); ok {
		return NewInt(n)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil && !math.IsInf(f, 0) {
		return Value{}
	}
	v := Value{kind: Float, num: math.Float64bits(f)}
	if math.IsInf(f, 0) || (math.Abs(f) >= 1<<53 && !strings.ContainsAny(literal, ".eE")) {
		v.str = literal
	}
	return v
}

// parseInt reads a plain decimal integer that fits int64.
func parseInt(s string) (int64, bool) {
	i, neg := 0, false
	if s != "" && s[0] == '-' {
		neg, i = true, 1
	}
	if len(s)-i == 0 || len(s)-i > 19 {
		return 0, false
	}
	var n uint64
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	switch {
	case neg && n <= 1<<63:
		return int64(-n), true
	case !neg && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}

// Kind tells what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether there is no value.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool is the value of a Bool.
func (v Value) Bool() bool { return v.num != 0 }

// Int is the value of an Int.
func (v Value) Int() int64 { return int64(v.num) }

// Float is the value of a Float, or of an Int as a double.
func (v Value) Float() float64 {
	if v.kind == Int {
		return float64(int64(v.num))
	}
	return math.Float64frombits(v.num)
}

// Str is the text of a String or the JSON of an Object.
func (v Value) Str() string { return v.str }

// Nanos is the value of a Time in nanoseconds since 1970.
func (v Value) Nanos() int64 { return int64(v.num) }

// Time is the value of a Time, in UTC.
func (v Value) Time() time.Time { return time.Unix(0, int64(v.num)).UTC() }

// IsNumber reports whether the value is an Int or a Float.
func (v Value) IsNumber() bool { return v.kind == Int || v.kind == Float }

// Values are the values of a List, the value itself of anything else, nothing of null. The caller
// must not write to them.
func (v Value) Values() []Value {
	switch v.kind {
	case Null:
		return nil
	case List:
		return *v.list
	}
	return []Value{v}
}

// Len is how many values there are: 0 for null, 1 for a single one.
func (v Value) Len() int {
	switch v.kind {
	case Null:
		return 0
	case List:
		return len(*v.list)
	}
	return 1
}

// At is the i-th of Values without making a slice.
func (v Value) At(i int) Value {
	if v.kind == List {
		return (*v.list)[i]
	}
	return v
}

// Single is the value of a list of one, and any other value itself. ok is false for a longer list.
func (v Value) Single() (Value, bool) {
	if v.kind != List {
		return v, true
	}
	if len(*v.list) == 1 {
		return (*v.list)[0], true
	}
	return Value{}, false
}

// Own is the value with its own copy of every string.
func (v Value) Own() Value {
	switch v.kind {
	case String, Object, Float:
		if v.str != "" {
			v.str = strings.Clone(v.str)
		}
	case List:
		values := make([]Value, len(*v.list))
		for i, e := range *v.list {
			values[i] = e.Own()
		}
		v.list = &values
	}
	return v
}

// Size is about how many bytes of memory the value holds.
func (v Value) Size() int {
	n := 40 + len(v.str)
	if v.kind == List {
		for _, e := range *v.list {
			n += e.Size()
		}
	}
	return n
}

// Text writes the value as people read it; a list has its values joined by a comma and a space.
func (v Value) Text() string {
	switch v.kind {
	case Null:
		return ""
	case String, Object:
		return v.str
	case List:
		var b strings.Builder
		for i, e := range *v.list {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(e.Text())
		}
		return b.String()
	case Time:
		return string(appendTime(nil, v.Nanos()))
	}
	return string(v.AppendJSON(nil))
}

// Number is the value as a number: a number itself, a numeric-looking string, a time as seconds
// since 1970 and a list of one of these. Anything else is not ok.
func (v Value) Number() (Value, bool) {
	switch v.kind {
	case Int, Float:
		return v, true
	case String:
		return parseNumber(v.str)
	case Time:
		ns := v.Nanos()
		if ns%1e9 == 0 {
			return NewInt(ns / 1e9), true
		}
		return NewFloat(float64(ns/1e9) + float64(ns%1e9)/1e9), true
	case List:
		if len(*v.list) == 1 {
			return (*v.list)[0].Number()
		}
	}
	return Value{}, false
}

// parseNumber reads a decimal number as people write it: no hexadecimal, no underscores, no NaN, no
// infinity; surrounding spaces are allowed.
func parseNumber(s string) (Value, bool) {
	s = strings.Trim(s, " \t")
	if s == "" {
		return Value{}, false
	}
	c := s[0]
	if c == '+' {
		s = s[1:]
		if s == "" || s[0] == '-' || s[0] == '+' {
			return Value{}, false
		}
		c = s[0]
	}
	if c != '-' && c != '.' && (c < '0' || c > '9') {
		return Value{}, false
	}
	if n, ok := parseInt(s); ok {
		return NewInt(n), true
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '-', c == '+':
		default:
			return Value{}, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Value{}, false
	}
	v := NewFloat(f)
	if math.Abs(f) >= 1<<53 && !strings.ContainsAny(s, ".eE") {
		v.str = s
	}
	return v, true
}

// bigInt is the exact integer of an Int or of a Float that keeps its literal.
func (v Value) bigInt() (*big.Int, bool) {
	if v.kind == Int {
		return big.NewInt(v.Int()), true
	}
	if v.kind == Float && v.str != "" {
		return new(big.Int).SetString(v.str, 10)
	}
	return nil, false
}
