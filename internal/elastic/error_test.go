package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
)

func TestErrorsSayWhatTheClusterSays(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   elastic.Error
		text   string
	}{
		{
			"index missing", 404, `{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [x]","index":"x"}],"type":"index_not_found_exception","reason":"no such index [x]","index":"x"},"status":404}`,
			elastic.Error{Type: "index_not_found_exception", Reason: "no such index [x]", Index: "x"},
			"siem: GET /x/_count: 404 index_not_found_exception: no such index [x] (try: check the index names, and that the key may see them)",
		},
		{
			"the shard knows why", 400, `{"error":{"root_cause":[{"type":"query_shard_exception","reason":"failed to create query"}],"type":"search_phase_execution_exception","reason":"all shards failed","phase":"query","failed_shards":[{"shard":0,"index":"x","reason":{"type":"query_shard_exception","reason":"failed to create query","index":"x","caused_by":{"type":"parse_exception","reason":"For input string: \"a\""}}}]},"status":400}`,
			elastic.Error{Type: "query_shard_exception", Reason: `failed to create query: For input string: "a"`, Index: "x"},
			`siem: GET /x/_count: 400 query_shard_exception: failed to create query: For input string: "a"`,
		},
		{
			"all shards failed, no more", 503, `{"error":{"root_cause":[],"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[]},"status":503}`,
			elastic.Error{Type: "search_phase_execution_exception", Reason: "all shards failed"},
			"siem: GET /x/_count: 503 search_phase_execution_exception: all shards failed",
		},
		{
			"a sentence", 400, `{"error":"no handler found for uri [/x] and method [GET]"}`,
			elastic.Error{Reason: "no handler found for uri [/x] and method [GET]"},
			"siem: GET /x/_count: 400 no handler found for uri [/x] and method [GET]",
		},
		{
			"refused", 403, `{"error":{"root_cause":[{"type":"security_exception","reason":"action [a] is unauthorized"}],"type":"security_exception","reason":"action [a] is unauthorized"},"status":403}`,
			elastic.Error{Type: "security_exception", Reason: "action [a] is unauthorized"},
			"siem: GET /x/_count: 403 security_exception: action [a] is unauthorized (try: give the user or key read and view_index_metadata on the indices)",
		},
		{
			"cloud", 404, `{"ok":false,"message":"Unknown deployment."}`,
			elastic.Error{Reason: "Unknown deployment."},
			"siem: GET /x/_count: 404 Unknown deployment.",
		},
		{
			"plain", 403, "Forbidden by\x00 policy\n",
			elastic.Error{Reason: "Forbidden by policy"},
			"siem: GET /x/_count: 403 Forbidden by policy (try: give the user or key read and view_index_metadata on the indices)",
		},
		{"null", 500, `null`, elastic.Error{}, "siem: GET /x/_count: 500 Internal Server Error"},
		{"odd", 500, `{"error":7}`, elastic.Error{}, "siem: GET /x/_count: 500 Internal Server Error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			}))}})
			err := c.Do(t.Context(), "GET", "/x/_count", nil, nil, nil)
			var got *elastic.Error
			if !errors.As(err, &got) {
				t.Fatal(err)
			}
			tc.want.Source, tc.want.Status, tc.want.Method, tc.want.Path = "siem", tc.status, "GET", "/x/_count"
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Error(diff)
			}
			if err.Error() != tc.text {
				t.Errorf("%s\nwant %s", err, tc.text)
			}
			for _, is := range []struct {
				got, want bool
			}{
				{elastic.IsNotFound(err), tc.status == 404},
				{elastic.IsForbidden(err), tc.status == 403},
				{elastic.IsUnauthorized(err), false},
				{elastic.IsBusy(err), tc.status == 503},
			} {
				if is.got != is.want {
					t.Errorf("%+v", is)
				}
			}
		})
	}
}
