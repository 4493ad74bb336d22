package query_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheReferenceSaysWhatComesOut runs every example of docs/language.md: a block of query, and the
// block of answer after it.
func TestTheReferenceSaysWhatComesOut(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "language.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out []string
	got, examples := "", 0
	parts := strings.Split(string(text), "```")
	if len(parts)%2 == 0 {
		t.Fatal("a block is never closed")
	}
	for i, part := range parts {
		if i%2 == 0 {
			out = append(out, part)
			continue
		}
		kind, body, _ := strings.Cut(part, "\n")
		switch {
		case kind == "events":
			kind = "file input.ndjson"
			fallthrough
		case strings.HasPrefix(kind, "file "):
			if err := os.WriteFile(filepath.Join(dir, strings.TrimPrefix(kind, "file ")), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		case kind == "query":
			got = answer(t, dir, strings.TrimSpace(body))
			examples++
		case kind == "answer":
			if !*update && body != got {
				t.Errorf("the reference says\n%s\nand what comes out is\n%s", body, got)
			}
			part = "answer\n" + got
		}
		out = append(out, part)
	}
	if examples < 30 {
		t.Errorf("%d examples", examples)
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(out, "```")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
