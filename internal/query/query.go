package query

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin/internal/query/dsl"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Backend is a source of documents. exec.Backend tells the contract.
type Backend = exec.Backend

// Table is a lookup table.
type Table = exec.Table

// GeoIP is a MaxMind database for iplocation.
type GeoIP = exec.GeoIP

// Sink takes the rows of an answer as they come.
type Sink = exec.Sink

// Outcome is what is known of an answer beside its rows.
type Outcome = exec.Outcome

// LimitError says that a pipe would hold more in memory than it may.
type LimitError = exec.LimitError

// NewGeoIP reads a MaxMind database from the content of its file.
func NewGeoIP(file []byte) (*GeoIP, error) { return exec.NewGeoIP(file) }

// Options are what a query is compiled against.
type Options struct {
	// TimeField is the source's time field; @timestamp when empty.
	TimeField string
	// Now is when the search begins: relative times count from it.
	Now time.Time
	// Earliest and Latest bound the documents read, half open; zero is unbounded.
	Earliest, Latest time.Time
	// Lookups are the tables there are.
	Lookups map[string]*Table
	// Window, when set, is the window of an aggregation that has none of its own, as in a rule.
	Window time.Duration
}

// Query is a compiled query. It is read-only and may run many times at once.
type Query struct {
	text    string // as it was written
	plan    *plan.Query
	lookups map[string]*Table
}

// Compile reads a query and refuses all that can be known to be wrong before data is read. The error
// is an *Error.
func Compile(text string, o Options) (*Query, error) {
	lookups := map[string][]string{}
	for name, t := range o.Lookups {
		lookups[name] = t.Columns
	}
	p, err := plan.New(text, plan.Options{TimeField: o.TimeField, Now: o.Now, Earliest: o.Earliest, Latest: o.Latest, Lookups: lookups, Window: o.Window})
	if err != nil {
		return nil, compileError(text, err)
	}
	return &Query{text: text, plan: p, lookups: o.Lookups}, nil
}

// compileError makes the door's error of those below.
func compileError(text string, err error) error {
	var mistakes pipe.Errors
	if errors.As(err, &mistakes) && len(mistakes) > 0 {
		first := mistakes[0]
		return &Error{Text: text, Start: min(first.At.Pos, len(text)), End: min(first.At.End, len(text)), Message: first.Msg, whole: mistakes.Error()}
	}
	return kqlError(err)
}

// RunOptions are what a query runs with.
type RunOptions struct {
	Backend Backend
	// MaxMemory bounds what pipes hold, in bytes; 1 GiB when 0.
	MaxMemory int64
	GeoIP     *GeoIP
	// NoPushDown makes the backend hand over plain documents only.
	NoPushDown bool
	// Profile measures each pipe.
	Profile bool
	// Documents asks for the document, with its index and id, of every row that still is one.
	Documents bool
	// Windows makes a row of every window that is kept, instead of one of each episode: first and last are
	// then the times of the window's first and last event.
	Windows bool
}

// Stream runs the query and hands rows to sink as they come. After an error what was handed over is
// no answer.
func (q *Query) Stream(ctx context.Context, o RunOptions, sink Sink) (*Outcome, error) {
	return exec.Run(ctx, q.plan, exec.Options{Backend: o.Backend, Lookups: q.lookups, MaxMemory: o.MaxMemory, GeoIP: o.GeoIP, NoPushDown: o.NoPushDown, Documents: o.Documents, Windows: o.Windows}, sink)
}

// Result is a whole answer.
type Result struct {
	Outcome
	Rows []row.Row
}

// Run runs the query and keeps all rows.
func (q *Query) Run(ctx context.Context, o RunOptions) (*Result, error) {
	r := &Result{}
	out, err := q.Stream(ctx, o, Sink{
		Columns: func([]string) error { return nil },
		Row: func(row *row.Row) error {
			r.Rows = append(r.Rows, row.Clone())
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	r.Outcome = *out
	return r, nil
}

// Raw reports whether the answer is the documents as they were read.
func (q *Query) Raw() bool { return q.plan.Raw() }

// String is the query in its canonical form.
func (q *Query) String() string { return q.plan.Tree.String() }

// AST is the tree of the query's filter as Kibana's JSON. A subsearch stands in it as its text.
func (q *Query) AST() []byte { return kql.JSON(q.shown()) }

// shown is the tree of the filter with each subsearch as its text: it has not run.
func (q *Query) shown() kql.Node {
	return q.plan.Filter.Resolve(func(i int) kql.Node {
		return &kql.Is{Field: &kql.Literal{Kind: kql.Null}, Value: kql.Word("[" + q.plan.Filter.Subs[i].Tree.String() + "]")}
	})
}

// DSL is the Elasticsearch query of the query's filter as Kibana builds it, with the types of fields
// if a mapping or a field caps answer is given (nil: without). Subsearches are not run: what stands
// for them is shown.
func (q *Query) DSL(fields []byte) ([]byte, error) {
	var types *dsl.Fields
	if fields != nil {
		var err error
		if types, err = dsl.ReadFields(fields); err != nil {
			return nil, err
		}
	}
	return dsl.Query(q.shown(), types)
}

// Explain tells what of the query runs where.
func (q *Query) Explain(ctx context.Context, b Backend) (string, error) {
	return exec.Explain(ctx, q.plan, b)
}

// namer is a backend that knows its fields. Names are those there are in these indices, nil for the
// source's own, and those of asked of which it cannot tell.
type namer interface {
	Names(ctx context.Context, from, asked []string) ([]string, error)
}

// Lint is Warnings, and the fields of the filter that the source is known not to have. It reads no
// documents; a source that does not answer has nothing to say here.
func (q *Query) Lint(ctx context.Context, b Backend) []Warning {
	n, ok := b.(namer)
	asked, _ := plan.Fields(q.plan.Filter.Tree)
	if !ok || len(asked) == 0 {
		return q.Warnings()
	}
	names, err := n.Names(ctx, q.plan.Source.From, asked)
	if err != nil || len(names) == 0 {
		return q.Warnings()
	}
	for _, name := range asked { // these stand for the text of the field above
		above, ok := strings.CutSuffix(name, ".keyword")
		if !ok {
			above, ok = strings.CutSuffix(name, ".text")
		}
		if ok && slices.Contains(names, above) {
			names = append(names, name)
		}
	}
	return q.lint(append(names, "_time", "_id", "_index"))
}

// Warnings are what the filter says that nobody means.
func (q *Query) Warnings() []Warning { return q.lint(nil) }

func (q *Query) lint(fields []string) []Warning {
	var out []Warning
	text := q.plan.Tree.Filter.String()
	if len(q.plan.Filter.Subs) > 0 {
		return q.never()
	}
	for _, w := range kql.Lint(text, q.plan.Filter.Tree, fields) {
		out = append(out, Warning{Text: text, Start: w.Place.Start, End: w.Place.End, Message: w.Message, Hint: w.Hint})
	}
	return append(out, q.never()...)
}
