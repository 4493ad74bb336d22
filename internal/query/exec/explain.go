package exec

import (
	"context"
	"fmt"
	"strings"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/plan"
)

// Explain tells what the backend does and what is done on rows. Subsearches are not run; what they
// find stands as everything.
func Explain(ctx context.Context, q *plan.Query, b Backend) (string, error) {
	var out strings.Builder
	err := explain(ctx, &out, q, b, "")
	return out.String(), err
}

func explain(ctx context.Context, out *strings.Builder, q *plan.Query, b Backend, indent string) error {
	line := func(format string, args ...any) { fmt.Fprintf(out, indent+format+"\n", args...) }
	if generates(q) {
		line("rows of the lookup table: %s", q.Steps[0].Pipe)
		return explainSteps(ctx, out, q, b, q.Steps[1:], indent)
	}
	var nodes []kql.Node
	filters := []*plan.Filter{q.Filter}
	for _, s := range q.Steps[:q.Leading()] {
		filters = append(filters, s.Filter)
	}
	for _, f := range filters {
		for i, sub := range f.Subs {
			line("subsearch %d in the filter, run first:", i+1)
			if err := explain(ctx, out, sub, b, indent+"  "); err != nil {
				return err
			}
		}
		if !plan.MatchesAll(f) {
			nodes = append(nodes, f.Resolve(func(int) kql.Node { return kql.MatchAll() }))
		}
	}
	var tree kql.Node
	if len(nodes) > 0 {
		tree = kql.NewAnd(nodes...)
	}
	read, covered := q.Read(tree)
	read.Judge = judge(q)
	pushed, err := b.Plan(ctx, read)
	if err != nil {
		return err
	}
	if err := explainCandidates(ctx, q, read, b, line); err != nil {
		return err
	}
	line("source%s:", from(read.From))
	if !read.Earliest.IsZero() || !read.Latest.IsZero() {
		line("  time %s from %s to %s (%s)", read.TimeField, moment(read.Earliest), moment(read.Latest), where(pushed.Filter))
	}
	if tree != nil {
		line("  filter %s (%s)", kql.Print(tree), where(pushed.Filter))
	}
	if read.Fields == nil {
		line("  fields all")
	} else {
		line("  fields %s", strings.Join(read.Fields, ", "))
	}
	steps := q.Steps[q.Leading():]
	if pushed.Aggregate || pushed.Top && read.Top != nil && len(read.Top.Keys) > 0 {
		for _, s := range steps[:covered] {
			line("  | %s (source)", s.Pipe)
		}
		steps = steps[covered:]
	}
	for _, r := range pushed.Requests {
		line("  request %s", r)
	}
	for _, r := range pushed.Inexact {
		line("  not exact: %s", r)
	}
	return explainSteps(ctx, out, q, b, steps, indent)
}

// explainCandidates tells how the keys are found whose events alone are read for sliding windows.
func explainCandidates(ctx context.Context, q *plan.Query, read plan.Read, b Backend, line func(string, ...any)) error {
	c := q.Candidates()
	if c == nil {
		return nil
	}
	read.Aggregate, read.Fields = &c.Aggregate, nil
	pushed, err := b.Plan(ctx, read)
	if err != nil || !pushed.Aggregate || len(pushed.Inexact) > 0 {
		return err
	}
	line("first the keys that may have %s, if they are not too many only their events are read:", c.Text)
	for _, r := range pushed.Requests {
		line("  request %s", r)
	}
	return nil
}

func explainSteps(ctx context.Context, out *strings.Builder, q *plan.Query, b Backend, steps []*plan.Step, indent string) error {
	if len(steps) > 0 {
		fmt.Fprintf(out, "%son rows:\n", indent)
	}
	for _, s := range steps {
		fmt.Fprintf(out, "%s  | %s\n", indent, s.Pipe)
		for _, sub := range s.Subs {
			fmt.Fprintf(out, "%s    subsearch:\n", indent)
			if err := explain(ctx, out, sub, b, indent+"      "); err != nil {
				return err
			}
		}
	}
	if q.Columns.Open {
		fmt.Fprintf(out, "%scolumns: those of the documents", indent)
		if len(q.Columns.Names) > 0 {
			fmt.Fprintf(out, ", %s", strings.Join(q.Columns.Names, ", "))
		}
		fmt.Fprintln(out)
		return nil
	}
	fmt.Fprintf(out, "%scolumns: %s\n", indent, strings.Join(q.Columns.Names, ", "))
	return nil
}

func from(names []string) string {
	if names == nil {
		return ""
	}
	return " " + strings.Join(names, ",")
}

func where(pushed bool) string {
	if pushed {
		return "source"
	}
	return "on rows"
}

func moment(t interface {
	IsZero() bool
	String() string
},
) string {
	if t.IsZero() {
		return "any time"
	}
	return t.String()
}
