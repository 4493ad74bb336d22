// Package exec owns running compiled queries: it asks a backend for what the backend can do exactly
// and does the rest on rows as they stream by. It parses nothing, and knows a source only as a Backend.
package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Backend is a source of documents. Pushed down or not, the same rows must come out: a backend may
// take over a part of a read only where its answer is the one that exec would give.
type Backend interface {
	// Plan says which parts of a read the backend does itself. It must not read documents.
	Plan(ctx context.Context, r plan.Read) (plan.Pushed, error)
	// Rows reads. It calls emit with each row, its values in slots of schema, and may use the row's
	// memory again when emit returns; an error of emit ends the reading and is returned as it is.
	// With p.Aggregate the rows are groups: each key's and each aggregate's column by name. Anything
	// less than all rows is an error.
	Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error)
}

// Options are what a query runs with.
type Options struct {
	Backend Backend
	// Lookups are the tables that lookup and inputlookup read.
	Lookups map[string]*Table
	// MaxMemory bounds what pipes hold, in bytes; 1 GiB when 0.
	MaxMemory int64
	// GeoIP is the MaxMind database of iplocation; nil when there is none.
	GeoIP *GeoIP
	// NoPushDown makes the backend hand over plain documents only, for tests.
	NoPushDown bool
	// CandidateRows is how many events of the keys that may have a window which passes are read as they
	// are; of more, the times that matter are looked for first. 20,000 when 0.
	CandidateRows int
	// Profile measures each pipe, which costs time itself.
	Profile bool
	// Documents asks for the document of every row that still is one, not only where documents are the answer.
	Documents bool
	// Windows makes a row of every window that the judges after an aggregation over windows keep, instead of
	// one of each episode: first and last are then the times of the window's first and last event.
	Windows bool
}

// Table is a lookup table.
type Table struct {
	Columns []string
	Rows    [][]row.Value
}

// Outcome is what is known of an answer beside its rows.
type Outcome struct {
	Columns []row.Column
	// Raw says that rows are documents as read: Doc.JSON is the answer.
	Raw bool
	// Inexact are the reasons why the answer is approximate; none means it is exact.
	Inexact  []string
	Warnings []string
	Cost     plan.Cost
	Profile  []Timing
}

// Timing is what one pipe took: the rows it was given, and the time spent in it alone.
type Timing struct {
	Pipe string        `json:"pipe"`
	Rows int64         `json:"rows"`
	Took time.Duration `json:"took_ns"`
}

// Sink takes an answer. Columns is called once, before the first Row, unless the answer is raw. The
// values of a row stand in the order of the columns; the row is the sink's only until Row returns.
type Sink struct {
	Columns func(names []string) error
	Row     func(r *row.Row) error
}

// ErrStop ends a stream early: whoever returns it wants no more rows.
var ErrStop = errors.New("no more rows are wanted")

// defaultMemory is the bound on what pipes hold.
const defaultMemory = 1 << 30

// Run runs a query and hands its answer to sink. Rows already handed over when Run fails are no
// answer: partial results are errors.
func Run(ctx context.Context, q *plan.Query, o Options, sink Sink) (*Outcome, error) {
	if o.MaxMemory == 0 {
		o.MaxMemory = defaultMemory
	}
	start := time.Now()
	e := &env{ctx: ctx, options: o, memory: &memory{limit: o.MaxMemory}, warned: map[string]bool{}}
	e.warn(q.Warnings...)
	out := newOutput(e, q, sink)
	if err := e.run(q, out); err != nil {
		return nil, err
	}
	e.cost.Took = time.Since(start)
	return &Outcome{Columns: out.columns(), Raw: q.Raw(), Inexact: e.inexact, Warnings: e.warnings, Cost: e.cost, Profile: e.profile()}, nil
}

// env is what all stages of one run share. It is used by one goroutine.
type env struct {
	ctx      context.Context
	options  Options
	memory   *memory
	warnings []string
	warned   map[string]bool
	inexact  []string
	cost     plan.Cost
	timings  []*timed
	inner    time.Duration // spent in the stages after the one being timed
	depth    int
	step     int64 // how far apart the source's times are at least, in nanoseconds; 0 where windows are judged by each document's own
}

func (e *env) warn(texts ...string) {
	for _, t := range texts {
		if !e.warned[t] && len(e.warnings) < 100 {
			e.warned[t] = true
			e.warnings = append(e.warnings, t)
		}
	}
}

// maxSubsearchRows is how many rows a subsearch in a filter may give.
const maxSubsearchRows = 100_000

// filter is a filter's tree with its subsearches run and put in.
func (e *env) filter(f *plan.Filter, timeField string) (kql.Node, error) {
	nodes := make([]kql.Node, len(f.Subs))
	for i, sub := range f.Subs {
		n, err := e.subsearch(sub, timeField)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return f.Resolve(func(i int) kql.Node { return nodes[i] }), nil
}

// start connects a query's steps to last and returns the first stage with its schema, and the read
// that feeds it.
func (e *env) run(q *plan.Query, last output) error {
	if e.depth++; e.depth > 32 {
		return errors.New("subsearches stand in each other more than 32 deep")
	}
	defer func() { e.depth-- }()
	if generates(q) {
		return e.generate(q, last)
	}
	filter, err := e.leadingFilter(q)
	if err != nil {
		return err
	}
	read, covered := q.Read(filter)
	read.Judge = judge(q)
	if last.documents() {
		read.Documents, read.Fields = true, []string{} // the documents are the answer, fields are only for the filter
	}
	read.Documents = read.Documents || e.options.Documents && e.depth == 1
	if err := e.precise(q, read); err != nil {
		return err
	}
	reads, err := e.narrow(q, e.offer(read))
	if err != nil {
		return err
	}
	read = reads[0]
	pushed, err := e.options.Backend.Plan(e.ctx, read)
	if err != nil {
		return err
	}
	e.warn(pushed.Warnings...)
	e.inexact = append(e.inexact, pushed.Inexact...)
	var match *Filter
	if !pushed.Filter && read.Filter != nil {
		match = NewFilter(read.Filter, nil)
	}
	read = settle(read, pushed, match) // those after the first have nothing that a source could leave
	if !pushed.Filter && bounded(read) && read.Fields != nil && !slices.Contains(read.Fields, read.TimeField) {
		read.Fields = append(slices.Clone(read.Fields), read.TimeField)
	}
	steps := q.Steps[q.Leading():]
	schema := row.NewSchema()
	chain := &chain{env: e, query: q}
	switch {
	case pushed.Aggregate:
		chain.add(newGroupSort(e, read.Aggregate, schema), schema)
		steps = steps[covered:]
	case pushed.Top && len(read.Top.Keys) > 0:
		steps = steps[covered:]
	}
	if read.Fields != nil {
		for _, f := range read.Fields {
			schema.Slot(f)
		}
	}
	if !pushed.Filter && bounded(read) {
		chain.add(&filterOp{keep: within(read, schema)}, schema)
	}
	if match != nil {
		chain.add(&filterOp{keep: rowFilter(match, schema, q)}, schema)
	}
	if err := chain.steps(steps, schema); err != nil {
		return err
	}
	look, err := e.lookback(q, chain, read, schema)
	if err != nil {
		return err
	}
	reads[0] = read
	return e.feed(chain, last, schema, func(first op) error {
		if look != nil {
			return look.run(first)
		}
		for _, part := range reads {
			if err := e.part(q, part, pushed, schema, first); err != nil {
				return err
			}
		}
		return nil
	})
}

// part hands the rows of a read to the first stage. Rows of a tally lack the fields of the filter, so there is none
// where the stages have a filter that the source could not do.
func (e *env) part(q *plan.Query, read plan.Read, pushed plan.Pushed, schema *row.Schema, first op) error {
	push := e.counted(first)
	if tally := e.tally(q, read); tally != nil && pushed.Filter {
		done, err := e.tallied(*tally, schema, push)
		if done || err != nil {
			return err
		}
	}
	cost, err := e.options.Backend.Rows(e.ctx, read, pushed, schema, push)
	e.cost.Add(cost)
	return err
}

func bounded(r plan.Read) bool { return !r.Earliest.IsZero() || !r.Latest.IsZero() }

// within tests whether the time of a row lies in the bounds of a read. A row without a time does not.
func within(r plan.Read, schema *row.Schema) func(*row.Row) bool {
	slot := schema.Slot(r.TimeField)
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if !r.Earliest.IsZero() {
		low = r.Earliest.UnixNano()
	}
	if !r.Latest.IsZero() {
		high = r.Latest.UnixNano()
	}
	return func(r *row.Row) bool {
		v := r.Get(slot)
		for i := range v.Len() {
			if t, ok := v.At(i).AsTime(); ok && t >= low && t < high {
				return true
			}
		}
		return false
	}
}

// judge is how a backend tests rows itself.
func judge(q *plan.Query) func(kql.Node, *row.Schema) (func(*row.Row) bool, []string) {
	return func(n kql.Node, schema *row.Schema) (func(*row.Row) bool, []string) {
		f := NewFilter(n, nil)
		fields, all := f.Fields()
		if all {
			fields = nil
		}
		return rowFilter(f, schema, q), fields
	}
}

// offer is the read as the backend is asked about it.
func (e *env) offer(read plan.Read) plan.Read {
	if e.options.NoPushDown {
		read.Aggregate, read.Top = nil, nil
	}
	return read
}

// settle takes out of a read what the backend will not do, and adds the fields which that needs.
func settle(read plan.Read, pushed plan.Pushed, match *Filter) plan.Read {
	if !pushed.Aggregate {
		read.Aggregate = nil
	}
	if !pushed.Top {
		read.Top = nil
	}
	if match != nil && read.Fields != nil {
		names, all := match.Fields()
		if all {
			read.Fields = nil
			return read
		}
		read.Fields = slices.Clone(read.Fields)
		for _, n := range names {
			if n == "_time" {
				n = read.TimeField
			}
			if !slices.Contains(read.Fields, n) {
				read.Fields = append(read.Fields, n)
			}
		}
	}
	return read
}

// leadingFilter is the query's filter and the searches right after it as one tree.
func (e *env) leadingFilter(q *plan.Query) (kql.Node, error) {
	var nodes []kql.Node
	filters := []*plan.Filter{q.Filter}
	for _, s := range q.Steps[:q.Leading()] {
		filters = append(filters, s.Filter)
	}
	for _, f := range filters {
		if plan.MatchesAll(f) {
			continue
		}
		n, err := e.filter(f, q.TimeField())
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	return kql.NewAnd(nodes...), nil
}

// feed ends the chain with last, lets read push rows into it, and flushes.
func (e *env) feed(c *chain, last output, schema *row.Schema, read func(first op) error) error {
	first := c.end(last, schema)
	if err := read(first); err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := first.flush(); err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	return nil
}

// counted pushes rows into a stage and looks at the context now and then.
func (e *env) counted(first op) func(*row.Row) error {
	n := 0
	return func(r *row.Row) error {
		if n++; n&1023 == 0 {
			if err := e.ctx.Err(); err != nil {
				return err
			}
		}
		return first.push(r)
	}
}

// memory counts what stages hold.
type memory struct{ held, limit int64 }

// LimitError says that a pipe would hold more than it may.
type LimitError struct {
	Pipe  string
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s would hold more than %d MB in memory, the limit set by --max-memory: narrow the filter or the time range, "+
		"keep fewer fields or groups before it, or raise the limit", e.Pipe, e.Limit>>20)
}

func (m *memory) hold(pipe string, n int) error {
	m.held += int64(n)
	if m.held > m.limit {
		return &LimitError{Pipe: pipe, Limit: m.limit}
	}
	return nil
}

func (m *memory) release(n int) { m.held -= int64(n) }
