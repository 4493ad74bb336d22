package elastic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// Search is one request to _search.
type Search struct {
	Indices []string // names, aliases, patterns; none means all
	Body    any      // query, aggs, sort and so on, as JSON; nil matches all

	// IgnoreUnavailable leaves out indices that are missing or closed; else they are errors.
	IgnoreUnavailable bool
	// AllowNoIndices makes patterns that match nothing an empty answer; else they are an error.
	AllowNoIndices bool
	// Params are added to the request, such as request_cache.
	Params url.Values
}

// Response is a whole answer of _search.
type Response struct {
	Took int64 // milliseconds
	// Total counts what matches. Without track_total_hits in the body the cluster counts to 10,000 only.
	Total int64
	// TotalIsLowerBound says that more than Total match.
	TotalIsLowerBound bool
	Shards            Shards
	Hits              []Hit
	Aggregations      json.RawMessage // nil without aggregations
}

// Shards counts the shards of an answer. Skipped ones had nothing to find and count as successful.
type Shards struct {
	Total      int           `json:"total"`
	Successful int           `json:"successful"`
	Skipped    int           `json:"skipped"`
	Failed     int           `json:"failed"`
	Failures   []shardFailed `json:"failures"`
}

// Hit is one document. Source and Fields are nil where they were not asked for.
type Hit struct {
	Index       string            `json:"_index"`
	ID          string            `json:"_id"`
	Version     int64             `json:"_version"`      // 0 unless asked for
	SeqNo       *int64            `json:"_seq_no"`       // nil unless asked for
	PrimaryTerm *int64            `json:"_primary_term"` // nil unless asked for
	Source      json.RawMessage   `json:"_source"`
	Fields      json.RawMessage   `json:"fields"`
	Sort        []json.RawMessage `json:"sort"`
}

// answer is what _search and _search/scroll give.
type answer struct {
	Took            int64   `json:"took"`
	TimedOut        bool    `json:"timed_out"`
	TerminatedEarly bool    `json:"terminated_early"`
	Shards          *Shards `json:"_shards"` // nil: not the answer of a cluster
	Clusters        struct {
		Skipped int `json:"skipped"`
		Partial int `json:"partial"`
		Failed  int `json:"failed"`
	} `json:"_clusters"`
	Hits struct {
		Total json.RawMessage `json:"total"`
		Hits  []Hit           `json:"hits"`
	} `json:"hits"`
	Aggregations json.RawMessage `json:"aggregations"`
	PIT          string          `json:"pit_id"`
	Scroll       string          `json:"_scroll_id"`

	// Of an item of _msearch.
	Status int             `json:"status"`
	Error  json.RawMessage `json:"error"`
}

// Search runs one search. An answer that lacks anything is a [*PartialError].
func (c *Client) Search(ctx context.Context, s Search) (*Response, error) {
	a, err := c.search(ctx, IndexPath(s.Indices, "_search"), indicesParams(s.Params, s.IgnoreUnavailable, s.AllowNoIndices), s.Body)
	if err != nil {
		return nil, err
	}
	return a.response(), nil
}

// search asks and makes sure that the answer is whole.
func (c *Client) search(ctx context.Context, path string, params url.Values, body any) (*answer, error) {
	var a answer
	if err := c.Do(ctx, http.MethodPost, path, params, body, &a); err != nil {
		return nil, err
	}
	if a.Shards == nil {
		return nil, &Error{Source: c.name, Status: http.StatusOK, Method: http.MethodPost, Path: path, Reason: "the answer has no _shards, is this the address of a cluster?"}
	}
	if a.Scroll != "" || !limited(params, body) {
		// Each page of a scroll in index order ends early, by an optimisation of the cluster's own, and
		// OpenSearch 3 says so of aggregations that are complete.
		a.TerminatedEarly = false
	}
	if err := a.partial(); err != nil {
		err.Source, err.Method, err.Path, err.Reason = c.name, http.MethodPost, path, c.redact.Replace(err.Reason)
		return nil, err
	}
	return &a, nil
}

// limited reports whether a search asks to end early, after so many documents of a shard.
func limited(params url.Values, body any) bool {
	const limit = "terminate_after"
	if params.Has(limit) {
		return true
	}
	if m, ok := body.(map[string]any); ok {
		_, ok = m[limit]
		return ok
	}
	text, err := json.Marshal(body)
	if err != nil {
		return true
	}
	var m map[string]json.RawMessage
	return json.Unmarshal(text, &m) == nil && m[limit] != nil
}

// partial says what the answer lacks, or nil. Shards without a copy in reach are missing from successful
// and, on some versions, not told as failed.
func (a *answer) partial() *PartialError {
	e := &PartialError{
		Failed: max(a.Shards.Failed, a.Shards.Total-a.Shards.Successful), Total: a.Shards.Total,
		TimedOut: a.TimedOut, TerminatedEarly: a.TerminatedEarly,
		ClustersMissing: a.Clusters.Skipped + a.Clusters.Partial + a.Clusters.Failed,
	}
	if e.Failed == 0 && !e.TimedOut && !e.TerminatedEarly && e.ClustersMissing == 0 {
		return nil
	}
	if len(a.Shards.Failures) > 0 {
		first := a.Shards.Failures[0]
		root := first.Reason.root()
		e.Type, e.Reason, e.Index = root.Type, root.Reason, first.Index
	}
	return e
}

func (a *answer) response() *Response {
	r := &Response{Took: a.Took, Shards: *a.Shards, Hits: a.Hits.Hits, Aggregations: a.Aggregations}
	var total struct {
		Value    int64  `json:"value"`
		Relation string `json:"relation"`
	}
	if json.Unmarshal(a.Hits.Total, &total) == nil {
		r.Total, r.TotalIsLowerBound = total.Value, total.Relation == "gte"
	} else if n, err := strconv.ParseInt(string(a.Hits.Total), 10, 64); err == nil {
		r.Total = n // rest_total_hits_as_int
	}
	return r
}

// indicesParams always says both, because the APIs' defaults differ.
func indicesParams(params url.Values, ignoreUnavailable, allowNoIndices bool) url.Values {
	out := url.Values{
		"ignore_unavailable": {strconv.FormatBool(ignoreUnavailable)},
		"allow_no_indices":   {strconv.FormatBool(allowNoIndices)},
	}
	for key, values := range params {
		out[key] = values
	}
	return out
}
