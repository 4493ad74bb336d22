package plan

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// Candidates is a grouping that a source can do before the events of sliding windows are read: a key
// can only have a window that passes the judges when all of its rows together pass too, for what is
// judged never shrinks as rows are added.
type Candidates struct {
	// Aggregate groups by the keys of the windows. Its columns are those of the keys, then Value, Rows
	// and, for a sum, Least.
	Aggregate Aggregate
	// Length is the window's, in nanoseconds.
	Length int64
	// Floor is what the value of a window must exceed, or with Equal at least reach.
	Floor float64
	Equal bool
	// Text is the condition as people read it.
	Text string
}

// Busy asks when the values of a key have many rows: in which of the bins that time is cut into, from
// the epoch on, there are at least Least.
type Busy struct {
	Key   pipe.By
	Bin   time.Duration // whole milliseconds
	Least int64
}

// Busy is what must hold somewhere in a window that passes, nil where that tells nothing. A window
// touches two bins of its own length at most, so one of them has half of its rows.
func (c *Candidates) Busy() *Busy {
	a := c.Aggregate.Aggs[0]
	most := math.Floor(c.Floor) // what is just not enough
	if c.Equal {
		most = math.Ceil(c.Floor) - 1
	}
	if a.Func != "count" || a.Field != nil || most < 2 || most > 1<<53 || c.Length%int64(time.Millisecond) != 0 {
		return nil
	}
	return &Busy{Key: c.Aggregate.By[0], Bin: time.Duration(c.Length), Least: (int64(most) + 2) / 2}
}

// Aggregate is the count of rows by the key alone.
func (b Busy) Aggregate() *Aggregate {
	return &Aggregate{By: []pipe.By{b.Key}, Aggs: []pipe.Aggregate{{Func: "count", Written: "count"}}}
}

// The columns of Candidates beside the keys'.
const (
	CandidateValue = "_candidate_value"
	CandidateRows  = "_candidate_rows"
	CandidateLeast = "_candidate_least" // the least value summed: a sum of negative ones does shrink
)

// Passes reports whether a window may pass that has, with other windows, this value.
func (c *Candidates) Passes(value float64) bool {
	return value > c.Floor || c.Equal && value == c.Floor
}

// Candidates is the grouping for the windows that the query begins with, nil when there is none: the
// first judge must compare an aggregate that never shrinks with a number.
func (q *Query) Candidates() *Candidates {
	steps := q.Steps[q.Leading():]
	if len(steps) < 2 {
		return nil
	}
	p, ok := steps[0].Pipe.(*pipe.Stats)
	if !ok || p.Over.IsZero() || p.UseNull || len(p.By) == 0 {
		return nil
	}
	length, ok := p.Over.Fixed()
	if !ok {
		return nil
	}
	for _, b := range p.By {
		if !b.Size.IsZero() {
			return nil
		}
	}
	for i := range p.Aggs {
		judged := p.Aggs[i]
		if !grows(judged) || judged.Field == nil && judged.Func != "count" {
			continue
		}
		c := &Candidates{Length: int64(length)}
		if !c.judge(steps[1], judged.Column()) || c.Floor < 1 {
			continue
		}
		c.Text = judged.Column() + map[bool]string{false: " > ", true: " >= "}[c.Equal] + strconv.FormatFloat(c.Floor, 'f', -1, 64)
		aggs := []pipe.Aggregate{judged, {Func: "count", Written: "count"}}
		aggs[0].As, aggs[1].As = CandidateValue, CandidateRows
		if judged.Func == "sum" {
			least := judged
			least.Func, least.Written, least.As = "min", "min", CandidateLeast
			aggs = append(aggs, least)
		}
		c.Aggregate = *q.aggregate(p.By, aggs, false, steps[0].In)
		return c
	}
	return nil
}

// grows reports whether an aggregate never shrinks as rows are added, a sum when nothing is negative.
func grows(a pipe.Aggregate) bool {
	if a.Expr != nil {
		return false
	}
	switch a.Func {
	case "count", "sum", "dc", "max":
		return true
	}
	return false
}

// judge finds the bound that a step sets for a column, and reports whether there is one.
func (c *Candidates) judge(s *Step, column string) bool {
	switch p := s.Pipe.(type) {
	case *pipe.Search:
		return len(s.Filter.Subs) == 0 && c.node(s.Filter.Tree, column)
	case *pipe.Where:
		return c.expr(p.Expr, column)
	}
	return false
}

func (c *Candidates) node(n kql.Node, column string) bool {
	switch n := n.(type) {
	case *kql.And:
		for _, part := range n.Nodes {
			if c.node(part, column) {
				return true
			}
		}
	case *kql.Range:
		field, named := n.Field.(*kql.Literal)
		value, plain := n.Value.(*kql.Literal)
		if !named || !plain || value.Quoted || field.Text != column {
			return false
		}
		return c.bound(n.Op.Symbol(), value.Text)
	}
	return false
}

func (c *Candidates) expr(e pipe.Expr, column string) bool {
	b, ok := e.(*pipe.Binary)
	if !ok {
		return false
	}
	if strings.EqualFold(b.Op, "AND") {
		return c.expr(b.X, column) || c.expr(b.Y, column)
	}
	ref, named := b.X.(*pipe.Ref)
	value, plain := b.Y.(*pipe.Literal)
	return named && plain && ref.Name == column && value.Kind == pipe.NumberLiteral && c.bound(b.Op, value.Text)
}

func (c *Candidates) bound(op, text string) bool {
	floor, err := strconv.ParseFloat(text, 64)
	if err != nil || op != ">" && op != ">=" {
		return false
	}
	c.Floor, c.Equal = floor, op == ">="
	return true
}
