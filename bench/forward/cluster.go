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

	"tocsin/internal/demo"
)

// cluster is the node that documents are put into.
type cluster struct{ url string }

// space is an index of detections behind the alias that a Kibana space has.
type space struct {
	cluster *cluster
	name    string
	index   string
	alias   string
}

// open makes the index of a space of its own.
func (c *cluster) open(ctx context.Context) (*space, error) {
	s := &space{cluster: c, name: "bench-" + lower(rand.Text()[:10])}
	s.index, s.alias = ".internal.alerts-security.alerts-"+s.name+"-000001", ".alerts-security.alerts-"+s.name
	body := demo.DetectionsIndex("8.19", 1)
	body["aliases"] = map[string]any{s.alias: map[string]any{}}
	return s, c.ask(ctx, http.MethodPut, "/"+s.index, body, nil)
}

// put stores documents and makes them visible.
func (s *space) put(ctx context.Context, documents []demo.Detection) error {
	for len(documents) > 0 {
		var lines bytes.Buffer
		for len(documents) > 0 && lines.Len() < 8<<20 {
			fmt.Fprintf(&lines, "{\"create\":{\"_id\":%q}}\n%s\n", documents[0].ID, documents[0].Source)
			documents = documents[1:]
		}
		var answer struct {
			Errors bool `json:"errors"`
		}
		if err := s.cluster.send(ctx, http.MethodPost, "/"+s.index+"/_bulk", lines.Bytes(), &answer); err != nil {
			return err
		}
		if answer.Errors {
			return fmt.Errorf("%s refused documents", s.index)
		}
	}
	return s.refresh(ctx)
}

// add stores one document that no search sees before the next refresh.
func (s *space) add(ctx context.Context, d demo.Detection) error {
	return s.cluster.send(ctx, http.MethodPut, "/"+s.index+"/_create/"+d.ID, d.Source, nil)
}

func (s *space) refresh(ctx context.Context) error {
	return s.cluster.ask(ctx, http.MethodPost, "/"+s.index+"/_refresh", nil, nil)
}

// close removes the index.
func (s *space) close() error {
	return s.cluster.ask(context.Background(), http.MethodDelete, "/"+s.index, nil, nil)
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

// dropAll removes the indices whose names begin so.
func (c *cluster) dropAll(prefix string) error {
	var indices map[string]any
	prefix = strings.TrimSpace(prefix)
	if prefix == "" {
		return nil
	}
	if err := c.ask(context.Background(), http.MethodGet, "/"+prefix+"*", nil, &indices); err != nil {
		return err
	}
	for name := range indices {
		if err := c.ask(context.Background(), http.MethodDelete, "/"+name, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
