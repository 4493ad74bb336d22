// Package plan owns queries as one typed tree: filters read, columns followed from pipe to pipe, what
// cannot work refused before any data is read, what a source must be asked for, and how all that is
// explained. It reads no rows and talks to no source.
package plan

import (
	"slices"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// Options are what a query is compiled against.
type Options struct {
	// TimeField is the source's time field; @timestamp when empty.
	TimeField string
	// Now is when the search began: relative times count from it.
	Now time.Time
	// Earliest and Latest bound the documents read, half open; zero is unbounded.
	Earliest, Latest time.Time
	// Lookups are the columns of the lookup tables there are.
	Lookups map[string][]string
	// Window, when set, is the window of an aggregation that has none of its own, as in a rule.
	Window time.Duration
}

// Query is a compiled query. It is read-only and may run many times at once.
type Query struct {
	Text     string
	Tree     *pipe.Query
	Source   Source
	Filter   *Filter
	Steps    []*Step
	Columns  Columns // what comes out
	Warnings []string
	options  Options
	history  time.Duration
}

// Source is what is read.
type Source struct {
	From             []string // nil: the source's own indices
	TimeField        string
	Earliest, Latest time.Time
}

// Filter is a tree of Kibana's query language in which subsearches stand.
type Filter struct {
	// Tree has a placeholder for each subsearch.
	Tree kql.Node
	Subs []*Query
	// places are the offsets of the placeholders in the text that was parsed.
	places []int
}

// Step is one pipe with what it needs to run.
type Step struct {
	Pipe pipe.Pipe
	// Filter is that of search.
	Filter *Filter
	// Conditions are the filters in the options of a pipe, in the order it has them.
	Conditions []*Filter
	// Subs are the subsearches of join, append and union.
	Subs []*Query
	// Judged is what a detection command judges; nil for the other pipes.
	Judged *Judged
	// In and Out are the columns before and after the pipe.
	In, Out Columns
}

// Raw reports whether the answer is the documents as they were read.
func (q *Query) Raw() bool { return len(q.Steps) == 0 }

// TimeField is the name of the source's time field.
func (q *Query) TimeField() string { return q.Source.TimeField }

// Now is when the search began.
func (q *Query) Now() time.Time { return q.options.Now }

// Columns is what is known of the columns at a place in a query.
type Columns struct {
	// Names are the columns known to be there, in order.
	Names []string
	// Open says that there may be others: the fields of documents.
	Open bool
	// First says that Names stand before the others, which came later.
	First bool
}

// Has reports whether the column is known to be there.
func (c Columns) Has(name string) bool { return slices.Contains(c.Names, name) }

// Resolve is the column a name in the query means: _time stands for the time field where there is no
// column of that name.
func (c Columns) Resolve(name, timeField string) string {
	if name == "_time" && !c.Has("_time") {
		return timeField
	}
	return name
}

// Time is the column that holds the time of rows, "" when there is none.
func (c Columns) Time(timeField string) string {
	switch {
	case c.Has(timeField):
		return timeField
	case c.Has("_time"):
		return "_time"
	case c.Open:
		return timeField
	}
	return ""
}

func (c Columns) with(names ...string) Columns {
	out := Columns{Names: slices.Clone(c.Names), Open: c.Open, First: c.First}
	for _, n := range names {
		if !slices.Contains(out.Names, n) {
			out.Names = append(out.Names, n)
		}
	}
	return out
}

// New compiles a query. Its error is a pipe.Errors with all that was found, or a *kql.SyntaxError
// when a filter is not KQL.
func New(text string, o Options) (*Query, error) {
	tree, err := pipe.Parse(text)
	if err != nil {
		return nil, err
	}
	if o.TimeField == "" {
		o.TimeField = "@timestamp"
	}
	c := &compiler{text: text, options: o}
	q := c.query(tree, nil)
	if c.syntax != nil {
		return nil, c.syntax
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return q, nil
}
