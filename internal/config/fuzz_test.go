package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func asProblems(err error, problems **Problems) bool { return errors.As(err, problems) }

// FuzzParse: whatever the bytes, Parse does not panic, and gives either a configuration or
// problems, each with a place that is in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(Example()))
	paths, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name == "tocsin.yaml" {
				f.Add(file.Data)
			}
		}
	}
	for _, text := range []string{
		"a: &x [*x]\n", "<<: *x\n", "? [a]\n: b\n", "\xff\xfe", "slack:\n  channel: |2\n    #a\n", "slack: {channel: \"\\u00e9${A}\"}\n",
		"route: {routes: [{match: >-\n  a:\n  b}]}\n", "%YAML 1.2\n---\nlisten: x\n", "!!str listen: 5\n", "&a *a : b\n", "\r\rlisten: \r x\r",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("tocsin.yaml", text, func(name string) (string, bool) { return "é" + name, len(name)%2 == 1 })
		if err == nil {
			if c == nil {
				t.Fatal("neither a configuration nor an error")
			}
			for _, w := range c.Warnings {
				checkPlace(t, text, w)
			}
			return
		}
		var problems *Problems
		if !asProblems(err, &problems) || len(problems.List) == 0 || c != nil {
			t.Fatalf("got %v and %T: %v", c, err, err)
		}
		for _, p := range problems.List {
			checkPlace(t, text, p)
		}
	})
}

func checkPlace(t *testing.T, text []byte, p Problem) {
	t.Helper()
	lines := strings.Split(string(text), "\n")
	if p.Text == "" || p.Place.File != "tocsin.yaml" || p.Place.Line < 1 || p.Place.Line > len(lines) ||
		p.Place.Column < 1 || p.Place.Column > len([]rune(lines[p.Place.Line-1]))+1 {
		t.Errorf("%q is not in the file", p)
	}
}
