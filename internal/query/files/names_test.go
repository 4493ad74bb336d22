package files_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query/files"
)

func TestNames(t *testing.T) {
	small := `{"user":{"name":"ann"},"tags":["a","b"]}` + "\n" + `{"user.id":7,"list":[{"x":1}]}` + "\n"
	for name, tc := range map[string]struct {
		content     string
		asked, want []string
	}{
		"a misspelt one":                  {small, []string{"user.nme"}, []string{"list.x", "tags", "user.id", "user.name"}},
		"the first document has all":      {small, []string{"user.name"}, []string{"user.name"}},
		"the last one does":               {small, []string{"user.name", "user.id"}, []string{"user.id", "user.name"}},
		"an object":                       {small, []string{"user"}, []string{"user"}},
		"of a large file nobody can tell": {strings.Repeat(`{"a":1}`+"\n", 10_001), []string{"b"}, []string{"b"}},
		"no documents":                    {"", []string{"b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.ndjson")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			b := &files.Backend{Main: files.Input{Path: path}}
			got, err := b.Names(t.Context(), nil, tc.asked)
			if err != nil {
				t.Fatal(err)
			}
			sorted := cmp.Transformer("set", func(list []string) map[string]bool {
				set := map[string]bool{}
				for _, s := range list {
					set[s] = true
				}
				return set
			})
			if diff := cmp.Diff(tc.want, got, sorted); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
