package testkit

import (
	"fmt"
	"net/http"
	"testing"
)

func TestIndicesAreGoneWhenTheTestEnds(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			node := Server(t, kind)
			var index string
			t.Run("inner", func(t *testing.T) {
				index = node.Index(t, "tocsin-testkit")
				for _, name := range []string{index, index + "-more"} {
					node.Bulk(t, fmt.Appendf(nil, `{"index":{"_index":%q,"_id":"1"}}`, name), []byte(`{"n":1}`))
				}
				if got := count(t, node, index); got != 2 {
					t.Errorf("%d documents are stored, want 2", got)
				}
			})
			var left map[string]any
			node.Ask(t, http.MethodGet, "/"+index+"*/_settings?expand_wildcards=all", nil, &left)
			if len(left) != 0 {
				t.Errorf("still there: %v", left)
			}
		})
	}
}

func TestAPIKeyMayDoOnlyWhatItsRoleSays(t *testing.T) {
	node := Server(t, Elastic8)
	index := node.Index(t, "tocsin-testkit")
	for _, name := range []string{index + "-mine", index + "-other"} {
		node.Bulk(t, fmt.Appendf(nil, `{"index":{"_index":%q}}`, name), []byte(`{"n":1}`))
	}
	_, key := node.APIKey(t, map[string]any{
		"indices": []any{map[string]any{"names": []string{index + "-mine"}, "privileges": []string{"read"}}},
	})
	for name, want := range map[string]int{index + "-mine": http.StatusOK, index + "-other": http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, node.URL+"/"+name+"/_search", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "ApiKey "+key)
		resp, err := node.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("search of %s: %s, want %d", name, resp.Status, want)
		}
	}
}

func count(t *testing.T, node Node, prefix string) int {
	t.Helper()
	var answer struct {
		Count int `json:"count"`
	}
	node.Ask(t, http.MethodGet, "/"+prefix+"*/_count", nil, &answer)
	return answer.Count
}
