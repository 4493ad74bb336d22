package elastic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
	"tocsin/internal/query"
)

// TestWhatIsGoneIsSeen looks for indices and fields as the watch over rules does.
func TestWhatIsGoneIsSeen(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create := func(index string, fields ...string) {
			properties := map[string]any{}
			for _, f := range fields {
				properties[f] = map[string]any{"type": "keyword"}
			}
			if err := c.Do(t.Context(), "PUT", "/"+name+"-"+index, nil, map[string]any{"mappings": map[string]any{"properties": properties}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		reaches := func(pattern string) int {
			n, ok, err := query.Reaches(t.Context(), elastic.NewBackend(c, []string{name + pattern}), nil)
			if err != nil || !ok {
				t.Errorf("%s: %v, %v", pattern, ok, err)
			}
			return n
		}
		has := func(fields ...string) []string {
			there, ok, err := query.Has(t.Context(), elastic.NewBackend(c, []string{name + "-*"}), nil, fields)
			if err != nil || !ok {
				t.Errorf("%v: %v, %v", fields, ok, err)
			}
			return there
		}
		create("a", "user.name", "code")
		create("b", "user.name")
		for pattern, want := range map[string]int{"-a": 1, "-*": 2, "-none": 0, "-none*": 0} {
			if n := reaches(pattern); n != want {
				t.Errorf("%s reaches %d indices, want %d", pattern, n, want)
			}
		}
		if diff := cmp.Diff([]string{"user.name", "user", "code"}, has("user.name", "user", "code", "other")); diff != "" {
			t.Error(diff)
		}
		if err := c.Do(t.Context(), "DELETE", "/"+name+"-a", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if n := reaches("-a"); n != 0 {
			t.Errorf("the index that is gone is reached: %d", n)
		}
		if diff := cmp.Diff([]string{"user.name"}, has("user.name", "code")); diff != "" {
			t.Error(diff)
		}
	})
}
