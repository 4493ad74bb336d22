package exec

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/row"
)

// valueTest is what a filter asks of a field's value. All that depends on the query alone is worked
// out when it is compiled.
type valueTest struct {
	kind testKind
	op   kql.Op

	text   string
	quoted bool
	words  []string // of text, for text fields

	number   row.Value
	isNumber bool
	addr     netip.Addr
	isAddr   bool
	net      netip.Prefix
	isNet    bool
	date     dateText

	wild   wildcard
	chunks []chunk
}

type testKind uint8

const (
	testNothing testKind = iota
	testExists
	testIs
	testWildcard
	testRange
)

// newIs makes the test of field:value.
func newIs(value kql.Term) *valueTest {
	switch value := value.(type) {
	case *kql.Wildcard:
		if value.Lone() {
			return &valueTest{kind: testExists}
		}
		return &valueTest{kind: testWildcard, wild: newWildcard(value.Parts()), chunks: newChunks(value)}
	case *kql.Literal:
		if value.Kind == kql.Null { // Elasticsearch refuses it
			return &valueTest{}
		}
		t := newTest(testIs, value.Name())
		t.quoted = value.Quoted
		t.net, t.isNet = network(t.text)
		t.words = words(t.text)
		return t
	}
	return &valueTest{}
}

// newRange makes the test of field < value. A null has no bound: every value is in it.
func newRange(op kql.Op, value kql.Term) *valueTest {
	text := ""
	switch value := value.(type) {
	case *kql.Wildcard:
		text = value.Star()
	case *kql.Literal:
		if value.Kind == kql.Null {
			return &valueTest{kind: testExists}
		}
		text = value.Name()
	}
	t := newTest(testRange, text)
	t.op = op
	return t
}

func newTest(kind testKind, text string) *valueTest {
	t := &valueTest{kind: kind, text: text}
	t.number, t.isNumber = row.NewString(text).Number()
	t.addr, t.isAddr = address(text)
	t.date = newDateText(text)
	return t
}

// matchAny reports whether one of the values matches.
func (t *valueTest) matchAny(s *subject, v row.Value, ft FieldType) bool {
	if ft == Unindexed {
		return false
	}
	if t.kind == testExists {
		return true
	}
	if v.Kind() == row.List {
		for _, e := range v.Values() {
			if t.match(s, e, ft) {
				return true
			}
		}
		return false
	}
	return t.match(s, v, ft)
}

func (t *valueTest) match(s *subject, v row.Value, ft FieldType) bool {
	if v.Kind() == row.Object {
		return false
	}
	switch t.kind {
	case testIs:
		return t.is(s, v, ft)
	case testWildcard:
		return t.like(v, ft)
	case testRange:
		return t.inRange(s, v, ft)
	}
	return false
}

func (t *valueTest) is(s *subject, v row.Value, ft FieldType) bool {
	switch ft {
	case Keyword:
		return v.Text() == t.text
	case Text:
		return t.hasWords(v.Text())
	case Number:
		n, ok := v.Number()
		return ok && t.isNumber && compareNumbers(n, t.number) == 0
	case Boolean:
		b, ok := boolean(v)
		return ok && t.text == b
	case IP:
		a, ok := address(v.Text())
		return ok && (t.isAddr && a == t.addr || t.isNet && t.net.Contains(a))
	case Date, DateNanos:
		at, ok := indexedTime(v, ft)
		return ok && t.date.holds(at, s.now, ft)
	case anyText:
		if v.Kind() == row.String && t.hasWords(v.Str()) {
			return true
		}
	}
	switch v.Kind() {
	case row.String:
		str := v.Str()
		if str == t.text {
			return true
		}
		if t.isAddr || t.isNet {
			a, ok := address(str)
			return ok && (t.isAddr && a == t.addr || t.isNet && t.net.Contains(a))
		}
		if t.date.ok {
			at, ok := row.ParseTime(str)
			return ok && t.date.holds(at, s.now, Untyped)
		}
		return false
	case row.Int, row.Float:
		if t.isNumber {
			return compareNumbers(v, t.number) == 0
		}
		at, ok := millis(v)
		return ok && t.date.ok && t.date.holds(at, s.now, Untyped)
	case row.Bool:
		b, _ := boolean(v)
		return t.text == b
	case row.Time:
		return t.date.ok && t.date.holds(v.Nanos(), s.now, Untyped)
	}
	return false
}

// hasWords reports whether text has one of the words, or if they were quoted all of them in a row.
func (t *valueTest) hasWords(text string) bool {
	if t.quoted {
		return hasPhrase(text, t.words)
	}
	return hasWord(text, t.words)
}

// like matches a wildcard: with the whole of a value, or on text with each word. On text a space in
// the wildcard separates what is looked for, and one of the parts is enough: Kibana asks so.
func (t *valueTest) like(v row.Value, ft FieldType) bool {
	text := v.Text()
	switch ft {
	case Text:
		return likeWords(text, t.chunks)
	case anyText:
		return t.wild.match(text) || likeWords(text, t.chunks)
	case Number, Boolean, IP, Date, DateNanos:
		return false // these have no wildcards in Elasticsearch
	}
	return t.wild.match(text)
}

func (t *valueTest) inRange(s *subject, v row.Value, ft FieldType) bool {
	switch ft {
	case Keyword:
		return t.ordered(strings.Compare(v.Text(), t.text))
	case Text:
		for w := range eachWord(v.Text()) { // the bound is not analysed: PASSWORD is less than any word
			if t.ordered(strings.Compare(w, t.text)) {
				return true
			}
		}
		return false
	case Number:
		n, ok := v.Number()
		return ok && t.isNumber && t.ordered(compareNumbers(n, t.number))
	case Boolean:
		b, ok := boolean(v)
		return ok && (t.text == "true" || t.text == "false") && t.ordered(strings.Compare(b, t.text))
	case IP:
		a, ok := address(v.Text())
		return ok && t.isAddr && t.ordered(a.Compare(t.addr))
	case Date, DateNanos:
		at, ok := indexedTime(v, ft)
		return ok && t.date.compares(t.op, at, s.now, ft)
	}
	switch v.Kind() {
	case row.String:
		str := v.Str()
		if t.date.ok {
			if at, ok := row.ParseTime(str); ok {
				return t.date.compares(t.op, at, s.now, Untyped)
			}
		}
		if t.isNumber {
			if n, ok := v.Number(); ok {
				return t.ordered(compareNumbers(n, t.number))
			}
		}
		if t.isAddr {
			if a, ok := address(str); ok {
				return t.ordered(a.Compare(t.addr))
			}
		}
		return t.ordered(strings.Compare(str, t.text))
	case row.Int, row.Float:
		if t.isNumber {
			return t.ordered(compareNumbers(v, t.number))
		}
		at, ok := millis(v)
		return ok && t.date.ok && t.date.compares(t.op, at, s.now, Untyped)
	case row.Bool:
		b, _ := boolean(v)
		return (t.text == "true" || t.text == "false") && t.ordered(strings.Compare(b, t.text))
	case row.Time:
		return t.date.ok && t.date.compares(t.op, v.Nanos(), s.now, Untyped)
	}
	return false
}

// ordered tells whether a value that compares so with the bound is in the range.
func (t *valueTest) ordered(c int) bool {
	switch t.op {
	case kql.LT:
		return c < 0
	case kql.LTE:
		return c <= 0
	case kql.GT:
		return c > 0
	}
	return c >= 0
}

func compareNumbers(a, b row.Value) int {
	c, _ := row.Compare(a, b)
	return c
}

// boolean reads a boolean as Elasticsearch does.
func boolean(v row.Value) (string, bool) {
	switch text := v.Text(); text {
	case "true", "false":
		return text, true
	case "":
		return "false", true
	}
	return "", false
}

// millis reads a number as milliseconds since 1970, in nanoseconds.
func millis(v row.Value) (int64, bool) {
	if f := v.Float(); f > -9e12 && f < 9e12 {
		if v.Kind() == row.Int {
			return v.Int() * 1e6, true
		}
		return int64(f * 1e6), true
	}
	return 0, false
}

// indexedTime reads a value as a date field does: ISO 8601 or milliseconds since 1970.
func indexedTime(v row.Value, ft FieldType) (int64, bool) {
	var at int64
	ok := false
	switch v.Kind() {
	case row.Time:
		at, ok = v.Nanos(), true
	case row.Int, row.Float:
		at, ok = millis(v)
	case row.String:
		at, ok = newDateText(v.Str()).start()
	}
	if ok && ft == Date {
		at = floorTo(at, int64(time.Millisecond))
	}
	return at, ok
}

func valueOf(v any) row.Value {
	switch v := v.(type) {
	case string:
		return row.NewString(v)
	case bool:
		return row.NewBool(v)
	case json.Number:
		return row.NewNumber(string(v))
	case float64:
		return row.NewFloat(v)
	case int:
		return row.NewInt(int64(v))
	case int64:
		return row.NewInt(v)
	case time.Time:
		return row.NewTime(v)
	case row.Value:
		return v
	case nil:
		return row.Value{}
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return row.NewInt(r.Int())
	case r.CanUint():
		if u := r.Uint(); u > 1<<63-1 {
			return row.NewFloat(float64(u))
		}
		return row.NewInt(int64(r.Uint()))
	case r.CanFloat():
		return row.NewFloat(r.Float())
	case r.Kind() == reflect.String:
		return row.NewString(r.String())
	case r.Kind() == reflect.Bool:
		return row.NewBool(r.Bool())
	}
	return row.Value{}
}
