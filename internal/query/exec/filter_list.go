package exec

import (
	"math"

	"tocsin/internal/query/kql"
	"tocsin/internal/row"
)

// listMin is from how many values of one field on a list is looked up instead of gone through.
const listMin = 8

// listTest asks for one field's value among many. Where looking a value up does not decide, the tests
// that could match such a value are gone through.
type listTest struct {
	name    string
	texts   map[string]bool
	numbers map[string]bool // by row's key of a number
	special []*valueTest    // dates and IP addresses
	tests   []*valueTest
}

func (f *Filter) compileOr(nodes []kql.Node, path string) matcher {
	m := make(anyOf, 0, len(nodes))
	lists := map[string]int{}
	for _, n := range nodes {
		if name, ok := listed(n, path); ok {
			lists[name]++
		}
	}
	made := map[string]*listTest{}
	for _, n := range nodes {
		name, ok := listed(n, path)
		if !ok || lists[name] < listMin {
			m = append(m, f.compile(n, path))
			continue
		}
		l := made[name]
		if l == nil {
			l = &listTest{name: name, texts: map[string]bool{}, numbers: map[string]bool{}}
			made[name] = l
			m = append(m, l)
			f.uses(name)
		}
		l.add(newIs(n.(*kql.Is).Value))
	}
	return m
}

// listed tells the field of a node that may be part of a list.
func listed(n kql.Node, path string) (string, bool) {
	is, ok := n.(*kql.Is)
	if !ok {
		return "", false
	}
	field, ok := is.Field.(*kql.Literal)
	if !ok || field.Kind == kql.Null && path == "" {
		return "", false
	}
	value, ok := is.Value.(*kql.Literal)
	if !ok || value.Kind == kql.Null {
		return "", false
	}
	return fieldName(field, path), true
}

func (l *listTest) add(t *valueTest) {
	l.tests = append(l.tests, t)
	l.texts[t.text] = true
	if t.isNumber {
		l.numbers[string(t.number.AppendKey(nil))] = true
	}
	if t.date.ok || t.isAddr || t.isNet {
		l.special = append(l.special, t)
	}
}

func (l *listTest) match(s *subject) bool {
	v, t := s.field(l.name)
	for i := range v.Len() {
		if l.matchOne(s, v.At(i), t) {
			return true
		}
	}
	return false
}

func (l *listTest) matchOne(s *subject, v row.Value, t FieldType) bool {
	tests := l.tests
	var key [32]byte
	switch {
	case t == Keyword:
		return l.texts[v.Text()]
	case t == Untyped && v.Kind() == row.String:
		if l.texts[v.Str()] {
			return true
		}
		tests = l.special
	case t == Untyped && v.IsNumber() && math.Abs(v.Float()) < 1<<53: // greater ones may be spelt in several ways
		if l.numbers[string(v.AppendKey(key[:0]))] {
			return true
		}
		tests = l.special
	}
	for _, test := range tests {
		if test.matchAny(s, v, t) {
			return true
		}
	}
	return false
}
