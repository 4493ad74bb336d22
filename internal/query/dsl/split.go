package dsl

import (
	"tocsin/internal/query/kql"
)

const (
	// maxClauses is how many clauses Elasticsearch takes by default: indices.query.bool.max_clause_count.
	maxClauses = 1024
	// maxTerms is how many values a terms query takes by default: index.max_terms_count.
	maxTerms = 65_536
	// listMin is from how many values of one field on a terms query stands for them.
	listMin = 16
)

// clauses counts the comparisons of a tree. Newer versions count them over the whole query, so that
// nesting alone does not get it under the limit.
func clauses(n kql.Node) int {
	count := 0
	kql.Walk(n, func(n kql.Node) bool {
		switch n.(type) {
		case *kql.Is, *kql.Range:
			count++
		}
		return true
	})
	return count
}

// nodes writes nodes with commas; more than a bool takes are put into several.
func (b *builder) nodes(nodes []kql.Node, c context, open, end string) {
	b.list(len(nodes), open, end, func(i int) { b.node(nodes[i], c) })
}

func (b *builder) list(n int, open, end string, item func(i int)) {
	for i := range n {
		if i > 0 && (n <= maxClauses || i%maxClauses > 0) {
			b.add(",")
		}
		if n > maxClauses && i%maxClauses == 0 {
			if i > 0 {
				b.add(end + ",")
			}
			b.add(open)
		}
		item(i)
	}
	if n > maxClauses {
		b.add(end)
	}
}

// anyOf writes the clauses of an or. In a query that is too big for Elasticsearch, values of one field
// become a terms query where that finds the same: on fields whose values are not analysed.
func (b *builder) anyOf(nodes []kql.Node, c context) {
	type list struct {
		target target
		values []*kql.Literal
	}
	counts := map[string]int{}
	if b.split {
		for _, n := range nodes {
			if t, _, ok := b.listed(n, c); ok {
				counts[t.field.Name]++
			}
		}
	}
	var clause []any // kql.Node or *list
	open := map[string]*list{}
	for _, n := range nodes {
		t, value, ok := b.listed(n, c)
		if !ok || counts[t.field.Name] < listMin {
			clause = append(clause, n)
			continue
		}
		l := open[t.field.Name]
		if l == nil || len(l.values) == maxTerms {
			l = &list{target: t}
			open[t.field.Name] = l
			clause = append(clause, l)
		}
		l.values = append(l.values, value)
	}
	b.list(len(clause), `{"bool":{"should":[`, `],"minimum_should_match":1}}`, func(i int) {
		switch x := clause[i].(type) {
		case kql.Node:
			b.node(x, c)
		case *list:
			b.terms(x.target, x.values)
		}
	})
}

// listed tells the field and value of a node that may become part of a terms query.
func (b *builder) listed(n kql.Node, c context) (target, *kql.Literal, bool) {
	is, ok := n.(*kql.Is)
	if !ok || !b.split || b.Fields == nil {
		return target{}, nil, false
	}
	field, isLiteral := is.Field.(*kql.Literal)
	value, isValue := is.Value.(*kql.Literal)
	if !isLiteral || !isValue || value.Kind == kql.Null || field.Kind != kql.String && c.path == "" {
		return target{}, nil, false
	}
	t := b.targets(field, c)[0]
	return t, value, t.field.whole()
}

// terms writes a list of values in the bool that Kibana puts around a comparison.
func (b *builder) terms(t target, values []*kql.Literal) {
	b.each([]target{t}, func(t target) {
		b.add(`{"terms":{`)
		b.addString(t.field.Name)
		b.add(`:[`)
		for i, v := range values {
			if i > 0 {
				b.add(",")
			}
			b.out = kql.AppendValue(b.out, v)
		}
		b.add(`]}}`)
	})
}
