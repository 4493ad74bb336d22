package query_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

var update = flag.Bool("update", false, "write what came out as what is wanted")

// now is when the searches of tests begin.
var now = time.Date(2024, 7, 2, 12, 0, 0, 0, time.UTC)

// answer runs a query over files of a directory: input.ndjson, NAME.csv as lookups, NAME.ndjson as
// datasets. It gives the rows as NDJSON, then warnings; or the error.
func answer(t testing.TB, dir, text string) string {
	t.Helper()
	return run(t, dir, text, true)
}

// run is answer, and with laws set checks what must hold of every query.
func run(t testing.TB, dir, text string, laws bool) string {
	t.Helper()
	b := &files.Backend{Main: files.Input{Path: filepath.Join(dir, "input.ndjson")}, Datasets: map[string]files.Input{}}
	o := query.Options{Now: now, Lookups: map[string]*query.Table{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if name, ok := strings.CutSuffix(e.Name(), ".csv"); ok {
			columns, rows, err := files.ReadTable(path)
			if err != nil {
				t.Fatal(err)
			}
			o.Lookups[name] = &query.Table{Columns: columns, Rows: rows}
		} else if name, ok := strings.CutSuffix(e.Name(), ".ndjson"); ok {
			b.Datasets[name] = files.Input{Path: path}
		}
	}
	q, err := query.Compile(text, o)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	r, err := q.Run(context.Background(), query.RunOptions{Backend: b, MaxMemory: 64 << 20})
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	out := printed(r)
	if !laws {
		return string(out)
	}
	// Reading all fields instead of those the query needs must make no difference.
	whole, err := q.Run(context.Background(), query.RunOptions{Backend: allFields{b}, MaxMemory: 64 << 20})
	if err != nil {
		t.Errorf("%s: with all fields: %v", text, err)
	} else if all := printed(whole); !bytes.Equal(all, out) {
		t.Errorf("%s\nwith the fields it needs:\n%swith all fields:\n%s", text, out, all)
	}
	// The law: pushed down or not, the rows are the same. Of the rows that sliding windows leave out only
	// those read are told of.
	const told = "warning: stats over left out rows whose time is missing or is no time\n"
	if p := pushed(t, q, b); p != string(out) && p != strings.Replace(string(out), told, "", 1) {
		t.Errorf("%s\non rows:\n%spushed down:\n%s", text, out, p)
	}
	return string(out)
}

// allFields reads every field of documents, whatever is asked for.
type allFields struct{ query.Backend }

func (b allFields) Rows(ctx context.Context, r plan.Read, p plan.Pushed, s *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	r.Fields = nil
	return b.Backend.Rows(ctx, r, p, s, emit)
}

// printed is an answer as NDJSON, with its warnings.
func printed(r *query.Result) []byte {
	var names []string
	for _, c := range r.Columns {
		names = append(names, c.Name)
	}
	var out []byte
	for _, w := range r.Rows {
		if r.Raw {
			out = append(out, w.Doc.JSON...)
		} else {
			out = row.AppendRow(out, names, w.Vals)
		}
		out = append(out, '\n')
	}
	for _, w := range r.Warnings {
		out = append(out, "warning: "+w+"\n"...)
	}
	return out
}

// TestLanguage runs testdata/language: files to read, then pairs of query and want.
func TestLanguage(t *testing.T) {
	paths, err := filepath.Glob("testdata/language/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			runArchive(t, a)
			if *update {
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// runArchive checks the cases of an archive, or with -update writes what they give.
func runArchive(t *testing.T, a *txtar.Archive) {
	dir := t.TempDir()
	for i := 0; i < len(a.Files); i++ {
		f := a.Files[i]
		if f.Name != "query" {
			if f.Name != "want" {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		text := strings.TrimSpace(string(f.Data))
		got := answer(t, dir, text)
		if *update {
			want := txtar.File{Name: "want", Data: []byte(got)}
			if i+1 < len(a.Files) && a.Files[i+1].Name == "want" {
				a.Files[i+1] = want
			} else {
				a.Files = append(a.Files[:i+1], append([]txtar.File{want}, a.Files[i+1:]...)...)
			}
			continue
		}
		if i+1 == len(a.Files) || a.Files[i+1].Name != "want" {
			t.Fatalf("%s: nothing is wanted", text)
		}
		if want := a.Files[i+1].Data; !bytes.Equal([]byte(got), want) {
			t.Errorf("%s\n got:\n%swant:\n%s", text, got, want)
		}
	}
}
