package exec

import (
	"fmt"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// rows runs a subsearch and keeps what it gives.
func (e *env) rows(sub *plan.Query, pipe string) (*rowsOp, error) {
	out := &rowsOp{env: e, pipe: pipe}
	if err := e.run(sub, out); err != nil {
		return nil, fmt.Errorf("subsearch of %s: %w", pipe, err)
	}
	return out, nil
}

// subsearch runs a subsearch of a filter and turns its rows into a tree: rows are OR-ed, the columns
// of a row AND-ed. No rows match nothing.
func (e *env) subsearch(sub *plan.Query, timeField string) (kql.Node, error) {
	out := &rowsOp{env: e, pipe: "a subsearch in a filter", most: maxSubsearchRows}
	out.err = fmt.Errorf("a subsearch in a filter gives more than %d rows, which is the most a filter takes: "+
		"make it smaller, for example with dedup or stats, or use join", maxSubsearchRows)
	if err := e.run(sub, out); err != nil {
		return nil, fmt.Errorf("subsearch in a filter: %w", err)
	}
	defer e.memory.release(out.held)
	names := sub.Columns.Names
	if sub.Columns.Open {
		names = out.schema.Names()
	}
	var rows []kql.Node
	seen := map[string]bool{}
	for i := range out.rows {
		var columns []kql.Node
		var key []byte
		for _, n := range names {
			slot, ok := out.schema.Find(n)
			if !ok {
				if slot, ok = out.schema.Find(sub.Columns.Resolve(n, timeField)); !ok {
					continue
				}
			}
			v := out.rows[i].Get(slot)
			if v.IsNull() {
				continue
			}
			field := n
			if field == "_time" {
				field = timeField
			}
			node, err := valueNode(field, v)
			if err != nil {
				return nil, err
			}
			key = v.AppendKey(append(key, field...))
			columns = append(columns, node)
		}
		if len(columns) > 0 && !seen[string(key)] {
			seen[string(key)] = true
			rows = append(rows, kql.NewAnd(columns...))
		}
	}
	return kql.NewOr(rows...), nil
}

// valueNode is the tree that asks for a value; of a list, for any of its values. The columns search
// and query hold trees themselves, as text.
func valueNode(field string, v row.Value) (kql.Node, error) {
	var either []kql.Node
	for _, x := range v.Values() {
		switch {
		case field == "search" || field == "query":
			n, err := kql.Parse(x.Text())
			if err != nil {
				return nil, fmt.Errorf("the column %s of the subsearch holds what is no filter: %w", field, err)
			}
			either = append(either, n)
		case x.Kind() == row.Bool && x.Bool():
			either = append(either, &kql.Is{Field: kql.Word(field), Value: &kql.Literal{Kind: kql.True}})
		case x.Kind() == row.Bool:
			either = append(either, &kql.Is{Field: kql.Word(field), Value: &kql.Literal{Kind: kql.False}})
		case x.IsNumber():
			either = append(either, &kql.Is{Field: kql.Word(field), Value: kql.Word(x.Text())})
		default:
			either = append(either, &kql.Is{Field: kql.Word(field), Value: kql.Phrase(x.Text())})
		}
	}
	return kql.NewOr(either...), nil
}
