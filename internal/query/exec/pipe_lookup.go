package exec

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

func (e *env) table(name string) (*Table, error) {
	t := e.options.Lookups[name]
	if t == nil {
		return nil, fmt.Errorf("there is no lookup %q", name)
	}
	return t, nil
}

// lookupIndex finds the rows of a table by the texts of its key columns.
type lookupIndex struct {
	exact    map[string][]int
	patterns []lookupPattern // in the table's order, for wildcard and cidr
}

type lookupPattern struct {
	keys     []pipe.Field
	networks []netip.Prefix // by key; invalid where the key is no network
	row      int
}

// newLookupIndex indexes a table. With cidr a column is a network if every value of it is one.
func newLookupIndex(t *Table, keys []int, match string, fold func(string) string) *lookupIndex {
	x := &lookupIndex{exact: map[string][]int{}}
rows:
	for i, r := range t.Rows {
		p := lookupPattern{row: i}
		var key strings.Builder
		for _, k := range keys {
			if r[k].IsNull() {
				continue rows
			}
			text := fold(r[k].Text())
			fmt.Fprintf(&key, "%d:%s", len(text), text)
			p.keys = append(p.keys, pipe.Field{Name: text, Wild: match == "wildcard" && strings.Contains(text, "*")})
			network := netip.Prefix{}
			if match == "cidr" {
				if n, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
					network = n.Masked()
				}
			}
			p.networks = append(p.networks, network)
		}
		if match == "exact" {
			x.exact[key.String()] = append(x.exact[key.String()], i)
		} else {
			x.patterns = append(x.patterns, p)
		}
	}
	return x
}

// find gives the rows that fit the texts. Of networks, only those with the longest prefix.
func (x *lookupIndex) find(texts []string) []int {
	if x.patterns == nil {
		var key strings.Builder
		for _, t := range texts {
			fmt.Fprintf(&key, "%d:%s", len(t), t)
		}
		return x.exact[key.String()]
	}
	var out []int
	longest := -1
	for _, p := range x.patterns {
		length, ok := p.fits(texts)
		switch {
		case !ok || length < longest:
		case length > longest && longest >= 0:
			out, longest = []int{p.row}, length
		default:
			out, longest = append(out, p.row), length
		}
	}
	return out
}

func (p *lookupPattern) fits(texts []string) (length int, ok bool) {
	for i, t := range texts {
		if n := p.networks[i]; n.IsValid() {
			ip, err := netip.ParseAddr(strings.TrimSpace(t))
			if err != nil || !n.Contains(ip.Unmap().WithZone("")) {
				return 0, false
			}
			length += n.Bits()
			continue
		}
		if _, ok := p.keys[i].Match(t); !ok {
			return 0, false
		}
	}
	return length, true
}

func (b *builder) lookup(p *pipe.Lookup) (op, *row.Schema, error) {
	t, err := b.env.table(p.Table)
	if err != nil {
		return nil, nil, err
	}
	fold := func(s string) string { return s }
	if p.IgnoreCase {
		fold = strings.ToLower
	}
	var keys, from []int
	for _, k := range p.Keys {
		keys = append(keys, slices.Index(t.Columns, k.Column))
		from = append(from, b.slot(k.Field.Name))
	}
	output := p.Output
	if output == nil {
		for i, n := range t.Columns {
			if !slices.Contains(keys, i) {
				output = append(output, pipe.Mapping{Column: n, Field: pipe.Field{Name: n}})
			}
		}
	}
	var columns, to []int
	for _, m := range output {
		columns = append(columns, slices.Index(t.Columns, m.Column))
		to = append(to, b.slot(m.Field.Name))
	}
	index := newLookupIndex(t, keys, p.Match, fold)
	texts := make([]string, len(from))
	return &changeOp{change: func(r *row.Row) {
		var found []int
		eachTexts(r, from, fold, texts, 0, func() bool {
			found = index.find(texts)
			return len(found) == 0
		})
		if len(found) == 0 {
			return
		}
		for i, slot := range to {
			if p.New && !r.Get(slot).IsNull() {
				continue
			}
			r.Set(slot, lookedUp(t, found, columns[i]))
		}
	}}, b.in, nil
}

// lookedUp is the value of a column in the rows found; different values are a list.
func lookedUp(t *Table, found []int, column int) row.Value {
	var out []row.Value
	for _, i := range found {
		v := t.Rows[i][column]
		if !v.IsNull() && !slices.ContainsFunc(out, v.Equal) {
			out = append(out, v)
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return row.NewList(out)
}

// eachTexts calls f with texts filled by every combination of the values in the slots, until f says
// false. A row that lacks one of them has no combination.
func eachTexts(r *row.Row, slots []int, fold func(string) string, texts []string, i int, f func() bool) bool {
	if i == len(slots) {
		return f()
	}
	v := r.Get(slots[i])
	for k := range v.Len() {
		texts[i] = fold(v.At(k).Text())
		if !eachTexts(r, slots, fold, texts, i+1, f) {
			return false
		}
	}
	return true
}

// tableRows hands on the rows of a lookup table for which keep is true.
func (e *env) tableRows(t *Table, schema *row.Schema, keep func(*row.Row) bool, next op) error {
	slots := make([]int, len(t.Columns))
	for i, n := range t.Columns {
		slots[i] = schema.Slot(n)
	}
	var r row.Row
	for _, vals := range t.Rows {
		r.Vals, r.Doc = r.Vals[:0], nil
		for range schema.Len() {
			r.Vals = append(r.Vals, row.Value{})
		}
		for i, v := range vals {
			r.Vals[slots[i]] = v
		}
		if keep != nil && !keep(&r) {
			continue
		}
		if err := next.push(&r); err != nil {
			return err
		}
	}
	return nil
}

// inputLookup appends the rows of a table; without append it begins a query and is run by generate.
func (b *builder) inputLookup(p *pipe.InputLookup) (op, *row.Schema, error) {
	t, err := b.env.table(p.Table)
	if err != nil {
		return nil, nil, err
	}
	return &appendOp{more: func(next op) error { return b.env.tableRows(t, b.in, b.tableCondition(p), next) }}, b.in, nil
}

func (b *builder) tableCondition(p *pipe.InputLookup) func(*row.Row) bool {
	if p.Where == nil {
		return nil
	}
	return b.condition(p.Where)
}

// generates reports whether a query reads a lookup table instead of its source.
func generates(q *plan.Query) bool {
	if len(q.Steps) == 0 {
		return false
	}
	l, ok := q.Steps[0].Pipe.(*pipe.InputLookup)
	return ok && !l.Append
}

// generate runs a query that begins with inputlookup.
func (e *env) generate(q *plan.Query, last output) error {
	p := q.Steps[0].Pipe.(*pipe.InputLookup)
	t, err := e.table(p.Table)
	if err != nil {
		return err
	}
	schema := row.NewSchema(t.Columns...)
	c := &chain{env: e, query: q}
	if err := c.steps(q.Steps[1:], schema); err != nil {
		return err
	}
	b := &builder{env: e, query: q, in: schema, step: &plan.Step{In: plan.Columns{Names: t.Columns}}}
	return e.feed(c, last, schema, func(first op) error {
		return e.tableRows(t, schema, b.tableCondition(p), first)
	})
}

// appendOp lets rows pass and adds more after the last.
type appendOp struct {
	link
	more    func(next op) error
	stopped bool
}

func (o *appendOp) push(r *row.Row) error {
	err := o.next.push(r)
	o.stopped = o.stopped || errors.Is(err, ErrStop)
	return err
}

func (o *appendOp) flush() error {
	if !o.stopped {
		if err := o.more(o.next); err != nil && !errors.Is(err, ErrStop) {
			return err
		}
	}
	return o.next.flush()
}
