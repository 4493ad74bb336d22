package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// Tables are tables that searches may name, by those names.
type Tables = map[string]*query.Table

// ReadTables reads the tables of a configuration, for a command; all that is wrong with them is one *InputError.
func ReadTables(cfg *config.Config) (Tables, error) {
	out := Tables{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Lookups)) {
		table, err := readTable(cfg.Lookups[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("lookup %s: %w", name, err))
		}
		out[name] = table
	}
	if len(errs) > 0 {
		return nil, &InputError{errors.Join(errs...)}
	}
	return out, nil
}

// WithLookups adds the tables of a configuration that the query names to those that it is given, which go before them.
func (o *SearchOptions) WithLookups(cfg *config.Config) {
	all := map[string]string{}
	for name, path := range cfg.Lookups {
		if strings.Contains(o.Query, name) {
			all[name] = path
		}
	}
	maps.Copy(all, o.Lookups)
	o.Lookups = all
}

// lookupsPart is what the tables of the configuration are called in /readyz.
const lookupsPart = "lookups"

// lookupsEvery is how often their files are looked at.
const lookupsEvery = 2 * time.Second

// lookups are the tables that the configuration names, as their files last could be read.
type lookups struct {
	paths  map[string]string // by name
	log    *slog.Logger
	report func(part string, err error, hint string)

	mu     sync.Mutex
	tables Tables // replaced, never changed
	seen   map[string]fileStamp
	failed map[string]error
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	at   time.Time
	size int64
}

// newLookups reads the tables. One that cannot be read is told of, and is not there.
func newLookups(cfg *config.Config, log *slog.Logger, report func(part string, err error, hint string)) *lookups {
	l := &lookups{paths: cfg.Lookups, log: log, report: report, tables: Tables{}, seen: map[string]fileStamp{}, failed: map[string]error{}}
	l.look(true)
	return l
}

// all are the tables there are now. The map is not changed any more.
func (l *lookups) all() Tables {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tables
}

// look reads the files that have changed, and reports whether a table has. Without now, a file that was changed in the
// last moments waits for the next time: it may just be being written.
func (l *lookups) look(now bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	tables, changed := maps.Clone(l.tables), false
	for _, name := range slices.Sorted(maps.Keys(l.paths)) {
		path := l.paths[name]
		st, err := os.Stat(path)
		looks := fileStamp{}
		if err == nil {
			looks = fileStamp{st.ModTime(), st.Size()}
			if looks == l.seen[name] || !now && time.Since(looks.at) < lookupsEvery/2 && time.Since(looks.at) > 0 {
				continue
			}
			var table *query.Table
			if table, err = readTable(path); err == nil {
				tables[name], changed = table, true
			}
		}
		l.seen[name] = looks
		if err != nil && (l.failed[name] == nil || l.failed[name].Error() != err.Error()) {
			l.log.Warn("a table cannot be read", "lookup", name, "error", err, "goes_on_as_it_was", tables[name] != nil)
		}
		l.failed[name] = err
	}
	l.tables = tables
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(l.failed)) {
		if err := l.failed[name]; err != nil {
			errs = append(errs, fmt.Errorf("lookup %s: %w", name, err))
		}
	}
	if len(l.paths) > 0 {
		l.report(lookupsPart, errors.Join(errs...), "searches go on with the table as it last was; mend the file, and it is read again by itself")
	}
	return changed
}

// run looks at the files until ctx ends, and calls changed when a table is another one.
func (l *lookups) run(ctx context.Context, changed func(context.Context) error) error {
	if len(l.paths) == 0 {
		return nil
	}
	tick := time.NewTicker(lookupsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !l.look(false) {
			continue
		}
		if err := changed(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("rules could not be read again after a table has changed", "error", err)
		}
	}
}

func readTable(path string) (*query.Table, error) {
	columns, rows, err := files.ReadTable(path)
	if err != nil {
		return nil, err
	}
	return &query.Table{Columns: columns, Rows: rows}, nil
}

// checkLookups tells of each table whether it can be read.
func checkLookups(cfg *config.Config) []check.Finding {
	var out []check.Finding
	for _, name := range slices.Sorted(maps.Keys(cfg.Lookups)) {
		f := check.Finding{Part: "lookup " + name, Place: cfg.Place("lookups." + name)}
		table, err := readTable(cfg.Lookups[name])
		if err != nil {
			f.Problem, f.Text, f.Hint = true, err.Error(), "Mend the file: CSV with a header line, or one JSON object a line."
		} else {
			f.Text = fmt.Sprintf("%d rows, columns %s", len(table.Rows), strings.Join(table.Columns, ", "))
		}
		out = append(out, f)
	}
	return out
}
