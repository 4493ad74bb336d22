package exec

import (
	"fmt"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// otherSeries is what the series over the limit are called.
const otherSeries = "OTHER"

// timeChartOp aggregates by bins of time. When the span or the series that are kept apart are only
// known at the end, it holds the rows until then.
type timeChartOp struct {
	link
	builder *builder
	pipe    *pipe.TimeChart
	time    int
	series  int // the slot of the by-field, -1 for none
	size    pipe.Duration
	groups  *groups
	aggs    *aggregators
	rows    []row.Row
}

func (b *builder) timeChart(p *pipe.TimeChart) (op, *row.Schema, error) {
	o := &timeChartOp{builder: b, pipe: p, time: b.timeSlot(), series: -1, size: p.Size.Duration, aggs: b.aggregators(p.Aggs)}
	if p.By != nil {
		o.series = b.slot(p.By.Name)
	}
	if s := b.query.Source; o.size.IsZero() && !s.Earliest.IsZero() && !s.Latest.IsZero() {
		o.size = chooseSpan(s.Earliest.UnixNano(), s.Latest.UnixNano()-1, p.Bins)
	}
	if !o.size.IsZero() && p.Limit == 0 {
		o.groups = o.newGroups()
	}
	return o, row.NewSchema(b.step.Out.Names...), nil
}

func (o *timeChartOp) newGroups() *groups {
	g := &grouper{slots: []int{o.time}, bins: []func(row.Value) row.Value{newBin(pipe.Size{Duration: o.size}, 0)}, keys: make([]row.Value, 1)}
	if o.series >= 0 {
		g.slots, g.bins, g.keys = append(g.slots, o.series), append(g.bins, nil), make([]row.Value, 2)
		g.useNull = o.pipe.UseNull
	}
	return newGroups(o.builder.env, "timechart", g, o.aggs)
}

func (o *timeChartOp) push(r *row.Row) error {
	if _, ok := r.Get(o.time).AsTime(); !ok {
		o.builder.env.warn("timechart left out rows whose time is missing or is no time")
		return nil
	}
	if o.groups != nil {
		return o.groups.add(r)
	}
	c := r.Clone()
	o.rows = append(o.rows, c)
	return o.builder.env.memory.hold("timechart", c.Size())
}

func (o *timeChartOp) flush() error {
	if o.groups == nil {
		if err := o.addHeld(); err != nil {
			return err
		}
	}
	var rows []row.Row
	for _, g := range o.groups.sorted() {
		r := row.Row{Vals: slices.Clone(g.keys)}
		for _, s := range g.states {
			r.Vals = append(r.Vals, s.value())
		}
		rows = append(rows, r)
	}
	if o.pipe.Fill && len(rows) > 0 {
		var err error
		if rows, err = o.fill(rows); err != nil {
			return err
		}
	}
	if err := pushAll(o.next, rows); err != nil {
		return err
	}
	return o.next.flush()
}

// addHeld chooses the span and the series and aggregates the rows that were held.
func (o *timeChartOp) addHeld() error {
	if o.size.IsZero() {
		first, last := int64(0), int64(0)
		for i := range o.rows {
			t, _ := o.rows[i].Get(o.time).AsTime()
			if i == 0 || t < first {
				first = t
			}
			if i == 0 || t > last {
				last = t
			}
		}
		o.size = chooseSpan(first, last, o.pipe.Bins)
	}
	o.groups = o.newGroups()
	if o.pipe.Limit > 0 && o.series >= 0 {
		keep, err := topSeries(o.builder.env, o.rows, o.series, o.aggs, o.pipe.Limit, func(r *row.Row) row.Value {
			return newBin(pipe.Size{Duration: o.size}, 0)(r.Get(o.time))
		})
		if err != nil {
			return err
		}
		o.rows = othered(o.rows, o.series, keep, o.pipe.UseOther)
	}
	for i := range o.rows {
		if err := o.groups.add(&o.rows[i]); err != nil {
			return err
		}
		o.builder.env.memory.release(o.rows[i].Size())
	}
	o.rows = nil
	return nil
}

// topSeries are the keys of the series with the greatest sum, over the cells, of the first aggregate.
func topSeries(e *env, rows []row.Row, series int, aggs *aggregators, limit int, cell func(*row.Row) row.Value) (map[string]bool, error) {
	first := &aggregators{list: aggs.list[:1], time: aggs.time}
	type total struct {
		key row.Value
		sum float64
	}
	cells := map[string]state{}
	keyOf := map[string]string{}
	totals := map[string]*total{}
	for i := range rows {
		for _, v := range rows[i].Get(series).Values() {
			k := string(v.AppendKey(nil))
			c := string(cell(&rows[i]).AppendKey(nil)) + k
			if cells[c] == nil {
				cells[c] = first.list[0].new()
				if err := e.memory.hold("the series of a chart", len(c)+100); err != nil {
					return nil, err
				}
			}
			keyOf[c] = k
			if totals[k] == nil {
				totals[k] = &total{key: v}
			}
			first.add([]state{cells[c]}, &rows[i], int64(i))
		}
	}
	for c, s := range cells {
		if n, ok := s.value().Number(); ok {
			totals[keyOf[c]].sum += n.Float()
		}
	}
	var list []*total
	for _, t := range totals {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *total) int {
		if a.sum != b.sum {
			if a.sum > b.sum {
				return -1
			}
			return 1
		}
		return row.StrictOrder(a.key, b.key)
	})
	keep := map[string]bool{}
	for _, t := range list[:min(limit, len(list))] {
		keep[string(t.key.AppendKey(nil))] = true
	}
	return keep, nil
}

// othered gives the rows of series that are not kept to OTHER, or drops them.
func othered(rows []row.Row, series int, keep map[string]bool, useOther bool) []row.Row {
	var out []row.Row
	for _, r := range rows {
		v := r.Get(series)
		if v.IsNull() {
			out = append(out, r)
			continue
		}
		var values []row.Value
		other := false
		for _, e := range v.Values() {
			if keep[string(e.AppendKey(nil))] {
				values = append(values, e)
			} else {
				other = true
			}
		}
		if other && useOther {
			values = append(values, row.NewString(otherSeries))
		}
		if len(values) > 0 {
			if len(values) == 1 {
				r.Set(series, values[0])
			} else {
				r.Set(series, row.NewList(values))
			}
			out = append(out, r)
		}
	}
	return out
}

// fill adds the rows of empty bins, for each series.
func (o *timeChartOp) fill(rows []row.Row) ([]row.Row, error) {
	first, last := rows[0].Vals[0].Nanos(), rows[len(rows)-1].Vals[0].Nanos()
	floor := timeBin(o.size, 0)
	if s := o.builder.query.Source; !s.Earliest.IsZero() && !s.Latest.IsZero() {
		first, last = min(first, floor(s.Earliest.UnixNano())), max(last, floor(s.Latest.UnixNano()-1))
	}
	series := []row.Value{{}}
	if o.series >= 0 {
		series = nil
		seen := map[string]bool{}
		for _, r := range rows {
			if k := string(r.Vals[1].AppendKey(nil)); !seen[k] {
				seen[k] = true
				series = append(series, r.Vals[1])
			}
		}
		slices.SortFunc(series, row.StrictOrder)
	}
	there := map[string]row.Row{}
	key := func(t int64, s row.Value) string { return string(s.AppendKey(row.NewTimeNano(t).AppendKey(nil))) }
	for _, r := range rows {
		s := row.Value{}
		if o.series >= 0 {
			s = r.Vals[1]
		}
		there[key(r.Vals[0].Nanos(), s)] = r
	}
	var out []row.Row
	for t := first; t <= last; t = timeStep(o.size, t) {
		for _, s := range series {
			r, ok := there[key(t, s)]
			if !ok {
				r = row.Row{Vals: []row.Value{row.NewTimeNano(t)}}
				if o.series >= 0 {
					r.Vals = append(r.Vals, s)
				}
				for _, st := range o.aggs.states() {
					r.Vals = append(r.Vals, st.value())
				}
				if err := o.builder.env.memory.hold(fmt.Sprintf("timechart with fill and a span of %s", o.size), r.Size()); err != nil {
					return nil, err
				}
			}
			out = append(out, r)
		}
	}
	return out, nil
}
