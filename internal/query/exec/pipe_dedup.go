package exec

import (
	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// dedupOp hands on the first n rows of each key.
type dedupOp struct {
	link
	env         *env
	slots       []int
	n           int
	keepEmpty   bool
	consecutive bool
	seen        map[string]int
	last        string
	run         int
	key         []byte
}

func (b *builder) dedup(p *pipe.Dedup) (op, *row.Schema, error) {
	d := &dedupOp{env: b.env, slots: b.slots(p.Fields), n: p.N, keepEmpty: p.KeepEmpty, consecutive: p.Consecutive, seen: map[string]int{}}
	if p.SortBy == nil {
		return d, b.in, nil
	}
	return &pairOp{first: &sortOp{env: b.env, order: b.keyOrder(p.SortBy)}, last: d}, b.in, nil
}

func (o *dedupOp) push(r *row.Row) error {
	o.key = o.key[:0]
	for _, s := range o.slots {
		v := r.Get(s)
		if v.IsNull() {
			if o.keepEmpty {
				return o.next.push(r)
			}
			return nil
		}
		o.key = v.AppendKey(o.key)
	}
	if o.consecutive {
		if o.run > 0 && string(o.key) == o.last {
			o.run++
		} else {
			o.last, o.run = string(o.key), 1
		}
		if o.run > o.n {
			return nil
		}
		return o.next.push(r)
	}
	n, known := o.seen[string(o.key)]
	if n >= o.n {
		return nil
	}
	if !known {
		if err := o.env.memory.hold("dedup", len(o.key)+48); err != nil {
			return err
		}
	}
	o.seen[string(o.key)] = n + 1
	return o.next.push(r)
}
