// Package cluster owns the plainest way to a search cluster that measurements fill and empty. What is measured
// does not go through it.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Cluster is a node of OpenSearch or Elasticsearch.
type Cluster struct{ URL string }

// Ask sends a body as JSON and reads the answer into a value; nil is neither.
func (c *Cluster) Ask(ctx context.Context, method, path string, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return c.Send(ctx, method, path, raw, into)
}

// Send sends a body as it is. An answer of 300 or above is an error.
func (c *Cluster) Send(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: HTTP %d: %.500s", method, path, resp.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// MakeLogs makes an index for events of sshd, with a field for each of their parts.
func (c *Cluster) MakeLogs(ctx context.Context, index string) error {
	keyword := map[string]any{"type": "keyword"}
	return c.Ask(ctx, http.MethodPut, "/"+index, map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
		"mappings": map[string]any{"properties": map[string]any{
			"@timestamp": map[string]any{"type": "date"}, "event.action": keyword, "event.outcome": keyword, "user.name": keyword,
			"host.name": keyword, "source.ip": map[string]any{"type": "ip"}, "source.port": map[string]any{"type": "integer"},
			"process.pid": map[string]any{"type": "long"}, "message": map[string]any{"type": "text"},
		}},
	}, nil)
}
