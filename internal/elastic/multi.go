package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// MultiSearch runs searches in one request and answers in their order. An answer that lacks anything and a
// search that is refused are errors of all of them. Params of a search are left out.
func (c *Client) MultiSearch(ctx context.Context, searches []Search) ([]*Response, error) {
	const path = "/_msearch"
	var body bytes.Buffer
	for i, s := range searches {
		over := map[string]any{"ignore_unavailable": s.IgnoreUnavailable, "allow_no_indices": s.AllowNoIndices}
		if len(s.Indices) > 0 {
			over["index"] = s.Indices
		}
		head, err := marshalBody(over)
		if err != nil {
			return nil, fmt.Errorf("%ssearch %d: write the request: %w", prefix(c.name), i, err)
		}
		text, err := marshalBody(s.Body)
		if err != nil {
			return nil, fmt.Errorf("%ssearch %d: write the request: %w", prefix(c.name), i, err)
		}
		body.Write(head)
		body.WriteByte('\n')
		body.Write(text)
		body.WriteByte('\n')
	}
	var all struct {
		Responses []answer `json:"responses"`
	}
	r := request{method: http.MethodPost, path: path, body: body.Bytes(), ndjson: true, reads: true}
	if _, err := c.send(ctx, r, &all); err != nil {
		return nil, err
	}
	if len(all.Responses) != len(searches) {
		return nil, &Error{
			Source: c.name, Status: http.StatusOK, Method: http.MethodPost, Path: path,
			Reason: fmt.Sprintf("%d searches were answered of %d", len(all.Responses), len(searches)),
		}
	}
	out := make([]*Response, len(searches))
	for i := range all.Responses {
		a := &all.Responses[i]
		if len(a.Error) > 0 || a.Shards == nil {
			var why cause
			_ = json.Unmarshal(a.Error, &why) // of another shape, it has no word of its own
			root := why.root()
			return nil, &Error{Source: c.name, Status: a.Status, Type: root.Type, Reason: c.redact.Replace(root.Reason), Method: http.MethodPost, Path: path}
		}
		if !limited(nil, searches[i].Body) {
			a.TerminatedEarly = false // see search
		}
		if err := a.partial(); err != nil {
			err.Source, err.Method, err.Path, err.Reason = c.name, http.MethodPost, path, c.redact.Replace(err.Reason)
			return nil, err
		}
		out[i] = a.response()
	}
	return out, nil
}
