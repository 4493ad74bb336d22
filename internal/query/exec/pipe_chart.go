package exec

import (
	"errors"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// chartOp aggregates into a grid.
type chartOp struct {
	link
	env    *env
	pipe   *pipe.Chart
	groups *groups
	aggs   *aggregators
	out    *row.Schema
	rows   []row.Row // with a limit: held until the series are known
	by     int
	over   int
	bin    func(row.Value) row.Value
}

func (b *builder) chart(p *pipe.Chart) (op, *row.Schema, error) {
	if p.By == nil {
		stats := &pipe.Stats{Aggs: p.Aggs, By: []pipe.By{p.Over}}
		return b.stats(stats)
	}
	o := &chartOp{env: b.env, pipe: p, aggs: b.aggregators(p.Aggs), out: row.NewSchema(p.Over.Column()), by: b.slot(p.By.Field.Name), over: b.slot(p.Over.Field.Name)}
	o.bin = func(v row.Value) row.Value { return v }
	if !p.Over.Size.IsZero() {
		o.bin = newBin(p.Over.Size, 0)
	}
	g := b.grouper([]pipe.By{p.Over, *p.By}, false)
	if p.UseNull {
		null := row.NewString("NULL")
		inner := g.bins[1]
		g.useNull = true
		g.bins[1] = func(v row.Value) row.Value {
			if inner != nil {
				v = inner(v)
			}
			if v.IsNull() {
				return null
			}
			return v
		}
	}
	o.groups = newGroups(b.env, "chart", g, o.aggs)
	return o, o.out, nil
}

func (o *chartOp) push(r *row.Row) error {
	if o.pipe.Limit == 0 {
		return o.groups.add(r)
	}
	c := r.Clone()
	o.rows = append(o.rows, c)
	return o.env.memory.hold("chart", c.Size())
}

func (o *chartOp) flush() error {
	if o.pipe.Limit > 0 {
		keep, err := topSeries(o.env, o.rows, o.by, o.aggs, o.pipe.Limit, func(r *row.Row) row.Value { return o.bin(r.Get(o.over)) })
		if err != nil {
			return err
		}
		for _, r := range othered(o.rows, o.by, keep, o.pipe.UseOther) {
			if err := o.groups.add(&r); err != nil {
				return err
			}
		}
	}
	all := slices.DeleteFunc(o.groups.sorted(), func(g *group) bool { return g.keys[0].IsNull() })
	var series []row.Value
	for _, g := range all {
		series = append(series, g.keys[1])
	}
	slices.SortFunc(series, row.StrictOrder)
	series = slices.CompactFunc(series, func(a, b row.Value) bool { return row.StrictOrder(a, b) == 0 })
	column := func(a int, s row.Value) int {
		if len(o.aggs.list) == 1 {
			return o.out.Slot(s.Text())
		}
		return o.out.Slot(o.aggs.list[a].name + ": " + s.Text())
	}
	for a := range o.aggs.list {
		for _, s := range series {
			column(a, s)
		}
	}
	for len(all) > 0 {
		r := row.Row{Vals: []row.Value{all[0].keys[0]}}
		for a := range o.aggs.list {
			empty := o.aggs.list[a].new().value()
			for _, s := range series {
				r.Set(column(a, s), empty)
			}
		}
		over := all[0].keys[0]
		for len(all) > 0 && row.StrictOrder(all[0].keys[0], over) == 0 {
			for a, s := range all[0].states {
				r.Set(column(a, all[0].keys[1]), s.value())
			}
			all = all[1:]
		}
		if err := o.next.push(&r); errors.Is(err, ErrStop) {
			break
		} else if err != nil {
			return err
		}
	}
	return o.next.flush()
}
