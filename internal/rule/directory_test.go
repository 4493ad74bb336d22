package rule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/query"
)

const owned = "name: Owned\nsearch: '* | lookup assets host.name OUTPUT owner | where owner = \"ann\"'\n"

func TestRulesThatNameTablesAreReadAgain(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // only read
	s := newShelf(t, db, t.TempDir())
	tables := map[string]*query.Table{"assets": {Columns: []string{"host.name", "owner"}}}
	s.options.Lookups = func() map[string]*query.Table { return tables }
	s.write("file.yaml", strings.Replace(owned, "Owned", "In a file", 1))
	s.write("other.yaml", "name: Other\nsearch: a:b\n")
	s.reload()
	if _, _, err := apply(t, s, owned, Change{Base: 0, Who: "ann"}); err != nil {
		t.Fatal(err)
	}
	rules := func() map[string]*Rule {
		out := map[string]*Rule{}
		for _, e := range s.All() {
			out[e.ID] = e.Rule
		}
		return out
	}
	before, changes := rules(), s.changes
	tables = map[string]*query.Table{"assets": {Columns: []string{"host.name", "owner"}}}
	if err := s.Relook(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := rules()
	if after["owned"] == before["owned"] || after["file"] == before["file"] || after["other"] != before["other"] || s.changes == changes {
		t.Errorf("%v is %v now, with %d changes", before, after, s.changes-changes)
	}
	// A table that lacks what a rule reads of it: the one of the database does not run, the file runs as it last was.
	tables = map[string]*query.Table{}
	if err := s.Relook(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.All() {
		if wrong := e.ID != "other"; wrong != (len(e.Problems) > 0) || (e.Rule == nil) != (e.ID == "owned") {
			t.Errorf("%s: %v, %v", e.ID, e.Rule, e.Problems)
		}
	}
	tables = map[string]*query.Table{"assets": {Columns: []string{"host.name", "owner"}}}
	if err := s.Relook(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.All() {
		if e.Rule == nil || len(e.Problems) > 0 {
			t.Errorf("%s: %v", e.ID, e.Problems)
		}
	}
}

func TestADirectoryIsReadWithAllThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.yaml": "name: A\nsearch: a:b\n", "b.yml": "name: A\nsearch: a:b\n", "deep/c.yaml": "name: C\nid: a\nsearch: a:b\n",
		"d.yaml": "name: D\nsearch: 'a:b | cuont'\n", ".hidden.yaml": "nonsense", "readme.md": "nonsense",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := ReadDir(dir, ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		said := ""
		for _, p := range e.Problems {
			said += strings.ReplaceAll(p.String(), dir+"/", "")
		}
		got = append(got, strings.TrimPrefix(e.File, dir+"/")+" "+said)
	}
	want := []string{
		"a.yaml ",
		`b.yml b.yml: the name "A" is already that of a.yaml: change one of them, or delete one`,
		`d.yaml d.yaml:2:16: search: unknown command "cuont"; try count`,
		"deep/c.yaml deep/c.yaml: the id a is already that of a.yaml: change one of them, or delete one",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
	if _, err := ReadDir(filepath.Join(dir, "gone"), ParseOptions{}); err == nil {
		t.Error("a directory that is not there is read")
	}
}
