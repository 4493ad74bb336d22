package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Kind is how the rows of a rule's search are judged.
type Kind string

// The kinds of searches.
const (
	// RowWise: each document is judged alone, and makes rows alone.
	RowWise Kind = "row-wise"
	// Windowed: one pipe looks at the events of a key in a window, for each event time.
	Windowed Kind = "windowed"
	// RangeWise: all else. What comes out depends on all that is read at once.
	RangeWise Kind = "range-wise"
)

// Kind tells how the rows of the search are judged.
func (q *Query) Kind() Kind {
	if len(q.plan.Filter.Subs) > 0 {
		return RangeWise
	}
	kind := RowWise
	for _, s := range q.plan.Steps {
		if len(s.Subs) > 0 || s.Filter != nil && len(s.Filter.Subs) > 0 {
			return RangeWise
		}
		switch p := s.Pipe.(type) {
		case *pipe.Stats:
			if p.Over.IsZero() || kind != RowWise {
				return RangeWise
			}
			kind = Windowed
		case *pipe.NewTerms, *pipe.Changed, *pipe.Missing, *pipe.Spike, *pipe.Sequence:
			if kind != RowWise {
				return RangeWise
			}
			kind = Windowed
		case *pipe.MvExpand:
			if kind != RowWise {
				return RangeWise
			}
		default:
			if !plan.RowWise(p) {
				return RangeWise
			}
		}
	}
	return kind
}

// Sliding is an aggregation over windows that slide along the events of each key.
type Sliding struct {
	// Length is how long a window is; one ends at each event.
	Length time.Duration
	// By are the columns that name a key, Aggregates those of what is computed of a window.
	By, Aggregates []string
}

// Sliding is the search's aggregation over windows; ok is false where it has none.
func (q *Query) Sliding() (w Sliding, ok bool) {
	for _, s := range q.plan.Steps {
		p, is := s.Pipe.(*pipe.Stats)
		if !is || p.Over.IsZero() {
			continue
		}
		w.Length, ok = p.Over.Fixed()
		for _, b := range p.By {
			w.By = append(w.By, b.Column())
		}
		for _, a := range p.Aggs {
			w.Aggregates = append(w.Aggregates, a.Column())
		}
		return w, ok
	}
	return w, false
}

// Fills reports whether an aggregate of the search is 0 where there is no event, and not nothing.
func (q *Query) Fills(column string) bool {
	for _, s := range q.plan.Steps {
		p, is := s.Pipe.(*pipe.Stats)
		if !is {
			continue
		}
		for _, a := range p.Aggs {
			if a.Column() == column {
				return a.Func == "count" || a.Func == "dc" || a.Func == "sum"
			}
		}
	}
	return false
}

// Command is a detection command.
type Command struct {
	// Name is that of the pipe: newterms, missing, spike, changed or sequence.
	Name string
	// By are the columns that name a key; nil where each document speaks for itself.
	By []string
	// Length is the time it looks at: what newterms and missing look over, the bucket of spike, the most that a
	// sequence lasts.
	Length time.Duration
	// History is how long after its time an event can change what is said.
	History time.Duration
	// Waits says of a sequence that it is whole only Length after it began, when what must not come has not.
	Waits bool
	// Terms are the fields whose values newterms and changed look at.
	Terms []string
	// Steps are those of a sequence.
	Steps []CommandStep
	// Factor and Min are those of a spike: it has more than Factor times the usual, and Min events at least.
	Factor float64
	Min    int
}

// CommandStep is one step of a sequence: so many events that its filter finds, or with Not none of them.
type CommandStep struct {
	Filter string
	Not    bool
	Runs   int
}

// Command is the search's detection command; ok is false where it has none.
func (q *Query) Command() (c Command, ok bool) {
	for _, s := range q.plan.Steps {
		if s.Judged == nil {
			continue
		}
		c.Name, c.History = s.Pipe.Name(), s.Judged.History
		var by []pipe.Field
		switch p := s.Pipe.(type) {
		case *pipe.NewTerms:
			c.Length, _ = p.Over.Fixed()
			c.Terms = names(p.Fields)
		case *pipe.Changed:
			c.Terms = names(p.Fields)
		case *pipe.Missing:
			c.Length, _ = p.Over.Fixed()
			by = p.By
		case *pipe.Spike:
			c.Length, by = s.Judged.Buckets.Length, p.By
			c.Factor, _ = strconv.ParseFloat(p.Factor, 64) // the parser took it for a number
			c.Min = p.Min
		case *pipe.Sequence:
			c.Length, _ = p.MaxSpan.Fixed()
			c.Waits = p.Steps[len(p.Steps)-1].Not
			for _, step := range p.Steps {
				c.Steps = append(c.Steps, CommandStep{Filter: step.Filter.String(), Not: step.Not, Runs: step.Runs})
			}
			by = p.By
		}
		for _, f := range by {
			c.By = append(c.By, f.Name)
		}
		return c, true
	}
	return c, false
}

// Pipes are the pipes of the search, each as text in its canonical form.
func (q *Query) Pipes() []string {
	var out []string
	for _, p := range q.plan.Tree.Pipes {
		out = append(out, p.String())
	}
	return out
}

// Events is the search for the documents that the search looks at, without what it makes of them: its sources,
// its filter, and the searches right after it.
func (q *Query) Events() string {
	tree := *q.plan.Tree
	tree.Pipes = tree.Pipes[:q.plan.Leading()]
	return strings.TrimSpace(tree.String())
}

// From are the index patterns that the search names itself; nil when it reads those of its source.
func (q *Query) From() []string { return q.plan.Source.From }

// EventsOf is Events without the names of indices: the same search for documents at hand.
func (q *Query) EventsOf() string {
	tree := *q.plan.Tree
	tree.Pipes, tree.From = tree.Pipes[:q.plan.Leading()], nil
	return strings.TrimSpace(tree.String())
}

// By are the columns by which the last aggregation or detection command of the search groups; nil where it has
// none.
func (q *Query) By() (by []string) {
	for _, s := range q.plan.Steps {
		switch p := s.Pipe.(type) {
		case *pipe.Stats:
			by = nil
			for _, b := range p.By {
				by = append(by, b.Column())
			}
		case *pipe.Top:
			by = nil
			for _, f := range append(p.By[:len(p.By):len(p.By)], p.Fields...) {
				by = append(by, f.Name)
			}
		case *pipe.NewTerms:
			by = names(p.Fields)
		case *pipe.Changed:
			by = names(p.By)
		case *pipe.Missing:
			by = names(p.By)
		case *pipe.Spike:
			by = names(p.By)
		case *pipe.Sequence:
			by = names(p.By)
		}
	}
	return by
}

// Row is one row of an answer.
type Row = row.Row

// TimeOf is the first time that a field of a document holds, in nanoseconds since 1970, read as a time field is;
// ok is false where it holds none.
func TimeOf(document, field string) (ns int64, ok bool, err error) {
	extract := row.NewExtractor(row.NewSchema(field), []string{field})
	extract.TimeFields(field)
	vals, err := extract.Extract(document, nil)
	if err != nil || len(vals) == 0 {
		return 0, false, err
	}
	for i := range vals[0].Len() {
		if ns, ok := vals[0].At(i).AsTime(); ok {
			return ns, true, nil
		}
	}
	return 0, false, nil
}

// Untold is the pipe that takes away, or changes, the columns in which a windowed search tells when what it found
// was: a rule needs them. ok is false where they stay.
func (q *Query) Untold() (w Warning, ok bool) {
	if q.Kind() != Windowed {
		return w, false
	}
	var times []string
	found, told := "", false
	for _, s := range q.plan.Steps {
		if times == nil {
			switch p := s.Pipe.(type) {
			case *pipe.Stats:
				times, found = []string{"first", "last"}, "stats"
			case *pipe.Spike, *pipe.Sequence:
				times, found = []string{"first", "last"}, p.Name()
			case *pipe.Missing:
				times, found = []string{"last"}, p.Name()
			case *pipe.NewTerms, *pipe.Changed:
				return w, false
			}
		}
		if !told { // an aggregation has them after its last judge
			told = times != nil && !slices.ContainsFunc(times, func(name string) bool { return !s.Out.Has(name) })
			continue
		}
		at := s.Pipe.Span()
		w = Warning{Text: q.text, Start: min(at.Pos, len(q.text)), End: min(at.End, len(q.text))}
		for _, name := range times {
			if sets(s.Pipe, name) {
				w.Message = fmt.Sprintf("%s changes the column %s, in which %s tells when what it found was: give the new column another name", s.Pipe.Name(), name, found)
				return w, true
			}
			if !s.Out.Open && !s.Out.Has(name) {
				w.Message = fmt.Sprintf("%s drops the column %s, in which %s tells when what it found was: keep it", s.Pipe.Name(), name, found)
				return w, true
			}
		}
	}
	return Warning{}, false
}

// sets reports whether a pipe gives a column a value of its own.
func sets(p pipe.Pipe, column string) bool {
	e, ok := p.(*pipe.Eval)
	return ok && slices.ContainsFunc(e.Sets, func(s pipe.Set) bool { return s.Field.Name == column })
}
