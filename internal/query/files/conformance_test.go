package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/files"
)

func TestFilesAnswerAsEveryBackend(t *testing.T) {
	backendtest.Suite{Seed: 1, Random: 200, Open: func(t *testing.T, documents []backendtest.Document) exec.Backend {
		path := filepath.Join(t.TempDir(), "input.ndjson")
		var lines []byte
		for _, d := range backendtest.Sorted(documents) { // a file is read in its own order
			lines = append(append(lines, d.JSON...), '\n')
		}
		if err := os.WriteFile(path, lines, 0o600); err != nil {
			t.Fatal(err)
		}
		return &files.Backend{Main: files.Input{Path: path}}
	}}.Run(t)
}
