package exec

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// keyOrder compares rows by sort keys: nulls last in either direction, a list by its first value.
type keyOrder []struct {
	slot int
	desc bool
	as   string
}

func (b *builder) keyOrder(keys []pipe.SortKey) keyOrder {
	out := make(keyOrder, len(keys))
	for i, k := range keys {
		out[i].slot, out[i].desc, out[i].as = b.slot(k.Field.Name), k.Desc, k.As
	}
	return out
}

func (o keyOrder) compare(a, b *row.Row) int {
	for _, k := range o {
		x, y := sortValue(a.Get(k.slot), k.as), sortValue(b.Get(k.slot), k.as)
		if x.IsNull() || y.IsNull() {
			if c := cmp.Compare(boolToInt(x.IsNull()), boolToInt(y.IsNull())); c != 0 {
				return c
			}
			continue
		}
		c := 0
		if k.as == "str" || k.as == "ip" {
			c = strings.Compare(x.Str(), y.Str())
		} else {
			c = row.Order(x, y)
		}
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sortValue is what a value is compared by: with num a number or null, with str its text, with ip the
// bytes of the address or null.
func sortValue(v row.Value, as string) row.Value {
	if v.Kind() == row.List {
		v = v.At(0)
	}
	switch as {
	case "num":
		n, _ := v.Number()
		return n
	case "str":
		if v.IsNull() {
			return v
		}
		return row.NewString(v.Text())
	case "ip":
		ip, err := netip.ParseAddr(v.Text())
		if err != nil {
			return row.Value{}
		}
		b := ip.Unmap().As16()
		return row.NewString(string(b[:]))
	}
	return v
}

// sortOp sorts all rows, stably, and hands on the first limit of them.
type sortOp struct {
	link
	env   *env
	order keyOrder
	limit int
	rows  []row.Row
	held  int
}

func (b *builder) sort(p *pipe.Sort) (op, *row.Schema, error) {
	return &sortOp{env: b.env, order: b.keyOrder(p.Keys), limit: p.Limit}, b.in, nil
}

func (o *sortOp) push(r *row.Row) error {
	c := r.Clone()
	n := c.Size()
	o.rows, o.held = append(o.rows, c), o.held+n
	if o.limit > 0 && len(o.rows) >= 2*o.limit+1000 {
		o.cut()
		return nil
	}
	return o.env.memory.hold("sort", n)
}

// cut sorts and drops what is over the limit.
func (o *sortOp) cut() {
	slices.SortStableFunc(o.rows, func(a, b row.Row) int { return o.order.compare(&a, &b) })
	if o.limit > 0 && len(o.rows) > o.limit {
		clear(o.rows[o.limit:])
		o.rows = o.rows[:o.limit]
	}
	n := 0
	for i := range o.rows {
		n += o.rows[i].Size()
	}
	o.env.memory.release(o.held - n)
	o.held = n
}

func (o *sortOp) flush() error {
	o.cut()
	if err := pushAll(o.next, o.rows); err != nil {
		return err
	}
	o.env.memory.release(o.held)
	o.rows = nil
	return o.next.flush()
}

// headOp hands on left rows after skipping some.
type headOp struct {
	link
	skip, left int
}

func (o *headOp) push(r *row.Row) error {
	if o.skip > 0 {
		o.skip--
		return nil
	}
	if o.left <= 0 {
		return ErrStop
	}
	o.left--
	if err := o.next.push(r); err != nil {
		return err
	}
	if o.left == 0 {
		return ErrStop
	}
	return nil
}

// tailOp hands on the last n rows.
type tailOp struct {
	link
	env    *env
	n      int
	rows   []row.Row
	oldest int
}

func (o *tailOp) push(r *row.Row) error {
	if o.n == 0 {
		return nil
	}
	c := r.Clone()
	if err := o.env.memory.hold("tail", c.Size()); err != nil {
		return err
	}
	if len(o.rows) < o.n {
		o.rows = append(o.rows, c)
		return nil
	}
	o.env.memory.release(o.rows[o.oldest].Size())
	o.rows[o.oldest] = c
	o.oldest = (o.oldest + 1) % o.n
	return nil
}

func (o *tailOp) flush() error {
	rows := append(slices.Clone(o.rows[o.oldest:]), o.rows[:o.oldest]...)
	if err := pushAll(o.next, rows); err != nil {
		return err
	}
	return o.next.flush()
}
