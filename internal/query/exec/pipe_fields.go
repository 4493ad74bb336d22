package exec

import (
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// remapOp gives rows another schema: each slot goes where place says, or nowhere. Slots that come up
// while rows flow are placed when they do.
type remapOp struct {
	link
	in    *row.Schema
	out   *row.Schema
	place func(slot int, name string) int // the slot in out, -1 for none
	slots []int
	row   row.Row
}

func (o *remapOp) push(r *row.Row) error {
	for len(o.slots) < o.in.Len() {
		i := len(o.slots)
		o.slots = append(o.slots, o.place(i, o.in.Name(i)))
	}
	o.row.Vals = o.row.Vals[:0]
	for range o.out.Len() {
		o.row.Vals = append(o.row.Vals, row.Value{})
	}
	for i, v := range r.Vals {
		if to := o.slots[i]; to >= 0 && !v.IsNull() {
			o.row.Set(to, v)
		}
	}
	o.row.Doc = r.Doc
	return o.next.push(&o.row)
}

func (b *builder) fields(fields []pipe.Field, drop bool) (op, *row.Schema, error) {
	out := row.NewSchema()
	if drop {
		return &remapOp{in: b.in, out: out, place: func(_ int, name string) int {
			for _, f := range fields {
				if _, ok := f.Match(name); ok || !f.Wild && b.step.In.Resolve(f.Name, b.query.TimeField()) == name {
					return -1
				}
			}
			return out.Slot(name)
		}}, out, nil
	}
	// Columns stand in the order of the list; one field may be wanted under two names (_time).
	exact := map[int][]int{}
	var wild []pipe.Field
	for _, f := range fields {
		if f.Wild {
			wild = append(wild, f)
			for _, n := range b.step.In.Names {
				if _, ok := f.Match(n); ok {
					exact[b.slot(n)] = []int{out.Slot(n)}
				}
			}
			continue
		}
		slot := b.slot(f.Name)
		exact[slot] = append(exact[slot], out.Slot(f.Name))
	}
	o := &remapOp{in: b.in, out: out, place: func(slot int, name string) int {
		if to, ok := exact[slot]; ok {
			return to[0]
		}
		for _, f := range wild {
			if _, ok := f.Match(name); ok {
				return out.Slot(name)
			}
		}
		return -1
	}}
	var twice [][2]int
	for _, to := range exact {
		for _, more := range to[1:] {
			if more != to[0] {
				twice = append(twice, [2]int{to[0], more})
			}
		}
	}
	if twice == nil {
		return o, out, nil
	}
	double := &changeOp{change: func(r *row.Row) {
		for _, t := range twice {
			r.Set(t[1], r.Get(t[0]))
		}
	}}
	return &pairOp{first: o, last: double}, out, nil
}

// pairOp is two stages as one.
type pairOp struct{ first, last op }

func (o *pairOp) push(r *row.Row) error { return o.first.push(r) }

func (o *pairOp) flush() error { return o.first.flush() }

func (o *pairOp) to(next op) {
	o.first.to(o.last)
	o.last.to(next)
}

func (b *builder) rename(p *pipe.Rename) (op, *row.Schema, error) {
	var first op
	in := b.in
	columns := b.step.In
	for _, pair := range p.Pairs {
		out := row.NewSchema()
		from := columns.Resolve(pair.From.Name, b.query.TimeField())
		if !pair.From.Wild {
			in.Slot(from)
		}
		o := &remapOp{in: in, out: out, place: func(_ int, name string) int {
			if pair.From.Wild {
				if parts, ok := pair.From.Match(name); ok {
					return out.Slot(plan.Fill(pair.To.Name, parts))
				}
				return out.Slot(name)
			}
			switch name {
			case from:
				return out.Slot(pair.To.Name)
			case pair.To.Name:
				return -1 // gives way to the renamed one
			}
			return out.Slot(name)
		}}
		if first == nil {
			first = o
		} else {
			first = &pairOp{first: first, last: o}
		}
		in = out
		columns = plan.Columns{Names: renamed(columns.Names, pair, from), Open: columns.Open}
	}
	return first, in, nil
}

// renamed are the names after one renaming.
func renamed(names []string, r pipe.Renaming, from string) []string {
	var out []string
	for _, n := range names {
		if r.From.Wild {
			if parts, ok := r.From.Match(n); ok {
				n = plan.Fill(r.To.Name, parts)
			}
		} else if n == from {
			n = r.To.Name
		} else if n == r.To.Name {
			continue
		}
		out = append(out, n)
	}
	return out
}
