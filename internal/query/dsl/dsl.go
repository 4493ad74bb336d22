// Package dsl owns turning a KQL tree into the Elasticsearch query that Kibana builds from it, with
// and without knowing the fields, and reading the fields from a mapping or a field caps answer. It
// sends nothing.
//
// The shapes are those of Kibana's kbn-es-query, kept to the letter, its known oddities included: a
// wildcard with a space on a text field is two clauses of a query_string, and free text in braces
// asks for a field called null.
package dsl

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin/internal/query/kql"
)

// Options are how queries are built. The zero value knows no fields.
type Options struct {
	// Fields are the fields there are. Nil is a query without field types, as Kibana builds it
	// without a data view.
	Fields *Fields
	// TimeZone is what dates without a zone are in, a name or an offset; empty leaves it to
	// Elasticsearch, which takes UTC. It needs Fields.
	TimeZone string
	// IgnoreUnmapped, if not nil, says what nested queries do on indices that lack the path: true
	// finds nothing there, false is an error.
	IgnoreUnmapped *bool
}

// Query is the query of a tree, as JSON. Its error is a *NestedError.
func Query(n kql.Node, fields *Fields) ([]byte, error) { return Options{Fields: fields}.Query(n) }

// Build is the whole query that Kibana sends for a tree, as JSON: a bool with must, filter, should and
// must_not. Its error is a *NestedError.
func Build(n kql.Node, fields *Fields) ([]byte, error) { return Options{Fields: fields}.Build(n) }

// Query is the query of a tree, as JSON. Its error is a *NestedError.
func (o Options) Query(n kql.Node) ([]byte, error) {
	b := builder{Options: o, split: clauses(n) > maxClauses}
	b.node(n, context{})
	if b.err != nil {
		return nil, b.err
	}
	return b.out, nil
}

// Build is the whole query that Kibana sends for a tree, as JSON. Its error is a *NestedError.
func (o Options) Build(n kql.Node) ([]byte, error) {
	q, err := o.Query(n)
	if err != nil {
		return nil, err
	}
	if string(q) == matchAll {
		q = nil
	}
	return fmt.Appendf(nil, `{"bool":{"must":[],"filter":[%s],"should":[],"must_not":[]}}`, q), nil
}

// NestedError says that fields which are nested are asked for as if they were not, or the other way
// round, in Kibana's words.
type NestedError struct {
	Place kql.Span // of the field name
	text  string
}

func (e *NestedError) Error() string { return e.text }

const matchAll = `{"match_all":{}}`

type builder struct {
	Options
	split bool
	out   []byte
	err   error
}

// context is what a node is inside of.
type context struct {
	nested bool
	path   string // empty within a nested query whose path is null
}

func (b *builder) add(s string)       { b.out = append(b.out, s...) }
func (b *builder) addString(s string) { b.out = kql.AppendString(b.out, s) }

func (b *builder) node(n kql.Node, c context) {
	switch n := n.(type) {
	case *kql.And:
		b.add(`{"bool":{"filter":[`)
		b.nodes(n.Nodes, c, `{"bool":{"filter":[`, `]}}`)
		b.add(`]}}`)
	case *kql.Or:
		b.add(`{"bool":{"should":[`)
		b.anyOf(n.Nodes, c)
		b.add(`],"minimum_should_match":1}}`)
	case *kql.Not:
		b.add(`{"bool":{"must_not":`)
		b.node(n.Node, c)
		b.add(`}}`)
	case *kql.Nested:
		path, isNull := b.path(n.Path, c)
		b.add(`{"nested":{"path":`)
		if isNull {
			b.add("null")
		} else {
			b.addString(path)
		}
		b.add(`,"query":`)
		b.node(n.Query, context{nested: true, path: path})
		b.add(`,"score_mode":"none"`)
		b.ignoreUnmapped()
		b.add(`}}`)
	case *kql.Range:
		b.comparison(n, c)
	case *kql.Is:
		b.is(n, c)
	}
}

func (b *builder) ignoreUnmapped() {
	if b.IgnoreUnmapped != nil {
		b.add(`,"ignore_unmapped":`)
		b.out = strconv.AppendBool(b.out, *b.IgnoreUnmapped)
	}
}

// path is the full path of a nested query. The path null is JSON's null, unless it is below another.
func (b *builder) path(t kql.Term, c context) (path string, isNull bool) {
	if l, ok := t.(*kql.Literal); ok && l.Kind == kql.Null && c.path == "" {
		return "", true
	}
	return c.full(text(t)), false
}

func (c context) full(name string) string {
	if c.path == "" {
		return name
	}
	return c.path + "." + name
}

// text is a term as Elasticsearch gets it.
func text(t kql.Term) string {
	switch t := t.(type) {
	case *kql.Literal:
		return t.Name()
	case *kql.Wildcard:
		return t.Star()
	}
	return ""
}

// target is one field that a node asks for.
type target struct {
	field Field
	name  []byte // as JSON: true and false stay what they are
	wrap  string // path of the nested query around it, if it needs one
}

// targets finds the fields of a node. Where none is known the name is sent as it is, so that an index
// without the field just finds nothing.
func (b *builder) targets(t kql.Term, c context) []target {
	w, wild := t.(*kql.Wildcard)
	if b.Fields != nil {
		var found []Field
		if wild {
			found = b.Fields.Match(&kql.Wildcard{Value: c.full(w.Value)})
		} else if l := t.(*kql.Literal); l.Kind == kql.String || c.path != "" {
			if f, ok := b.Fields.Find(c.full(l.Name())); ok {
				found = []Field{f}
			}
		}
		if !wild || c.path != "" {
			b.checkNested(t, found, c)
		}
		if len(found) > 0 {
			targets := make([]target, len(found))
			for i, f := range found {
				targets[i] = target{field: f, name: kql.AppendString(nil, f.Name)}
				if wild && !c.nested {
					targets[i].wrap = f.Nested
				}
			}
			return targets
		}
	}
	name := c.full(text(t))
	out := target{field: Field{Name: name}, name: kql.AppendString(nil, name)}
	if l, ok := t.(*kql.Literal); ok && l.Kind != kql.String && c.path == "" {
		out.name = []byte(l.Name())
	}
	return []target{out}
}

func (b *builder) checkNested(t kql.Term, found []Field, c context) {
	var problems []string
	for _, f := range found {
		switch {
		case c.path != "" && f.Nested == "":
			problems = append(problems, f.Name+` is not a nested field but is in nested group "`+c.path+`" in the KQL expression.`)
		case c.path == "" && f.Nested != "":
			problems = append(problems, f.Name+" is a nested field, but is not in a nested group in the KQL expression.")
		case c.path != f.Nested:
			problems = append(problems, fmt.Sprintf("Nested field %s is being queried with the incorrect nested path. The correct path is %s.", f.Name, f.Nested))
		}
	}
	if len(problems) > 0 && b.err == nil {
		b.err = &NestedError{Place: t.Span(), text: strings.Join(problems, "\n")}
	}
}

// each writes a clause for every target, in the bool that Kibana puts around even a single one.
func (b *builder) each(targets []target, clause func(t target)) {
	b.add(`{"bool":{"should":[`)
	for i, t := range targets {
		if i > 0 {
			b.add(",")
		}
		if t.wrap == "" {
			clause(t)
			continue
		}
		b.add(`{"nested":{"path":`)
		b.addString(t.wrap)
		b.add(`,"query":`)
		clause(t)
		b.add(`,"score_mode":"none"`)
		b.ignoreUnmapped()
		b.add(`}}`)
	}
	b.add(`],"minimum_should_match":1}}`)
}

func (b *builder) is(n *kql.Is, c context) {
	if kql.IsMatchAll(n) {
		b.add(matchAll)
		return
	}
	wild, isWild := n.Value.(*kql.Wildcard)
	value, _ := n.Value.(*kql.Literal)
	if f, ok := n.Field.(*kql.Literal); ok && f.Kind == kql.Null && c.path == "" {
		if isWild {
			b.add(`{"query_string":{"query":`)
			b.addString(QueryString(wild))
			b.add(`}}`)
			return
		}
		b.add(`{"multi_match":{"type":`)
		if value.Quoted {
			b.add(`"phrase"`)
		} else {
			b.add(`"best_fields"`)
		}
		b.add(`,"query":`)
		b.out = kql.AppendValue(b.out, value)
		b.add(`,"lenient":true}}`)
		return
	}
	b.each(b.targets(n.Field, c), func(t target) {
		switch {
		case isWild && wild.Lone():
			b.add(`{"exists":{"field":`)
			b.out = append(b.out, t.name...)
			b.add(`}}`)
		case isWild && t.field.keyword():
			b.add(`{"wildcard":{`)
			b.addString(t.field.Name)
			b.add(`:{"value":`)
			b.addString(QueryString(wild))
			b.add(`}}}`)
		case isWild:
			b.add(`{"query_string":{"fields":[`)
			b.out = append(b.out, t.name...)
			b.add(`],"query":`)
			b.addString(QueryString(wild))
			b.add(`}}`)
		case t.field.Type == "date":
			b.add(`{"range":{`)
			b.addString(t.field.Name)
			b.add(`:{"gte":`)
			b.out = kql.AppendValue(b.out, value)
			b.add(`,"lte":`)
			b.out = kql.AppendValue(b.out, value)
			b.timeZone(value)
			b.add(`}}}`)
		case t.field.keyword():
			b.add(`{"term":{`)
			b.addString(t.field.Name)
			b.add(`:{"value":`)
			b.out = kql.AppendValue(b.out, value)
			b.add(`}}}`)
		default:
			if value.Quoted {
				b.add(`{"match_phrase":{`)
			} else {
				b.add(`{"match":{`)
			}
			b.addString(t.field.Name)
			b.add(`:`)
			b.out = kql.AppendValue(b.out, value)
			b.add(`}}`)
		}
	})
}

func (b *builder) comparison(n *kql.Range, c context) {
	b.each(b.targets(n.Field, c), func(t target) {
		b.add(`{"range":{`)
		b.addString(t.field.Name)
		b.add(`:{"` + string(n.Op) + `":`)
		value, ok := n.Value.(*kql.Literal)
		if !ok {
			value = &kql.Literal{Text: text(n.Value)}
		}
		b.out = kql.AppendValue(b.out, value)
		if t.field.Type == "date" {
			b.timeZone(value)
		}
		b.add(`}}}`)
	})
}

// timeZone adds the zone of a date, unless it is a count of milliseconds.
func (b *builder) timeZone(value *kql.Literal) {
	if b.TimeZone == "" || value.Kind == kql.String && value.Text != "" && strings.Trim(value.Text, "0123456789") == "" {
		return
	}
	b.add(`,"time_zone":`)
	b.addString(b.TimeZone)
}

// QueryString is a wildcard as a query_string query and a wildcard query read it: all but its stars
// escaped.
func QueryString(w *kql.Wildcard) string {
	var s strings.Builder
	for i, part := range w.Parts() {
		if i > 0 {
			s.WriteByte('*')
		}
		for k := range len(part) {
			if strings.IndexByte(`+-=&|><!(){}[]^"~*?:\/`, part[k]) >= 0 {
				s.WriteByte('\\')
			}
			s.WriteByte(part[k])
		}
	}
	return s.String()
}
