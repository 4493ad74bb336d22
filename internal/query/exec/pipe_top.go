package exec

import (
	"cmp"
	"errors"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// topOp counts combinations of values, for each combination of the by-fields apart.
type topOp struct {
	link
	pipe   *pipe.Top
	groups *groups
}

func (b *builder) top(p *pipe.Top) (op, *row.Schema, error) {
	var by []pipe.By
	for _, f := range append(slices.Clone(p.By), p.Fields...) {
		by = append(by, pipe.By{Field: f})
	}
	aggs := b.aggregators([]pipe.Aggregate{{Func: "count", Written: "count"}})
	return &topOp{pipe: p, groups: newGroups(b.env, p.Name(), b.grouper(by, false), aggs)}, row.NewSchema(b.step.Out.Names...), nil
}

func (o *topOp) push(r *row.Row) error { return o.groups.add(r) }

func (o *topOp) flush() error {
	all := o.groups.sorted()
	nBy := len(o.pipe.By)
	for len(all) > 0 {
		end := 1
		for end < len(all) && compareKeys(all[end].keys[:nBy], all[0].keys[:nBy]) == 0 {
			end++
		}
		if err := o.emit(all[:end]); errors.Is(err, ErrStop) {
			break
		} else if err != nil {
			return err
		}
		all = all[end:]
	}
	return o.next.flush()
}

// emit hands on the rows of one combination of the by-fields.
func (o *topOp) emit(part []*group) error {
	count := func(g *group) int64 { return g.states[0].value().Int() }
	total := int64(0)
	for _, g := range part {
		total += count(g)
	}
	slices.SortStableFunc(part, func(a, b *group) int {
		c := cmp.Compare(count(b), count(a))
		if o.pipe.Rare {
			c = -c
		}
		return c
	})
	if o.pipe.Limit > 0 && len(part) > o.pipe.Limit {
		part = part[:o.pipe.Limit]
	}
	for _, g := range part {
		r := row.Row{Vals: slices.Clone(g.keys)}
		if o.pipe.ShowCount {
			r.Vals = append(r.Vals, row.NewInt(count(g)))
		}
		if o.pipe.ShowPerc {
			r.Vals = append(r.Vals, row.NewFloat(float64(count(g))*100/float64(total)))
		}
		if err := o.next.push(&r); err != nil {
			return err
		}
	}
	return nil
}
