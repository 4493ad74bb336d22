package exec

import (
	"net/netip"
	"strings"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/row"
)

// Document is what a filter looks at.
type Document interface {
	// Value is the value of a field by its dotted name; null where the document has none.
	Value(name string) row.Value
	// Names yields the name of every field that has a value, until yield says false.
	Names(yield func(name string) bool)
}

// FieldType is how an index would treat a field.
type FieldType uint8

// The types of fields. Untyped is a field of which nothing is known: its values speak for themselves.
const (
	Untyped FieldType = iota
	Keyword
	Text
	Number
	Boolean
	IP
	Date      // milliseconds
	DateNanos // nanoseconds
	Unindexed // a field that no search finds

	// InNested is added to the type of a field in nested objects, which a value without a field does
	// not find.
	InNested FieldType = 1 << 6
)

// Types tells the type of a field by its name.
type Types func(name string) FieldType

// Filter is a KQL tree that documents are matched with, in memory. It is safe for concurrent use.
//
// An array matches if one of its values does. Null, an empty list and a missing field are the same:
// nothing but "not" matches them. With types, a filter finds what Elasticsearch finds with the query
// that dsl builds from the same types. Without a type:
//
//   - a string equals the same text, case-sensitively, as a keyword does; a field whose name is message
//     or text, or ends in .message or .text, is text and matches by words;
//   - a number equals the number the text spells (5.0 is 5), a boolean true or false;
//   - a time, or a string that is an ISO 8601 time, lies in the span the text names (2024-01-01 is that
//     day, now/h this hour), a number too if the text can only be a date (milliseconds since 1970);
//   - an IP address lies in the network the text names;
//   - less and greater compare times, numbers, addresses and else the bytes, whichever both sides are;
//   - a value without a field matches by words in every field.
//
// A nested query looks at all objects below its path together: it does not ask that one object
// matches all of it.
type Filter struct {
	root  matcher
	types Types
	names map[string]bool
	all   bool
}

// NewFilter makes the filter of a tree. Types may be nil.
func NewFilter(n kql.Node, types Types) *Filter {
	f := &Filter{types: types, names: map[string]bool{}}
	f.root = f.compile(n, "")
	return f
}

// Match reports whether the document matches. Now is what "now" means in it.
func (f *Filter) Match(doc Document, now time.Time) bool {
	return f.root.match(&subject{doc: doc, now: now, filter: f})
}

// Fields are the names of the fields the filter may ask for. All is true when these are not enough
// and it has to see every field: for a value without a field and for a wildcard in a name.
func (f *Filter) Fields() (names []string, all bool) {
	for n := range f.names {
		names = append(names, n)
	}
	return names, f.all
}

// subject is the document of one Match.
type subject struct {
	doc    Document
	now    time.Time
	filter *Filter
}

type matcher interface{ match(s *subject) bool }

type (
	everything struct{}
	allOf      []matcher
	anyOf      []matcher
	negation   struct{ matcher }
	// fieldTest asks for one field's values.
	fieldTest struct {
		name string
		test *valueTest
	}
	// namesTest asks for the values of all fields whose name matches.
	namesTest struct {
		name wildcard
		test *valueTest
	}
	// anyTest asks for the values of all fields.
	anyTest struct{ test *valueTest }
)

func (everything) match(*subject) bool { return true }

func (m allOf) match(s *subject) bool {
	for _, c := range m {
		if !c.match(s) {
			return false
		}
	}
	return true
}

func (m anyOf) match(s *subject) bool {
	for _, c := range m {
		if c.match(s) {
			return true
		}
	}
	return false
}

func (m negation) match(s *subject) bool { return !m.matcher.match(s) }

func (m *fieldTest) match(s *subject) bool {
	v, t := s.field(m.name)
	if v.IsNull() {
		return m.test.kind == testExists && s.hasBelow(m.name)
	}
	return m.test.matchAny(s, v, t)
}

func (m *namesTest) match(s *subject) bool {
	found := false
	s.doc.Names(func(name string) bool {
		if m.name.match(name) {
			v, t := s.field(name)
			found = !v.IsNull() && m.test.matchAny(s, v, t)
		}
		return !found
	})
	return found
}

func (m *anyTest) match(s *subject) bool {
	found := false
	types := s.filter.types
	s.doc.Names(func(name string) bool {
		if types != nil && types(name)&InNested != 0 {
			return true
		}
		v, t := s.field(name)
		if t == Untyped {
			t = anyText
		}
		found = !v.IsNull() && m.test.matchAny(s, v, t)
		return !found
	})
	return found
}

// anyText is an untyped value that a value without a field is looked for in: by words and as a whole.
const anyText FieldType = InNested - 1

// field is a field's value and type. Where a document has no field of its own named f.keyword or
// f.text it is f, as Elasticsearch's multi-fields are not part of a document.
func (s *subject) field(name string) (row.Value, FieldType) {
	v, t := s.doc.Value(name), Untyped
	if s.filter.types != nil {
		t = s.filter.types(name) &^ InNested
	}
	if parent, multi, ok := multiField(name); ok && v.IsNull() {
		if v = s.doc.Value(parent); t == Untyped {
			t = multi
		}
	}
	if t == Untyped && textName(name) {
		t = Text
	}
	return v, t
}

func multiField(name string) (parent string, t FieldType, ok bool) {
	if p, ok := strings.CutSuffix(name, ".keyword"); ok {
		return p, Keyword, true
	}
	if p, ok := strings.CutSuffix(name, ".text"); ok {
		return p, Text, true
	}
	return "", Untyped, false
}

// textName tells the names that are text where nothing else is known: in ECS, of the fields people
// search in, only message is.
func textName(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "message" || last == "text"
}

// hasBelow reports whether the document has a field below name.
func (s *subject) hasBelow(name string) bool {
	found := false
	s.doc.Names(func(n string) bool {
		found = len(n) > len(name) && n[len(name)] == '.' && n[:len(name)] == name
		return !found
	})
	return found
}

func (f *Filter) compile(n kql.Node, path string) matcher {
	switch n := n.(type) {
	case *kql.And:
		m := make(allOf, len(n.Nodes))
		for i, c := range n.Nodes {
			m[i] = f.compile(c, path)
		}
		return m
	case *kql.Or:
		return f.compileOr(n.Nodes, path)
	case *kql.Not:
		return negation{f.compile(n.Node, path)}
	case *kql.Nested:
		return f.compile(n.Query, nestedPath(path, n.Path))
	case *kql.Range:
		return f.on(n.Field, path, newRange(n.Op, n.Value))
	case *kql.Is:
		if kql.IsMatchAll(n) {
			return everything{}
		}
		return f.compileIs(n, path)
	}
	return negation{everything{}}
}

func (f *Filter) compileIs(n *kql.Is, path string) matcher {
	test := newIs(n.Value)
	if l, ok := n.Field.(*kql.Literal); ok && l.Kind == kql.Null && path == "" {
		f.all = true
		if test.kind == testExists { // a lone * finds every document
			return everything{}
		}
		return &anyTest{test}
	}
	return f.on(n.Field, path, test)
}

// on makes the matcher of a field name below path.
func (f *Filter) on(field kql.Term, path string, test *valueTest) matcher {
	if w, ok := field.(*kql.Wildcard); ok {
		f.all = true
		if path != "" {
			w = &kql.Wildcard{Value: path + "." + w.Value}
		}
		return &namesTest{newWildcard(w.Parts()), test}
	}
	name := fieldName(field, path)
	f.uses(name)
	return &fieldTest{name, test}
}

func (f *Filter) uses(name string) {
	f.names[name] = true
	if parent, _, ok := multiField(name); ok {
		f.names[parent] = true
	}
}

func fieldName(field kql.Term, path string) string {
	name := ""
	switch field := field.(type) {
	case *kql.Literal:
		name = field.Name()
	case *kql.Wildcard:
		name = field.Star()
	}
	if path != "" {
		name = path + "." + name
	}
	return name
}

// nestedPath is the path of a nested query below another. As in Kibana a null path is none at all.
func nestedPath(path string, t kql.Term) string {
	if l, ok := t.(*kql.Literal); ok && l.Kind == kql.Null && path == "" {
		return ""
	}
	return fieldName(t, path)
}

// Map is a Document of flat fields: dotted name to values. A value is a string, a boolean, a
// json.Number, a number of any kind, a time.Time or a row.Value; anything else is as if it were not
// there.
type Map map[string][]any

// Value is the value of a field.
func (m Map) Value(name string) row.Value {
	values := m[name]
	switch len(values) {
	case 0:
		return row.Value{}
	case 1:
		return valueOf(values[0])
	}
	list := make([]row.Value, len(values))
	for i, v := range values {
		list[i] = valueOf(v)
	}
	return row.NewList(list)
}

// Names yields the names of the fields, in no order.
func (m Map) Names(yield func(string) bool) {
	for name := range m {
		if !yield(name) {
			return
		}
	}
}

// address reads an IP address as an index of Elasticsearch compares it: all are IPv6.
func address(s string) (netip.Addr, bool) {
	if len(s) < 2 || len(s) > 45 || strings.IndexByte(s, '%') >= 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(a.As16()), true
}

// network reads an IP network in CIDR notation.
func network(s string) (netip.Prefix, bool) {
	addr, bits, ok := strings.Cut(s, "/")
	if !ok || bits == "" {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	n := p.Bits()
	if p.Addr().Is4() {
		n += 96
	}
	a, ok := address(addr)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, n).Masked(), true
}
