package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Write is one change in a bulk request.
type Write struct {
	Op        string // create, index, update or delete
	Index, ID string // ID may be empty for create and index: the cluster makes one
	// Doc is the document, as JSON ([]byte and json.RawMessage as they are, on one line); for update the
	// changed fields; unused for delete.
	Doc any
	// IfSeqNo and IfPrimaryTerm make the change conditional; both or none.
	IfSeqNo, IfPrimaryTerm *int64
}

// Written is what became of one change.
type Written struct {
	Op          string `json:"-"`
	Index       string `json:"_index"`
	ID          string `json:"_id"`
	Status      int    `json:"status"` // of HTTP, for this change: 409 is a create of what is there
	Result      string `json:"result"` // created, updated, deleted, noop
	SeqNo       int64  `json:"_seq_no"`
	PrimaryTerm int64  `json:"_primary_term"`
	Type        string `json:"-"` // of the error, or ""
	Reason      string `json:"-"`
}

// OK reports whether the change was made.
func (w Written) OK() bool { return w.Status >= 200 && w.Status < 300 }

// Bulk makes changes, and tells of each in the same order. Its error means that the request failed as a
// whole: after a [*ConnectError] nobody knows what was done. Changes refused one by one are no error
// here: look at each. refresh is "", "true", "wait_for" or "false".
func (c *Client) Bulk(ctx context.Context, writes []Write, refresh string) ([]Written, error) {
	if len(writes) == 0 {
		return nil, nil
	}
	var body bytes.Buffer
	for i, w := range writes {
		if err := w.append(&body); err != nil {
			return nil, fmt.Errorf("%sbulk: change %d: %w", prefix(c.name), i, err)
		}
	}
	params := url.Values{}
	if refresh != "" {
		params.Set("refresh", refresh)
	}
	var answer struct {
		Items []map[string]struct {
			Written
			Error *cause `json:"error"`
		} `json:"items"`
	}
	r := request{method: http.MethodPost, path: "/_bulk", params: params, body: body.Bytes(), ndjson: true}
	if _, err := c.send(ctx, r, &answer); err != nil {
		return nil, err
	}
	if len(answer.Items) != len(writes) {
		return nil, fmt.Errorf("%sbulk: %d changes were answered of %d", prefix(c.name), len(answer.Items), len(writes))
	}
	out := make([]Written, len(writes))
	for i, item := range answer.Items {
		for op, one := range item {
			out[i] = one.Written
			out[i].Op = op
			if one.Error != nil {
				root := one.Error.root()
				out[i].Type, out[i].Reason = root.Type, c.redact.Replace(root.Reason)
			}
		}
	}
	return out, nil
}

func (w Write) append(body *bytes.Buffer) error {
	meta := map[string]any{"_index": w.Index}
	if w.ID != "" {
		meta["_id"] = w.ID
	}
	if w.IfSeqNo != nil {
		meta["if_seq_no"] = *w.IfSeqNo
	}
	if w.IfPrimaryTerm != nil {
		meta["if_primary_term"] = *w.IfPrimaryTerm
	}
	var doc any
	switch w.Op {
	case "create", "index":
		doc = w.Doc
	case "update":
		inner, err := marshalBody(w.Doc)
		if err != nil {
			return err
		}
		doc = map[string]any{"doc": json.RawMessage(inner)}
	case "delete":
	default:
		return fmt.Errorf("unknown operation %q", w.Op)
	}
	head, err := marshalBody(map[string]any{w.Op: meta})
	if err != nil {
		return err
	}
	body.Write(head)
	body.WriteByte('\n')
	if w.Op == "delete" {
		return nil
	}
	text, err := marshalBody(doc)
	if err != nil {
		return err
	}
	if !json.Valid(text) || bytes.ContainsAny(text, "\n\r") {
		var line bytes.Buffer
		if err := json.Compact(&line, text); err != nil {
			return fmt.Errorf("the document is not JSON: %w", err)
		}
		text = line.Bytes()
	}
	body.Write(text)
	body.WriteByte('\n')
	return nil
}
