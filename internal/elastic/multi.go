package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"tocsin/internal/jsonscan"
)

const multiPath = "/_msearch"

// MultiSearch runs searches in one request and answers in their order. An answer that lacks anything and a
// search that is refused are errors of all of them. Params of a search are left out.
func (c *Client) MultiSearch(ctx context.Context, searches []Search) ([]*Response, error) {
	items, err := c.multi(ctx, searches)
	if err != nil {
		return nil, err
	}
	out := make([]*Response, len(items))
	for i, one := range items {
		if one.err != nil {
			return nil, one.err
		}
		out[i] = one.response
	}
	return out, nil
}

// item is the answer to one search of many: one of the two.
type item struct {
	response *Response
	err      error
}

// multi runs searches in one request. Each has an answer or an error of its own, the same as alone.
func (c *Client) multi(ctx context.Context, searches []Search) ([]item, error) {
	body, err := multiBody(searches)
	if err != nil {
		return nil, fmt.Errorf("%swrite the request: %w", prefix(c.name), err)
	}
	var text []byte
	r := request{method: http.MethodPost, path: multiPath, body: body, ndjson: true, reads: true}
	if _, err := c.send(ctx, r, &text); err != nil {
		return nil, err
	}
	answers, err := readAnswers(text)
	if err != nil || len(answers) != len(searches) {
		reason := fmt.Sprintf("%d searches were answered of %d", len(answers), len(searches))
		if err != nil {
			reason = "the answer is not one of many searches: " + err.Error()
		}
		return nil, &Error{Source: c.name, Status: http.StatusOK, Method: http.MethodPost, Path: multiPath, Reason: reason}
	}
	out := make([]item, len(searches))
	for i, a := range answers {
		out[i] = c.item(&searches[i], a)
	}
	return out, nil
}

// multiBody is the request for searches.
func multiBody(searches []Search) ([]byte, error) {
	var body bytes.Buffer
	for i, s := range searches {
		over := map[string]any{"ignore_unavailable": s.IgnoreUnavailable, "allow_no_indices": s.AllowNoIndices}
		if len(s.Indices) > 0 {
			over["index"] = s.Indices
		}
		for _, part := range []any{over, s.Body} {
			text, err := marshalBody(part)
			if err != nil {
				return nil, fmt.Errorf("search %d: %w", i, err)
			}
			body.Write(text)
			body.WriteByte('\n')
		}
	}
	return body.Bytes(), nil
}

// readAnswers reads the answers to many searches. They stay parts of the text.
func readAnswers(text []byte) (out []*answer, err error) {
	err = jsonscan.Object(text, func(name string, value []byte) error {
		if name != "responses" {
			return nil
		}
		if len(value) == 0 || value[0] != '[' {
			return errOther
		}
		_, err := jsonscan.Elements(value, 0, 0, func(i, depth int) (int, error) {
			end, err := jsonscan.Value(value, i, depth)
			if err != nil {
				return end, err
			}
			a := &answer{}
			if readAnswer(value[i:end:end], a) != nil {
				*a = answer{}
				err = json.Unmarshal(value[i:end], a)
			}
			out = append(out, a)
			return end, err
		})
		return err
	})
	if err != nil && !errors.Is(err, errOther) {
		return nil, fmt.Errorf("read the answers: %w", err)
	}
	return out, err
}

// item makes sure that an answer is whole.
func (c *Client) item(s *Search, a *answer) item {
	path := IndexPath(s.Indices, "_search")
	if len(a.Error) > 0 || a.Shards == nil {
		var why cause
		_ = json.Unmarshal(a.Error, &why) // of another shape, it has no word of its own
		root := why.root()
		return item{err: &Error{Source: c.name, Status: a.Status, Type: root.Type, Reason: c.redact.Replace(root.Reason), Method: http.MethodPost, Path: path}}
	}
	if !limited(nil, s.Body) {
		a.TerminatedEarly = false // see search
	}
	if err := a.partial(); err != nil {
		err.Source, err.Method, err.Path, err.Reason = c.name, http.MethodPost, path, c.redact.Replace(err.Reason)
		return item{err: err}
	}
	return item{response: a.response()}
}
