package exec

import (
	"slices"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// listFunctions work on fields with several values; a single value is a list of one.
var listFunctions = map[string]plainFunction{
	"split": func(a []row.Value) row.Value {
		if a[0].IsNull() || a[1].IsNull() {
			return row.Value{}
		}
		var out []row.Value
		for i := range a[0].Len() {
			for _, part := range strings.Split(a[0].At(i).Text(), a[1].Text()) {
				out = append(out, row.NewString(part))
			}
		}
		return row.NewList(out)
	},
	"mvcount": func(a []row.Value) row.Value {
		if a[0].IsNull() {
			return row.Value{}
		}
		return row.NewInt(int64(a[0].Len()))
	},
	"mvindex": mvIndex,
	"mvjoin": func(a []row.Value) row.Value {
		if a[0].IsNull() || a[1].IsNull() {
			return row.Value{}
		}
		var parts []string
		for _, v := range a[0].Values() {
			parts = append(parts, v.Text())
		}
		return row.NewString(strings.Join(parts, a[1].Text()))
	},
	"mvappend": func(a []row.Value) row.Value {
		var out []row.Value
		for _, v := range a {
			out = append(out, v.Values()...)
		}
		return row.NewList(out)
	},
	"mvdedup": func(a []row.Value) row.Value {
		var out []row.Value
		seen := map[string]bool{}
		for _, v := range a[0].Values() {
			if k := string(v.AppendKey(nil)); !seen[k] {
				seen[k] = true
				out = append(out, v)
			}
		}
		return row.NewList(out)
	},
	"mvsort": func(a []row.Value) row.Value {
		out := slices.Clone(a[0].Values())
		slices.SortStableFunc(out, row.StrictOrder)
		return row.NewList(out)
	},
}

// mvIndex counts from 0, or from the end with negative numbers. One index gives one value.
func mvIndex(a []row.Value) row.Value {
	at := func(v row.Value) (int, bool) {
		n, ok := v.Number()
		if !ok {
			return 0, false
		}
		i := int(max(min(n.Float(), 1e12), -1e12))
		if i < 0 {
			i += a[0].Len()
		}
		return i, true
	}
	from, ok := at(a[1])
	if !ok {
		return row.Value{}
	}
	values := a[0].Values()
	if len(a) == 2 {
		if from < 0 || from >= len(values) {
			return row.Value{}
		}
		return values[from]
	}
	to, ok := at(a[2])
	if !ok || from < 0 || from > to || from >= len(values) {
		return row.Value{}
	}
	return row.NewList(slices.Clone(values[from:min(to+1, len(values))]))
}

// mvFindFunction gives the index of the first value that fits a regular expression.
func mvFindFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	x, pattern := c.compile(args[0]), c.pattern(args[1], asWritten)
	return func(r *row.Row) row.Value {
		v, re := x(r), pattern(r)
		if re == nil {
			return row.Value{}
		}
		for i := range v.Len() {
			if re.MatchString(v.At(i).Text()) {
				return row.NewInt(int64(i))
			}
		}
		return row.Value{}
	}
}

// mvFilterFunction keeps the values for which an expression on their one field is true.
func mvFilterFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	refs := pipe.Refs(args[0])
	if len(refs) != 1 {
		c.env.warn("mvfilter looks at one field with several values; its expression names none or more: the result is null")
		return func(*row.Row) row.Value { return row.Value{} }
	}
	slot := c.slot(refs[0])
	var element row.Value
	inner := *c
	inner.element = map[string]*row.Value{refs[0]: &element}
	f := inner.compile(args[0])
	return func(r *row.Row) row.Value {
		v := r.Get(slot)
		var out []row.Value
		for i := range v.Len() {
			element = v.At(i)
			if truth(f(r)) == yes {
				out = append(out, element)
			}
		}
		return row.NewList(out)
	}
}
