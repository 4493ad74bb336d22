package query

import (
	"errors"
	"slices"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
)

// Mistakes are all that Compile would refuse in a query, in the order of the text, as warnings are told: each
// with its place and what to write instead. Without any, the query compiles.
func Mistakes(text string, o Options) []Warning {
	lookups := map[string][]string{}
	for name, t := range o.Lookups {
		lookups[name] = t.Columns
	}
	_, err := plan.New(text, plan.Options{TimeField: o.TimeField, Now: o.Now, Earliest: o.Earliest, Latest: o.Latest, Lookups: lookups, Window: o.Window})
	if err == nil {
		return nil
	}
	var mistakes pipe.Errors
	if errors.As(err, &mistakes) && len(mistakes) > 0 {
		var out []Warning
		for _, m := range mistakes {
			start := min(max(m.At.Pos, 0), len(text))
			out = append(out, Warning{Text: text, Start: start, End: min(max(m.At.End, start), len(text)), Message: m.Msg, Hint: m.Try})
		}
		return out
	}
	var one *Error
	if errors.As(compileError(text, err), &one) {
		return []Warning{{Text: one.Text, Start: one.Start, End: one.End, Message: one.Message}}
	}
	return []Warning{{Text: text, Message: err.Error()}}
}

// Columns are the columns of the search's rows; closed says that there are no others, as there are where
// fields of documents may be among them.
func (q *Query) Columns() (names []string, closed bool) {
	return slices.Clone(q.plan.Columns.Names), !q.plan.Columns.Open
}
