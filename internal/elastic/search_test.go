package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
)

func TestPartialAnswersAreErrors(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       *elastic.PartialError
	}{
		{"said to have ended early without being asked to", `{"terminated_early":true,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]},"aggregations":{}}`, nil},
		{"whole", `{"took":3,"timed_out":false,"_shards":{"total":5,"successful":5,"skipped":4,"failed":0},"_clusters":{"total":2,"successful":2,"skipped":0,"running":0,"partial":0,"failed":0},"hits":{"hits":[]}}`, nil},
		{"no shards at all", `{"_shards":{"total":0,"successful":0,"failed":0},"hits":{"hits":[]}}`, nil},
		{"terminate_after not reached", `{"terminated_early":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}`, nil},
		{
			"failed shards", `{"_shards":{"total":5,"successful":3,"failed":2,"failures":[{"shard":1,"index":"logs-1","node":"n","reason":{"type":"illegal_argument_exception","reason":"Text fields are not optimised","caused_by":{"type":"x","reason":"deep"}}}]},"hits":{"hits":[]}}`,
			&elastic.PartialError{Failed: 2, Total: 5, Type: "illegal_argument_exception", Reason: "Text fields are not optimised: deep", Index: "logs-1"},
		},
		{"shards without a copy, not told as failed", `{"_shards":{"total":5,"successful":4,"failed":0},"hits":{"hits":[]}}`, &elastic.PartialError{Failed: 1, Total: 5}},
		{"timed out", `{"timed_out":true,"_shards":{"total":5,"successful":5,"failed":0},"hits":{"hits":[]}}`, &elastic.PartialError{Total: 5, TimedOut: true}},
		{"ended early", `{"terminated_early":true,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}`, &elastic.PartialError{Total: 1, TerminatedEarly: true}},
		{"a remote cluster skipped", `{"_shards":{"total":1,"successful":1,"failed":0},"_clusters":{"total":2,"successful":1,"skipped":1},"hits":{"hits":[]}}`, &elastic.PartialError{Total: 1, ClustersMissing: 1}},
		{"a remote cluster partial", `{"_shards":{"total":1,"successful":1,"failed":0},"_clusters":{"total":2,"successful":1,"partial":1},"hits":{"hits":[]}}`, &elastic.PartialError{Total: 1, ClustersMissing: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, tc.body) }))}})
			search := elastic.Search{Indices: []string{"logs-*"}}
			if tc.want != nil && tc.want.TerminatedEarly {
				search.Body = struct {
					After int `json:"terminate_after"`
				}{10}
			}
			r, err := c.Search(t.Context(), search)
			var got *elastic.PartialError
			errors.As(err, &got)
			if tc.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if r != nil {
				t.Error("a partial answer was given")
			}
			tc.want.Source, tc.want.Method, tc.want.Path = "siem", "POST", "/logs-*/_search"
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPartialErrorSaysWhatIsMissing(t *testing.T) {
	e := &elastic.PartialError{Source: "siem", Method: "POST", Path: "/a/_search", Failed: 2, Total: 5, TimedOut: true, ClustersMissing: 1, Type: "x_exception", Reason: "why", Index: "a"}
	want := "siem: POST /a/_search: the answer is incomplete: 2 of 5 shards failed, the search timed out, 1 remote clusters did not answer in full; first: x_exception: why [a]"
	if got := e.Error(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestSearchOnRealNodes(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 3)
		fill(t, c, name, 0, 70)
		r, err := c.Search(t.Context(), elastic.Search{Indices: []string{name, name + "-none"}, IgnoreUnavailable: true, Body: map[string]any{
			"size": 2, "track_total_hits": true, "sort": []any{map[string]any{"n": "desc"}}, "_source": []string{"n"},
			"aggs": map[string]any{"users": map[string]any{"terms": map[string]any{"field": "user"}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Total != 70 || r.TotalIsLowerBound || r.Shards.Total != 3 || len(r.Hits) != 2 || r.Hits[0].ID != "id-69" ||
			string(r.Hits[0].Source) != `{"n":69}` || string(r.Hits[0].Sort[0]) != "69" || !strings.Contains(string(r.Aggregations), `"doc_count":10`) {
			t.Errorf("%+v", r)
		}
		r, err = c.Search(t.Context(), elastic.Search{Indices: []string{name}, Body: map[string]any{"track_total_hits": 10}})
		if err != nil || r.Total != 10 || !r.TotalIsLowerBound {
			t.Errorf("%+v %v", r, err)
		}
		r, err = c.Search(t.Context(), elastic.Search{Indices: []string{name}, Params: map[string][]string{"rest_total_hits_as_int": {"true"}}, Body: map[string]any{"track_total_hits": true}})
		if err != nil || r.Total != 70 {
			t.Errorf("%+v %v", r, err)
		}
		r, err = c.Search(t.Context(), elastic.Search{Indices: []string{name + "-none-*"}, AllowNoIndices: true})
		if err != nil || r.Total != 0 {
			t.Errorf("%+v %v", r, err)
		}
		for _, index := range []string{name + "-none", name + "-none-*"} {
			if _, err := c.Search(t.Context(), elastic.Search{Indices: []string{index}}); !elastic.IsNotFound(err) || !strings.Contains(err.Error(), "try: check the index names") {
				t.Error(err)
			}
		}
	})
}

// A field that is a keyword in one index and text in the other makes the search fail on the shards of
// one of them: really partial answers.
func TestPartialAnswersOfRealNodes(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name+"-1", 1)
		fill(t, c, name+"-1", 0, 5)
		if err := c.Do(t.Context(), "PUT", "/"+name+"-2", nil, map[string]any{"mappings": map[string]any{"properties": map[string]any{"user": map[string]any{"type": "text"}}}}, nil); err != nil {
			t.Fatal(err)
		}
		fill(t, c, name+"-2", 0, 5)
		_, err := c.Search(t.Context(), elastic.Search{Indices: []string{name + "-*"}, Body: map[string]any{
			"aggs": map[string]any{"users": map[string]any{"terms": map[string]any{"field": "user"}}},
		}})
		var partial *elastic.PartialError
		if !errors.As(err, &partial) || partial.Failed != 1 || partial.Total != 2 || partial.Index != name+"-2" || !strings.Contains(partial.Reason, "user") {
			t.Errorf("%+v", err)
		}
		_, err = c.Scan(elastic.Scan{Indices: []string{name + "-*"}, Sort: []any{"user"}}).Next(t.Context())
		if !errors.As(err, &partial) {
			t.Errorf("%+v", err)
		}
		_, err = c.Search(t.Context(), elastic.Search{Indices: []string{name + "-*"}, Body: map[string]any{"terminate_after": 1}})
		if !errors.As(err, &partial) || !partial.TerminatedEarly {
			t.Errorf("%+v", err)
		}
	})
}
