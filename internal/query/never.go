package query

import (
	"fmt"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// never finds where a search after an aggregation compares a number with what is none: a rule would be silent for ever.
func (q *Query) never() []Warning {
	var out []Warning
	numbers := map[string]bool{}
	for _, s := range q.plan.Steps {
		switch p := s.Pipe.(type) {
		case *pipe.Stats:
			clear(numbers)
			for _, a := range p.Aggs {
				numbers[a.Column()] = a.Numeric()
			}
			for _, b := range p.By {
				delete(numbers, b.Column())
			}
		case *pipe.Search:
			if len(s.Filter.Subs) > 0 {
				continue
			}
			text := p.Filter.String()
			compared(s.Filter.Tree, func(field, value *kql.Literal) {
				name, than := field.Name(), value.Name()
				if _, number := row.NewString(than).Number(); numbers[name] && !number {
					at := value.Span()
					out = append(out, Warning{
						Text: text, Start: at.Start, End: at.End,
						Message: fmt.Sprintf("%s is a number and %q is none: this never holds", name, than),
					})
				}
			})
		case *pipe.Where, *pipe.Sort, *pipe.Head:
		default:
			clear(numbers)
		}
	}
	return out
}

// compared calls each with what a filter asks for, not what it excludes, of fields and values without wildcards.
func compared(n kql.Node, each func(field, value *kql.Literal)) {
	pair := func(field, value kql.Term) {
		f, ok := field.(*kql.Literal)
		v, ok2 := value.(*kql.Literal)
		if ok && ok2 && f.Kind == kql.String && v.Kind == kql.String {
			each(f, v)
		}
	}
	switch n := n.(type) {
	case *kql.And:
		for _, one := range n.Nodes {
			compared(one, each)
		}
	case *kql.Or:
		for _, one := range n.Nodes {
			compared(one, each)
		}
	case *kql.Is:
		pair(n.Field, n.Value)
	case *kql.Range:
		pair(n.Field, n.Value)
	}
}
