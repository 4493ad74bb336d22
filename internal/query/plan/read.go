package plan

import (
	"slices"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// Read is what a backend is asked for: documents of From in [Earliest, Latest) that Filter matches,
// in the source's own order (newest first, ties by id; files: as they stand). Then, where the
// backend can do it exactly, their aggregation, or only the first of them by an order.
type Read struct {
	From             []string // nil: the source's own indices
	TimeField        string
	Earliest, Latest time.Time
	Filter           kql.Node // nil: everything; subsearches are already inlined
	// Fields are the fields wanted, nil for all. Their values go into slots of these names.
	Fields []string
	// Documents asks for the JSON of each document, and for its index and id.
	Documents bool
	// Aggregate, when set, may be done by the backend instead of handing over rows.
	Aggregate *Aggregate
	// Judge makes a filter's test of rows with the filter's fields in slots of a schema, and names these
	// (nil: all), for a backend that looks at some documents itself. It may be nil.
	Judge func(filter kql.Node, schema *row.Schema) (test func(*row.Row) bool, fields []string)
	// Top, when set, may be done by the backend: only these rows are needed, in this order.
	Top *Top
}

// Aggregate is a grouping of all rows of a Read. Names are those of fields; _time is resolved.
type Aggregate struct {
	By      []pipe.By
	Aggs    []pipe.Aggregate
	UseNull bool
	// Least is how many rows a group has that is wanted; those of fewer may come too.
	Least int64
}

// Top are the first Limit rows by Keys; rows equal in all keys keep the source's order. Nulls come last.
type Top struct {
	Keys  []pipe.SortKey
	Limit int
}

// Pushed is which parts of a Read the backend does itself, exactly as rows would be treated here;
// the rest is done on rows. A backend that aggregates must also filter.
type Pushed struct {
	Filter    bool // of the time bounds too
	Aggregate bool // rows are then groups: the keys' columns, then the aggregates' ones, in any order of groups
	Top       bool
	// Requests are what will be sent, for people to read.
	Requests []string
	// Inexact are reasons why the answer is approximate; none means exact.
	Inexact  []string
	Warnings []string
}

// Cost is what reading took.
type Cost struct {
	Rows     int64         `json:"rows"`     // documents or groups that were handed over
	Bytes    int64         `json:"bytes"`    // read or received
	Requests int64         `json:"requests"` // sent to a server
	Took     time.Duration `json:"took_ns"`
}

// Add adds another cost to c.
func (c *Cost) Add(d Cost) {
	c.Rows += d.Rows
	c.Bytes += d.Bytes
	c.Requests += d.Requests
	c.Took += d.Took
}

// Read is what the query needs from its source, and how many of its steps the read covers when the
// backend does all of it. filter is the query's filter and leading searches, resolved.
func (q *Query) Read(filter kql.Node) (read Read, covered int) {
	read = Read{From: q.Source.From, TimeField: q.Source.TimeField, Earliest: q.Source.Earliest, Latest: q.Source.Latest, Filter: filter}
	if filter != nil && keepsAll(filter) {
		read.Filter = nil
	}
	if !read.Earliest.IsZero() {
		read.Earliest = read.Earliest.Add(-q.history)
	}
	switch matching := q.matching(); {
	case matching == nil:
	case read.Filter == nil:
		read.Filter = matching
	default:
		read.Filter = kql.NewAnd(read.Filter, matching)
	}
	steps := q.Steps[q.Leading():]
	read.Fields = q.needs(steps)
	if len(steps) == 0 {
		return read, 0
	}
	switch p := steps[0].Pipe.(type) {
	case *pipe.Stats:
		if p.Over.IsZero() {
			read.Aggregate = q.aggregate(p.By, p.Aggs, p.UseNull, steps[0].In)
			return read, 1
		}
	case *pipe.Sort:
		limit := p.Limit
		covered = 1
		if limit == 0 && len(steps) > 1 {
			if h, ok := steps[1].Pipe.(*pipe.Head); ok && h.N > 0 {
				limit = h.N + h.From
			}
		}
		if limit > 0 {
			read.Top = &Top{Keys: q.keys(p.Keys, steps[0].In), Limit: limit}
			return read, covered
		}
	case *pipe.Head:
		if n := p.N + p.From; n > 0 {
			read.Top = &Top{Limit: n}
			return read, 0
		}
	}
	return read, 0
}

// Leading is how many searches stand right after the filter: they are part of it.
func (q *Query) Leading() int {
	n := 0
	for n < len(q.Steps) && q.Steps[n].Filter != nil {
		n++
	}
	return n
}

func (q *Query) keys(keys []pipe.SortKey, in Columns) []pipe.SortKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Field.Name = in.Resolve(out[i].Field.Name, q.TimeField())
	}
	return out
}

func (q *Query) aggregate(by []pipe.By, aggs []pipe.Aggregate, useNull bool, in Columns) *Aggregate {
	a := &Aggregate{By: slices.Clone(by), Aggs: slices.Clone(aggs), UseNull: useNull}
	for i := range a.By {
		a.By[i].As = a.By[i].Column()
		a.By[i].Field.Name = in.Resolve(a.By[i].Field.Name, q.TimeField())
	}
	for i := range a.Aggs {
		a.Aggs[i].As = a.Aggs[i].Column()
		if f := a.Aggs[i].Field; f != nil {
			resolved := *f
			resolved.Name = in.Resolve(f.Name, q.TimeField())
			a.Aggs[i].Field = &resolved
		}
	}
	return a
}
