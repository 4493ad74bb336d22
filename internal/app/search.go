package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tocsin/internal/parse"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/query/pipe"
)

// InputError is an error that the user can mend by writing something else.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

func (e *InputError) Unwrap() error { return e.Err }

func wrong(format string, args ...any) error { return &InputError{fmt.Errorf(format, args...)} }

// SearchOptions are what a search from the command line is given.
type SearchOptions struct {
	Query     string
	Input     string // a file, or - for Stdin
	Parse     string // how to read Input's lines; "" for NDJSON, JSON and CSV
	Zone      string // of times without one
	Year      int    // of times without one
	From, To  string
	All       bool
	TimeField string
	Lookups   map[string]string // name to file
	Datasets  map[string]string // name to file
	GeoIP     string            // a MaxMind database
	MaxMemory int64             // in bytes; 0 for the default
	Format    string            // table, ndjson, json or csv
	Flat      bool              // print documents flat even when no pipe follows the filter
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer // warnings and exactness
	Now       time.Time
	Profile   bool
	// Backend, when set, is searched instead of files.
	Backend query.Backend
}

// Search runs a query and prints its answer. What the user can mend is an *InputError.
func Search(ctx context.Context, o SearchOptions) error {
	if o.Format == "table" || o.Format == "csv" {
		o.Flat = true
	}
	q, run, err := o.compile()
	if err != nil {
		return err
	}
	for _, w := range q.Lint(ctx, run.Backend) {
		fmt.Fprintln(o.Stderr, "warning:", w)
	}
	p := newResultPrinter(o.Stdout, o.Format, q.Raw())
	out, err := q.Stream(ctx, run, p.sink())
	if err != nil {
		return readError(err)
	}
	if err := p.end(out); err != nil {
		return err
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(o.Stderr, "warning:", w)
	}
	for _, r := range out.Inexact {
		fmt.Fprintln(o.Stderr, "not exact:", r)
	}
	if o.Profile {
		fmt.Fprintf(o.Stderr, "read %d rows, %d bytes in %v\n", out.Cost.Rows, out.Cost.Bytes, out.Cost.Took.Round(time.Millisecond))
		for _, t := range out.Profile {
			fmt.Fprintf(o.Stderr, "  %-12s %10d rows in %v\n", t.Pipe, t.Rows, t.Took.Round(time.Microsecond))
		}
	}
	return nil
}

// readError tells a file that is not there from one that fails.
func readError(err error) error {
	var name *files.NameError
	if errors.Is(err, os.ErrNotExist) || errors.As(err, &name) {
		return &InputError{err}
	}
	return err
}

// compile reads the tables and compiles the query.
func (o *SearchOptions) compile() (*query.Query, query.RunOptions, error) {
	run := query.RunOptions{MaxMemory: o.MaxMemory, Profile: o.Profile}
	compiled := query.Options{TimeField: o.TimeField, Now: o.Now, Lookups: map[string]*query.Table{}}
	for name, path := range o.Lookups {
		columns, rows, err := files.ReadTable(path)
		if err != nil {
			return nil, run, wrong("--lookup %s: %w", name, err)
		}
		compiled.Lookups[name] = &query.Table{Columns: columns, Rows: rows}
	}
	if o.GeoIP != "" {
		content, err := os.ReadFile(o.GeoIP)
		if err != nil {
			return nil, run, wrong("--geoip: %w", err)
		}
		if run.GeoIP, err = query.NewGeoIP(content); err != nil {
			return nil, run, wrong("--geoip %s: %w", o.GeoIP, err)
		}
	}
	if err := o.bounds(&compiled); err != nil {
		return nil, run, err
	}
	text := o.Query
	if o.Flat {
		if q, err := query.Compile(text, compiled); err == nil && q.Raw() {
			text += " | search *" // the result of a pipe is flat
		}
	}
	q, err := query.Compile(text, compiled)
	if err != nil {
		return nil, run, &InputError{err}
	}
	run.Backend, err = o.backend()
	return q, run, err
}

// bounds reads --from and --to. Files are read whole unless one is given.
func (o *SearchOptions) bounds(c *query.Options) error {
	if o.All {
		if o.From != "" || o.To != "" {
			return wrong("--all and --from or --to exclude each other")
		}
		return nil
	}
	if o.From == "" && o.To == "" && o.Backend != nil {
		o.From = "-15m"
	}
	for _, b := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", o.From, &c.Earliest}, {"--to", o.To, &c.Latest}} {
		if b.text == "" {
			continue
		}
		m, err := pipe.ParseMoment(b.text)
		if err != nil {
			return wrong("%s %s: write -15m, -1d@d, now or 2024-07-01T10:00:00Z", b.flag, err)
		}
		*b.to = m.At(o.Now)
	}
	if !c.Earliest.IsZero() && !c.Latest.IsZero() && !c.Earliest.Before(c.Latest) {
		return wrong("--from %s is not before --to %s", o.From, o.To)
	}
	return nil
}

// backend opens what is searched.
func (o *SearchOptions) backend() (query.Backend, error) {
	if o.Backend != nil {
		return o.Backend, nil
	}
	b := &files.Backend{Main: files.Input{Path: o.Input, Reader: o.Stdin}, Datasets: map[string]files.Input{}}
	for name, path := range o.Datasets {
		if _, err := os.Stat(path); err != nil {
			return nil, wrong("--dataset %s: %w", name, err)
		}
		b.Datasets[name] = files.Input{Path: path}
	}
	if o.Input != "" && o.Input != "-" {
		if _, err := os.Stat(o.Input); err != nil {
			return nil, wrong("--input: %w", err)
		}
	}
	if o.Parse != "" {
		if o.Input == "" {
			return nil, wrong("--parse reads the lines of --input FILE, and there is none")
		}
		zone, err := time.LoadLocation(o.Zone)
		if err != nil {
			return nil, wrong("--tz %q: write a name such as UTC or Europe/Berlin", o.Zone)
		}
		if b.Main.Parser, err = parse.New(o.Parse, parse.Options{Zone: zone, Year: o.Year, Now: o.Now}); err != nil {
			return nil, wrong("--parse: %w", err)
		}
	}
	if o.Input == "" && len(o.Datasets) == 0 && len(o.Lookups) == 0 && !strings.HasPrefix(strings.TrimSpace(o.Query), "|") {
		return nil, wrong("there is nothing to search: name a source of the configuration with --source, a cluster with --url, a file with --input, or datasets with --dataset NAME=FILE")
	}
	return b, nil
}

// ExplainOptions are what tocsin explain is given beside what a search is.
type ExplainOptions struct {
	SearchOptions
	AST, DSL, Plan bool
	Fields         string // a file with a mapping or a field caps answer
}

// Explain prints a query's tree, its Elasticsearch query, or what runs where; the last unless asked
// for another.
func Explain(ctx context.Context, o ExplainOptions) error {
	if o.AST || o.DSL {
		return o.filter(ctx)
	}
	q, run, err := o.compile()
	if err != nil {
		return err
	}
	for _, w := range q.Lint(ctx, run.Backend) {
		fmt.Fprintln(o.Stderr, "warning:", w)
	}
	text, err := q.Explain(ctx, run.Backend)
	if err != nil {
		return readError(err)
	}
	_, err = fmt.Fprintf(o.Stdout, "%s\n%s", q, text)
	return err
}

// filter prints the filter as Kibana's tree or query. No source is needed.
func (o *ExplainOptions) filter(ctx context.Context) error {
	compiled := query.Options{TimeField: o.TimeField, Now: o.Now, Lookups: map[string]*query.Table{}}
	for name, path := range o.Lookups {
		columns, rows, err := files.ReadTable(path)
		if err != nil {
			return wrong("--lookup %s: %w", name, err)
		}
		compiled.Lookups[name] = &query.Table{Columns: columns, Rows: rows}
	}
	q, err := query.Compile(o.Query, compiled)
	if err != nil {
		return &InputError{err}
	}
	if o.AST {
		_, err = fmt.Fprintf(o.Stdout, "%s\n", q.AST())
		return err
	}
	var fields []byte
	if o.Fields != "" {
		if fields, err = os.ReadFile(o.Fields); err != nil {
			return wrong("--fields: %w", err)
		}
	} else if fields, err = typesOf(ctx, o.Backend); err != nil {
		return err
	}
	text, err := q.DSL(fields)
	if err != nil {
		return &InputError{err}
	}
	_, err = fmt.Fprintf(o.Stdout, "%s\n", text)
	return err
}
