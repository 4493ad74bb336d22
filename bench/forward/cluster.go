package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"tocsin/bench/cluster"
	"tocsin/internal/demo"
)

// node is the one that documents are put into.
type node struct{ cluster.Cluster }

// space is an index of detections behind the alias that a Kibana space has.
type space struct {
	cluster *node
	name    string
	index   string
	alias   string
}

// open makes the index of a space of its own.
func (c *node) open(ctx context.Context) (*space, error) {
	s := &space{cluster: c, name: "bench-" + lower(rand.Text()[:10])}
	s.index, s.alias = ".internal.alerts-security.alerts-"+s.name+"-000001", ".alerts-security.alerts-"+s.name
	body := demo.DetectionsIndex("8.19", 1)
	body["aliases"] = map[string]any{s.alias: map[string]any{}}
	return s, c.Ask(ctx, http.MethodPut, "/"+s.index, body, nil)
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
		if err := s.cluster.Send(ctx, http.MethodPost, "/"+s.index+"/_bulk", lines.Bytes(), &answer); err != nil {
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
	return s.cluster.Send(ctx, http.MethodPut, "/"+s.index+"/_create/"+d.ID, d.Source, nil)
}

func (s *space) refresh(ctx context.Context) error {
	return s.cluster.Ask(ctx, http.MethodPost, "/"+s.index+"/_refresh", nil, nil)
}

// close removes the index.
func (s *space) close() error {
	return s.cluster.Ask(context.Background(), http.MethodDelete, "/"+s.index, nil, nil)
}

// dropAll removes the indices whose names begin so.
func (c *node) dropAll(prefix string) error {
	var indices map[string]any
	prefix = strings.TrimSpace(prefix)
	if prefix == "" {
		return nil
	}
	if err := c.Ask(context.Background(), http.MethodGet, "/"+prefix+"*", nil, &indices); err != nil {
		return err
	}
	for name := range indices {
		if err := c.Ask(context.Background(), http.MethodDelete, "/"+name, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
