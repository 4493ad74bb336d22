package exec

import (
	"errors"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// grouper finds the keys of rows. A row with several values of a key belongs to each of them.
type grouper struct {
	slots   []int
	bins    []func(row.Value) row.Value // nil where values are taken as they are
	useNull bool
	keys    []row.Value
	buf     []byte
}

func (b *builder) grouper(by []pipe.By, useNull bool) *grouper {
	g := &grouper{useNull: useNull, keys: make([]row.Value, len(by))}
	for _, k := range by {
		g.slots = append(g.slots, b.slot(k.Field.Name))
		var bin func(row.Value) row.Value
		if !k.Size.IsZero() {
			bin = newBin(k.Size, 0)
		}
		g.bins = append(g.bins, bin)
	}
	return g
}

// each calls f with the encoding of every key of the row, and the values of the key. Both are only
// good until f returns. Rows that lack a value have no key, unless nulls are used.
func (g *grouper) each(r *row.Row, f func(key []byte, values []row.Value) error) error {
	g.buf = g.buf[:0]
	return g.level(r, 0, f)
}

func (g *grouper) level(r *row.Row, i int, f func([]byte, []row.Value) error) error {
	if i == len(g.slots) {
		return f(g.buf, g.keys)
	}
	v := r.Get(g.slots[i])
	length := len(g.buf)
	if v.Kind() != row.List {
		if g.bins[i] != nil {
			v = g.bins[i](v)
		}
		if v.IsNull() && !g.useNull {
			return nil
		}
		g.keys[i] = v
		g.buf = v.AppendKey(g.buf)
		err := g.level(r, i+1, f)
		g.buf = g.buf[:length]
		return err
	}
	seen := map[string]bool{}
	for _, e := range v.Values() {
		if g.bins[i] != nil {
			e = g.bins[i](e)
		}
		if e.IsNull() && !g.useNull {
			continue
		}
		g.buf = e.AppendKey(g.buf[:length])
		own := string(g.buf[length:])
		if seen[own] {
			continue
		}
		seen[own] = true
		g.keys[i] = e
		if err := g.level(r, i+1, f); err != nil {
			return err
		}
	}
	g.buf = g.buf[:length]
	return nil
}

// group is one key and its aggregates in the making.
type group struct {
	keys   []row.Value
	states []state
}

// groups are all keys so far.
type groups struct {
	env   *env
	pipe  string
	by    *grouper
	aggs  *aggregators
	byKey map[string]*group
	seq   int64
}

func newGroups(e *env, pipe string, by *grouper, aggs *aggregators) *groups {
	return &groups{env: e, pipe: pipe, by: by, aggs: aggs, byKey: map[string]*group{}}
}

func (g *groups) add(r *row.Row) error {
	g.seq++
	return g.by.each(r, func(key []byte, values []row.Value) error {
		grp := g.byKey[string(key)]
		held := 0
		if grp == nil {
			grp = &group{states: g.aggs.states(), keys: make([]row.Value, len(values))}
			for i, v := range values {
				grp.keys[i] = v.Own()
				held += v.Size()
			}
			held += len(key) + 64 + 48*len(grp.states)
			g.byKey[string(key)] = grp
		}
		if held += g.aggs.add(grp.states, r, g.seq); held > 0 {
			return g.env.memory.hold(g.pipe, held)
		}
		return nil
	})
}

// sorted are the groups by their keys, ascending.
func (g *groups) sorted() []*group {
	out := make([]*group, 0, len(g.byKey))
	for _, grp := range g.byKey {
		out = append(out, grp)
	}
	slices.SortFunc(out, func(a, b *group) int { return compareKeys(a.keys, b.keys) })
	return out
}

func compareKeys(a, b []row.Value) int {
	for i := range a {
		if c := row.StrictOrder(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// statsOp aggregates all rows.
type statsOp struct {
	link
	groups *groups
}

func (b *builder) stats(p *pipe.Stats) (op, *row.Schema, error) {
	out := row.NewSchema(b.step.Out.Names...)
	return &statsOp{groups: newGroups(b.env, "stats", b.grouper(p.By, p.UseNull), b.aggregators(p.Aggs))}, out, nil
}

func (o *statsOp) push(r *row.Row) error { return o.groups.add(r) }

func (o *statsOp) flush() error {
	g := o.groups
	if len(g.by.slots) == 0 && len(g.byKey) == 0 {
		g.byKey[""] = &group{states: g.aggs.states()}
	}
	var out row.Row
	for _, grp := range g.sorted() {
		out.Vals = append(out.Vals[:0], grp.keys...)
		for _, s := range grp.states {
			out.Vals = append(out.Vals, s.value())
		}
		if err := o.next.push(&out); errors.Is(err, ErrStop) {
			break
		} else if err != nil {
			return err
		}
	}
	return o.next.flush()
}

// groupSort puts the groups that a backend made in the order that groups made here have.
type groupSort struct {
	holdOp
}

func newGroupSort(e *env, a *plan.Aggregate, schema *row.Schema) op {
	var slots []int
	for _, b := range a.By {
		slots = append(slots, schema.Slot(b.Column()))
	}
	for _, g := range a.Aggs {
		schema.Slot(g.Column())
	}
	return &groupSort{holdOp{env: e, pipe: "stats", finish: func(rows []row.Row) []row.Row {
		slices.SortStableFunc(rows, func(a, b row.Row) int {
			for _, s := range slots {
				if c := row.StrictOrder(a.Get(s), b.Get(s)); c != 0 {
					return c
				}
			}
			return 0
		})
		return rows
	}}}
}
