package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// cluster is the node that is searched.
type cluster struct{ url string }

// fill makes an index of log events and returns its name.
func (c *cluster) fill(ctx context.Context, seed uint64, documents int) (string, error) {
	index := "bench-search-" + strings.ToLower(rand.Text()[:10])
	keyword := map[string]any{"type": "keyword"}
	err := c.ask(ctx, http.MethodPut, "/"+index, map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
		"mappings": map[string]any{"properties": map[string]any{
			"@timestamp": map[string]any{"type": "date"}, "event.action": keyword, "event.outcome": keyword, "user.name": keyword,
			"host.name": keyword, "source.ip": map[string]any{"type": "ip"}, "source.port": map[string]any{"type": "integer"},
			"process.pid": map[string]any{"type": "long"}, "message": map[string]any{"type": "text"},
		}},
	}, nil)
	if err != nil {
		return "", err
	}
	events := newEvents(seed, documents)
	var lines bytes.Buffer
	for more := true; more; {
		lines.Reset()
		for lines.Len() < 8<<20 {
			if more = events.next(&lines); !more {
				break
			}
		}
		if lines.Len() == 0 {
			break
		}
		var answer struct {
			Errors bool `json:"errors"`
		}
		if err := c.send(ctx, http.MethodPost, "/"+index+"/_bulk", lines.Bytes(), &answer); err != nil {
			return "", err
		}
		if answer.Errors {
			return "", fmt.Errorf("%s refused documents", index)
		}
	}
	if err := c.ask(ctx, http.MethodPost, "/"+index+"/_refresh", nil, nil); err != nil {
		return "", err
	}
	return index, c.ask(ctx, http.MethodPost, "/"+index+"/_forcemerge?max_num_segments=5", nil, nil)
}

// forget empties the caches, so that a request sent twice is worked at twice.
func (c *cluster) forget(ctx context.Context, index string) error {
	return c.ask(ctx, http.MethodPost, "/"+index+"/_cache/clear", nil, nil)
}

func (c *cluster) drop(index string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.ask(ctx, http.MethodDelete, "/"+index, nil, nil)
}

func (c *cluster) ask(ctx context.Context, method, path string, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return c.send(ctx, method, path, raw, into)
}

func (c *cluster) send(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
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
