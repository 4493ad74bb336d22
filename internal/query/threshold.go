package query

import (
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// Threshold is a number in the text of a search that an aggregate is compared with: the 10 of
// `| count by user.name | search count > 10`.
type Threshold struct {
	// Column is the aggregate's, Op one of > >= < <=.
	Column string
	Op     string
	Value  float64
	// Start and End are the place of the number in the text, in bytes.
	Start, End int
	// By are the columns of the groups.
	By []string
	// Window is that of the aggregation, 0 where it has none of its own.
	Window time.Duration

	stats int // which pipe aggregates
}

// Threshold is the first number that judges the last aggregation of the search; ok is false where there is none.
// Text is what the search was compiled from.
func (q *Query) Threshold(text string) (t Threshold, ok bool) {
	pipes := q.plan.Tree.Pipes
	var stats *pipe.Stats
	for i, p := range pipes {
		if s, is := p.(*pipe.Stats); is {
			stats, t.stats = s, i
		}
	}
	if stats == nil {
		return t, false
	}
	aggregates := map[string]bool{}
	for _, a := range stats.Aggs {
		aggregates[a.Column()] = true
	}
	for _, b := range stats.By {
		if b.Size.IsZero() {
			t.By = append(t.By, b.Column())
		}
	}
	if length, fixed := stats.Over.Fixed(); fixed && !stats.Over.IsZero() {
		t.Window = length
	}
	for _, p := range pipes[t.stats+1:] {
		switch p := p.(type) {
		case *pipe.Search:
			ok = t.inFilter(p.Filter, aggregates)
		case *pipe.Where:
			ok = t.inExpr(p.Expr, aggregates)
		case *pipe.Eval, *pipe.Rename:
			return t, false // columns may be others from here on
		}
		if !ok {
			continue
		}
		number, err := strconv.ParseFloat(text[t.Start:t.End], 64)
		t.Value = number
		return t, err == nil
	}
	return t, false
}

// inFilter looks for the comparison in a filter that every row must pass.
func (t *Threshold) inFilter(f pipe.Filter, aggregates map[string]bool) bool {
	if len(f.Subs) > 0 {
		return false
	}
	n, err := kql.Parse(f.String())
	if err != nil {
		return false // it was compiled, so it is right
	}
	nodes := []kql.Node{n}
	if all, is := n.(*kql.And); is {
		nodes = all.Nodes
	}
	for _, n := range nodes {
		r, is := n.(*kql.Range)
		if !is {
			continue
		}
		field, named := r.Field.(*kql.Literal)
		value, plain := r.Value.(*kql.Literal)
		if !named || !plain || value.Quoted || !aggregates[field.Name()] {
			continue
		}
		t.Column, t.Op = field.Name(), r.Op.Symbol()
		t.Start, t.End = f.At.Pos+value.Place.Start, f.At.Pos+value.Place.End
		return true
	}
	return false
}

// inExpr looks for the comparison in an expression that every row must fulfil.
func (t *Threshold) inExpr(e pipe.Expr, aggregates map[string]bool) bool {
	b, is := e.(*pipe.Binary)
	if !is {
		return false
	}
	switch b.Op {
	case "AND":
		return t.inExpr(b.X, aggregates) || t.inExpr(b.Y, aggregates)
	case ">", ">=", "<", "<=":
		ref, named := b.X.(*pipe.Ref)
		number, plain := b.Y.(*pipe.Literal)
		if !named || !plain || number.Kind != pipe.NumberLiteral || !aggregates[ref.Name] {
			return false
		}
		t.Column, t.Op, t.Start, t.End = ref.Name, b.Op, number.At.Pos, number.At.End
		return true
	}
	return false
}

// Above reports whether a value passes the threshold.
func (t Threshold) Above(value float64) bool {
	switch t.Op {
	case ">":
		return value > t.Value
	case ">=":
		return value >= t.Value
	case "<":
		return value < t.Value
	}
	return value <= t.Value
}

// Groups is the search for the aggregates that a threshold judges, over the whole range and without the
// judgement: those that go furthest in its direction first, at most n.
func (q *Query) Groups(t Threshold, n int) string {
	sign := "-"
	if strings.HasPrefix(t.Op, "<") {
		sign = ""
	}
	stats := *q.plan.Tree.Pipes[t.stats].(*pipe.Stats)
	stats.Over = pipe.Duration{}
	return q.upTo(t, &stats) + " | sort " + sign + pipe.Field{Name: t.Column}.String() + " | head " + strconv.Itoa(n)
}

// PerWindow is the search for the aggregates that a threshold judges, in windows of a length that follow each
// other, of the groups given: each the values of t.By, none for all. The columns are _time, those of By, and the
// aggregates'.
func (q *Query) PerWindow(t Threshold, window time.Duration, groups [][]string) string {
	stats := *q.plan.Tree.Pipes[t.stats].(*pipe.Stats)
	stats.Over = pipe.Duration{}
	by := []pipe.By{{Field: pipe.Field{Name: "_time"}, Size: pipe.Size{Duration: pipe.Duration{N: window.Milliseconds(), Unit: "ms"}}, As: windowColumn}}
	stats.By = append(by, stats.By...)
	tree := *q.plan.Tree
	tree.Pipes = append(tree.Pipes[:t.stats:t.stats], &stats)
	if len(groups) > 0 {
		var either []string
		for _, values := range groups {
			var all []string
			for i, value := range values {
				all = append(all, kql.Escape(t.By[i])+":"+kql.Quote(value))
			}
			either = append(either, "("+strings.Join(all, " and ")+")")
		}
		only := &pipe.Search{Filter: pipe.Filter{Texts: []string{strings.Join(either, " or ")}}}
		tree.Pipes = append(append(tree.Pipes[:t.stats:t.stats], only), &stats)
	}
	return tree.String()
}

// windowColumn is where PerWindow writes the start of a window.
const windowColumn = "_window"

// upTo is the search up to its aggregation, which is replaced.
func (q *Query) upTo(t Threshold, stats pipe.Pipe) string {
	tree := *q.plan.Tree
	tree.Pipes = append(tree.Pipes[:t.stats:t.stats], stats)
	return tree.String()
}
