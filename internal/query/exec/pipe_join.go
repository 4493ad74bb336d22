package exec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// subColumns are the slots of a subsearch's columns in its own rows, and where they go in ours.
func (b *builder) subColumns(sub *plan.Query, rows *rowsOp) (names []string, from, to []int) {
	names = sub.Columns.Names
	if sub.Columns.Open {
		names = nil
		for i, n := range rows.schema.Names() {
			if slices.ContainsFunc(rows.rows, func(r row.Row) bool { return !r.Get(i).IsNull() }) {
				names = append(names, n)
			}
		}
	}
	for _, n := range names {
		slot, ok := rows.schema.Find(n)
		if !ok {
			slot = rows.schema.Slot(sub.Columns.Resolve(n, b.query.TimeField()))
		}
		from = append(from, slot)
		to = append(to, b.in.Slot(n))
	}
	return names, from, to
}

// joinOp adds to each row the columns of the subsearch's rows with equal keys. Keys compare as texts;
// a row that lacks a key has no match.
type joinOp struct {
	link
	pipe       *pipe.Join
	keys       []int
	byKey      map[string][]int
	rows       []row.Row
	from, into []int
	out        row.Row
	texts      []string
}

func (b *builder) join(p *pipe.Join) (op, *row.Schema, error) {
	sub := b.step.Subs[0]
	right, err := b.env.rows(sub, "join")
	if err != nil {
		return nil, nil, err
	}
	o := &joinOp{pipe: p, keys: b.slots(p.Keys), byKey: map[string][]int{}, rows: right.rows, texts: make([]string, len(p.Keys))}
	names, from, to := b.subColumns(sub, right)
	var rightKeys []int
	for _, k := range p.Keys {
		slot, ok := right.schema.Find(k.Name)
		if !ok {
			slot = right.schema.Slot(sub.Columns.Resolve(k.Name, b.query.TimeField()))
		}
		rightKeys = append(rightKeys, slot)
	}
	for i, n := range names {
		if !slices.ContainsFunc(p.Keys, func(k pipe.Field) bool { return k.Name == n }) {
			o.from, o.into = append(o.from, from[i]), append(o.into, to[i])
		}
	}
	for i := range o.rows {
		seen := map[string]bool{}
		eachTexts(&o.rows[i], rightKeys, asWritten, o.texts, 0, func() bool {
			k := joinKey(o.texts)
			if !seen[k] {
				seen[k] = true
				o.byKey[k] = append(o.byKey[k], i)
			}
			return true
		})
	}
	if err := b.env.memory.hold("join", 64*len(o.rows)); err != nil {
		return nil, nil, err
	}
	return o, b.in, nil
}

func joinKey(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		fmt.Fprintf(&b, "%d:%s", len(t), t)
	}
	return b.String()
}

func (o *joinOp) push(r *row.Row) error {
	var found []int
	eachTexts(r, o.keys, asWritten, o.texts, 0, func() bool {
		for _, i := range o.byKey[joinKey(o.texts)] {
			if !slices.Contains(found, i) {
				found = append(found, i)
			}
		}
		return true
	})
	slices.Sort(found)
	if o.pipe.Max > 0 && len(found) > o.pipe.Max {
		found = found[:o.pipe.Max]
	}
	if len(found) == 0 {
		if o.pipe.Left {
			return o.next.push(r)
		}
		return nil
	}
	left := slices.Clone(r.Vals)
	for _, i := range found {
		o.out.Vals, o.out.Doc = append(o.out.Vals[:0], left...), r.Doc
		for c, from := range o.from {
			v := o.rows[i].Get(from)
			if v.IsNull() || !o.pipe.Overwrite && !o.out.Get(o.into[c]).IsNull() {
				continue
			}
			o.out.Set(o.into[c], v)
		}
		if err := o.next.push(&o.out); err != nil {
			return err
		}
	}
	return nil
}

// append runs the subsearch when the rows before it are through.
func (b *builder) append() (op, *row.Schema, error) {
	sub := b.step.Subs[0]
	for _, n := range sub.Columns.Names {
		b.in.Slot(n)
	}
	return &appendOp{more: func(next op) error {
		rows, err := b.subRows(sub, "append")
		if err != nil {
			return err
		}
		return pushAll(next, rows)
	}}, b.in, nil
}

// subRows runs a subsearch and gives its rows slots of ours.
func (b *builder) subRows(sub *plan.Query, pipe string) ([]row.Row, error) {
	found, err := b.env.rows(sub, pipe)
	if err != nil {
		return nil, err
	}
	_, from, to := b.subColumns(sub, found)
	for i := range found.rows {
		var r row.Row
		for c := range from {
			if v := found.rows[i].Get(from[c]); !v.IsNull() {
				r.Set(to[c], v)
			}
		}
		found.rows[i] = r
	}
	return found.rows, nil
}

// union merges the rows of subsearches with those there are, newest first; rows without a time come last.
func (b *builder) union() (op, *row.Schema, error) {
	var times []int
	for _, n := range []string{b.query.TimeField(), "_time"} {
		if b.step.Out.Open || b.step.Out.Has(n) {
			times = append(times, b.in.Slot(n))
		}
	}
	timeOf := func(r *row.Row) (int64, bool) {
		for _, s := range times {
			if t, ok := r.Get(s).AsTime(); ok {
				return t, true
			}
		}
		return 0, false
	}
	u := &unionOp{holdOp: &holdOp{env: b.env, pipe: "union"}, more: func(next op) error {
		for _, sub := range b.step.Subs {
			rows, err := b.subRows(sub, "union")
			if err != nil {
				return err
			}
			if err := pushAll(next, rows); err != nil {
				return err
			}
		}
		return nil
	}}
	u.finish = func(rows []row.Row) []row.Row {
		slices.SortStableFunc(rows, func(x, y row.Row) int {
			a, okA := timeOf(&x)
			c, okC := timeOf(&y)
			if okA != okC {
				return cmp.Compare(boolToInt(okC), boolToInt(okA))
			}
			return cmp.Compare(c, a)
		})
		return rows
	}
	return u, b.in, nil
}

type unionOp struct {
	*holdOp
	more func(next op) error
}

func (o *unionOp) flush() error {
	if err := o.more(o.holdOp); err != nil {
		return err
	}
	return o.holdOp.flush()
}
