package exec

import (
	"regexp"
	"slices"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// mvExpandOp makes a row of each value of a field; a row without a value stays.
type mvExpandOp struct {
	link
	slot  int
	limit int
	row   row.Row
}

func (o *mvExpandOp) push(r *row.Row) error {
	v := r.Get(o.slot)
	if v.Kind() != row.List {
		return o.next.push(r)
	}
	values := v.Values()
	if o.limit > 0 && len(values) > o.limit {
		values = values[:o.limit]
	}
	// Later stages may change the row, so each value gets its own copy.
	original := slices.Clone(r.Vals)
	for _, e := range values {
		o.row.Vals = append(o.row.Vals[:0], original...)
		o.row.Doc = r.Doc
		o.row.Set(o.slot, e)
		if err := o.next.push(&o.row); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) makeMv(p *pipe.MakeMv) (op, *row.Schema, error) {
	slot := b.slot(p.Field.Name)
	split := func(s string) []string { return strings.Split(s, p.Delim) }
	if p.Tokenizer != "" {
		re, err := regexp.Compile(p.Tokenizer)
		if err != nil {
			return nil, nil, err
		}
		split = func(s string) []string {
			var out []string
			for _, m := range re.FindAllStringSubmatch(s, -1) {
				out = append(out, m[1])
			}
			return out
		}
	}
	return &changeOp{change: func(r *row.Row) {
		v := r.Get(slot)
		if v.IsNull() {
			return
		}
		var out []row.Value
		for _, e := range v.Values() {
			for _, part := range split(e.Text()) {
				if part != "" || p.AllowEmpty {
					out = append(out, row.NewString(part))
				}
			}
		}
		r.Set(slot, row.NewList(out))
	}}, b.in, nil
}
