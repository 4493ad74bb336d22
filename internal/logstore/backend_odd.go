package logstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"tocsin/internal/row"
)

// oddGroups aggregates the documents of odd rows, whose columns do not tell their values.
type oddGroups struct {
	g       *grouping
	o       *outlook
	hold    func(bytes int) error
	extract *row.Extractor
	judge   func(*row.Row) bool // nil: all are wanted
	keys    []int               // slots
	aggs    []int
	byKey   map[string]*oddGroup
	now     []row.Value
	buf     []byte
	at      int64
}

// oddGroup is a group by the values of its keys.
type oddGroup struct {
	*totals
	keys []row.Value
}

func newOddGroups(g *grouping, o *outlook, hold func(int) error) *oddGroups {
	x := &oddGroups{g: g, o: o, hold: hold, byKey: map[string]*oddGroup{}, now: make([]row.Value, len(g.keys))}
	a := o.read.Aggregate
	schema := row.NewSchema()
	fields := []string{}
	want := func(name string) {
		if name == "_time" {
			name = o.read.TimeField
		}
		if !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	for _, b := range a.By {
		want(b.Field.Name)
	}
	for _, f := range a.Aggs {
		if f.Field != nil {
			want(f.Field.Name)
		}
	}
	all := false
	if o.read.Filter != nil {
		var names []string
		x.judge, names = o.read.Judge(o.read.Filter, schema)
		all = names == nil
		for _, n := range names {
			want(n)
		}
	}
	if all {
		fields = nil
	}
	x.extract = row.NewExtractor(schema, fields)
	x.extract.TimeFields(o.read.TimeField)
	for _, b := range a.By {
		x.keys = append(x.keys, schema.Slot(b.Field.Name))
	}
	for _, f := range a.Aggs {
		slot := -1
		if f.Field != nil {
			slot = schema.Slot(f.Field.Name)
		}
		x.aggs = append(x.aggs, slot)
	}
	return x
}

// read aggregates what a LogsQL filter passes.
func (x *oddGroups) read(ctx context.Context, filter string, part span) error {
	var r row.Row
	return x.o.store.documents(ctx, filter, part, func(d Document) error {
		if !wanted(x.o.patterns, d.Index) {
			return nil
		}
		var err error
		if r.Vals, err = x.extract.Extract(string(d.Source), r.Vals); err != nil {
			return fmt.Errorf("read document %s of %s: %w", d.ID, d.Index, err)
		}
		if x.judge != nil && !x.judge(&r) {
			return nil
		}
		x.buf, x.at = x.buf[:0], d.Time.UnixNano()
		return x.level(&r, 0)
	})
}

// level adds a row to the groups of all its values of the i-th key and those after it, as exec does.
func (x *oddGroups) level(r *row.Row, i int) error {
	if i == len(x.keys) {
		return x.add(r)
	}
	length := len(x.buf)
	defer func() { x.buf = x.buf[:length] }()
	if k := &x.g.keys[i]; k.column == ofTime {
		at := x.at
		if k.width > 0 {
			at -= mod(at-k.offset, k.width)
		}
		x.now[i] = row.NewTimeNano(at)
		x.buf = x.now[i].AppendKey(x.buf)
		return x.level(r, i+1)
	}
	seen := map[string]bool{}
	for _, v := range r.Get(x.keys[i]).Values() {
		x.buf = v.AppendKey(x.buf[:length])
		if own := string(x.buf[length:]); !seen[own] {
			seen[own] = true
			x.now[i] = v
			if err := x.level(r, i+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *oddGroups) add(r *row.Row) error {
	group := x.byKey[string(x.buf)]
	held := 0
	if group == nil {
		group = &oddGroup{totals: &totals{aggs: make([]total, len(x.g.aggs))}}
		for _, v := range x.now {
			group.keys = append(group.keys, v.Own())
			held += v.Size()
		}
		x.byKey[string(x.buf)] = group
		held += 200 + len(x.buf) + 80*len(x.g.aggs)
	}
	group.count++
	for i, a := range x.g.aggs {
		if a.column == ofRows {
			continue
		}
		for _, v := range r.Get(x.aggs[i]).Values() {
			t := &group.aggs[i]
			switch a.function {
			case "count":
				t.n++
			case "dc":
				held += t.see(v, x.g.classOf(a.column, x.o))
			default:
				t.add(v.Int()) // the read relies on there being no other numbers
			}
		}
	}
	return x.hold(held)
}

// see counts a value, and answers how many bytes that holds.
func (t *total) see(v row.Value, class shape) int {
	if text, ok := textOf(v, class); ok {
		if _, ok := t.distinct[text]; ok {
			return 0
		}
		if t.distinct == nil {
			t.distinct = map[string]struct{}{}
		}
		t.distinct[string([]byte(text))] = struct{}{}
		return 64 + len(text)
	}
	key := string(v.AppendKey(nil))
	if _, ok := t.others[key]; ok {
		return 0
	}
	if t.others == nil {
		t.others = map[string]struct{}{}
	}
	t.others[key] = struct{}{}
	return 64 + len(key)
}

// classOf is the class of a column's values.
func (g *grouping) classOf(column int, o *outlook) shape {
	if column < 0 {
		return 0
	}
	k, _ := o.view.find(g.names[column])
	return k.class
}

// textOf is the text a column has for a value of its class.
func textOf(v row.Value, class shape) (string, bool) {
	switch {
	case class&anyText != 0:
		return v.Str(), v.Kind() == row.String && v.Str() != ""
	case class&anyNumber != 0:
		return v.Text(), v.Kind() == row.Int
	case class&isBool != 0:
		return v.Text(), v.Kind() == row.Bool
	}
	return "", false
}

// into adds the groups to those of columns where their keys are texts of these, and answers the others.
func (x *oddGroups) into(groups map[string]*totals) []*oddGroup {
	if x == nil {
		return nil
	}
	var out []*oddGroup
	for _, group := range x.byKey {
		key, ok := x.g.key(group.keys)
		switch into := groups[key]; {
		case !ok:
			out = append(out, group)
		case into == nil:
			groups[key] = group.totals
		default:
			into.merge(group.totals)
		}
	}
	return out
}

// key is the inverse of values.
func (g *grouping) key(values []row.Value) (string, bool) {
	var b []byte
	for i, k := range g.keys {
		if k.column == ofTime {
			b = binary.BigEndian.AppendUint64(b, uint64(values[i].Nanos()))
			continue
		}
		text, ok := textOf(values[i], k.kinds)
		switch {
		case !ok:
			return "", false
		case len(g.keys) == 1 && k.column >= 0:
			return text, true
		}
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return string(b), true
}

// merge adds another group to t.
func (t *totals) merge(u *totals) {
	t.count += u.count
	for i := range u.aggs {
		t.aggs[i].merge(&u.aggs[i])
	}
}
