package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/bench/cluster"
)

// node is the one that is searched.
type node struct{ cluster.Cluster }

// fill makes an index of log events and returns its name.
func (c *node) fill(ctx context.Context, seed uint64, documents int) (string, error) {
	index := "bench-search-" + strings.ToLower(rand.Text()[:10])
	err := c.MakeLogs(ctx, index)
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
		if err := c.Send(ctx, http.MethodPost, "/"+index+"/_bulk", lines.Bytes(), &answer); err != nil {
			return "", err
		}
		if answer.Errors {
			return "", fmt.Errorf("%s refused documents", index)
		}
	}
	if err := c.Ask(ctx, http.MethodPost, "/"+index+"/_refresh", nil, nil); err != nil {
		return "", err
	}
	return index, c.Ask(ctx, http.MethodPost, "/"+index+"/_forcemerge?max_num_segments=5", nil, nil)
}

// forget empties the caches, so that a request sent twice is worked at twice.
func (c *node) forget(ctx context.Context, index string) error {
	return c.Ask(ctx, http.MethodPost, "/"+index+"/_cache/clear", nil, nil)
}

func (c *node) drop(index string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.Ask(ctx, http.MethodDelete, "/"+index, nil, nil)
}
