package rule

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// said is all that is said of a rule.
func said(t *testing.T, content string) string {
	t.Helper()
	r, err := Parse([]byte(content), ParseOptions{File: "r.yaml", Now: testNow})
	var problems *Problems
	switch {
	case errors.As(err, &problems):
		return problems.Error() + "\n"
	case err != nil:
		t.Fatal(err)
	}
	var out strings.Builder
	for _, w := range r.Warnings {
		out.WriteString("warning: " + w.String() + "\n")
	}
	return out.String()
}

func TestProblemsAreNamedAtTheirPlaces(t *testing.T) {
	path := filepath.Join("testdata", "problems", "rules.txtar")
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(a.Files); i += 2 {
		got := said(t, string(a.Files[i].Data))
		if *update {
			a.Files[i+1].Data = []byte(got)
		} else if diff := cmp.Diff(string(a.Files[i+1].Data), got); diff != "" {
			t.Errorf("%s\n%s", a.Files[i].Data, diff)
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
