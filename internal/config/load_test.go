package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tocsin/internal/yamltext"
)

var update = flag.Bool("update", false, "write what the tests saw into their golden files")

// environment is a lookup in lines of NAME=value.
func environment(lines string) func(string) (string, bool) {
	env := map[string]string{}
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			env[name] = value
		}
	}
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// TestProblems loads tocsin.yaml of each archive, beside the archive's other files, and compares
// what is said of it. Its "problems" file is empty for a valid configuration.
func TestProblems(t *testing.T) {
	paths, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 10 {
		t.Fatalf("found %d archives", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var env string
			var want, got [2]string // problems, warnings
			kept := archive.Files[:0:0]
			for _, f := range archive.Files {
				switch f.Name {
				case "problems":
					want[0] = string(f.Data)
					continue
				case "warnings":
					want[1] = string(f.Data)
					continue
				case "env":
					env = string(f.Data)
				default:
					write(t, filepath.Join(dir, f.Name), string(f.Data))
				}
				kept = append(kept, f)
			}
			file := filepath.Join(dir, "tocsin.yaml")
			c, err := Load(file, environment(env))
			var problems *Problems
			switch {
			case errors.As(err, &problems):
				got[0] = strings.ReplaceAll(problems.Error(), file, "tocsin.yaml") + "\n"
			case err != nil:
				t.Fatal(err)
			default:
				for _, w := range c.Warnings {
					got[1] += strings.ReplaceAll(w.String(), file, "tocsin.yaml") + "\n"
				}
			}
			if strings.Contains(got[0]+got[1], "hush") {
				t.Errorf("a secret is shown:\n%s%s", got[0], got[1])
			}
			if *update {
				kept = append(kept, txtar.File{Name: "problems", Data: []byte(got[0])})
				if got[1] != "" {
					kept = append(kept, txtar.File{Name: "warnings", Data: []byte(got[1])})
				}
				archive.Files = kept
				write(t, path, string(txtar.Format(archive)))
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems and warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The library's parser needs memory by the square of the depth, so these must not reach it.
func TestTextThatIsTooDeepOrTooLongIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("[", 30_000):                         "tocsin.yaml:1:101: is not valid YAML: the values are nested too deep",
		"a: " + strings.Repeat("{a: [", 10_000):             "the values are nested too deep",
		"\n" + strings.Repeat("- ", 30_000):                 "tocsin.yaml:2:201: is not valid YAML: the values are nested too deep",
		strings.Repeat("a: b\n", yamltext.MostTokens/3+100): "tocsin.yaml:16667:4: is not valid YAML: the file is too long",
	} {
		_, err := Parse("tocsin.yaml", []byte(text), environment(""))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q...: %.200v, want it to say %q", text, err, want)
		}
	}
}
