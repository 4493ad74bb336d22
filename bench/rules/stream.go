package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"tocsin/bench/cluster"
)

// The shape of the documents: failed and accepted logins on hosts, so many a second, as a shipper brings them: each
// second those of the second before. Some users are guessed at, a few are intruders.
const (
	perSecond = 100
	hosts     = 50
	users     = 500
	intruders = 10
)

// stream is an index into which documents come.
type stream struct {
	cluster *cluster.Cluster
	index   string
	dice    *rand.Rand
}

func (b *bench) open(ctx context.Context, index string) (*stream, error) {
	keyword := map[string]any{"type": "keyword"}
	date := map[string]any{"type": "date"}
	body := map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "1s"},
		"mappings": map[string]any{"properties": map[string]any{
			"@timestamp": date, "event": map[string]any{"properties": map[string]any{"ingested": date, "action": keyword, "outcome": keyword}},
			"user": map[string]any{"properties": map[string]any{"name": keyword}}, "host": map[string]any{"properties": map[string]any{"name": keyword}},
			"source":  map[string]any{"properties": map[string]any{"ip": map[string]any{"type": "ip"}, "port": map[string]any{"type": "integer"}}},
			"message": map[string]any{"type": "text"},
		}},
	}
	s := &stream{cluster: &b.cluster, index: index, dice: rand.New(rand.NewPCG(b.seed, 2))}
	return s, s.cluster.Ask(ctx, http.MethodPut, "/"+index, body, nil)
}

// document is one of the time at, by chance, as it is taken in a second later.
func (s *stream) document(at time.Time) map[string]any {
	host, user, outcome := s.dice.IntN(hosts), fmt.Sprintf("user-%03d", s.dice.IntN(users)), "failure"
	switch n := s.dice.IntN(1000); {
	case n < 2:
		user = fmt.Sprintf("intruder-%d", s.dice.IntN(intruders))
	case n < 20:
		host, user = 0, "guessed"
	case n < 300:
		outcome = "success"
	}
	ip := fmt.Sprintf("10.%d.%d.%d", s.dice.IntN(4), s.dice.IntN(256), s.dice.IntN(256))
	return map[string]any{
		"@timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"event":      map[string]any{"ingested": at.Add(time.Second).UTC().Format("2006-01-02T15:04:05.000Z"), "action": "ssh_login", "outcome": outcome},
		"user":       map[string]any{"name": user}, "host": map[string]any{"name": fmt.Sprintf("web-%02d", host)},
		"source": map[string]any{"ip": ip, "port": 1024 + s.dice.IntN(60000)}, "message": fmt.Sprintf("Failed password for %s from %s port 22 ssh2", user, ip),
	}
}

// fill stores the documents of the seconds from so many before now up to now.
func (s *stream) fill(ctx context.Context, seconds int) error {
	now := time.Now().Truncate(time.Second)
	var lines bytes.Buffer
	for n := seconds; n > 0; n-- {
		if err := s.write(&lines, now.Add(-time.Duration(n)*time.Second)); err != nil {
			return err
		}
		if n%50 == 1 || n == 1 {
			if err := s.send(ctx, &lines); err != nil {
				return err
			}
		}
	}
	return s.cluster.Ask(ctx, http.MethodPost, "/"+s.index+"/_refresh", nil, nil)
}

// write adds the documents of the second that begins at a time.
func (s *stream) write(lines *bytes.Buffer, at time.Time) error {
	for i := range perSecond {
		text, err := json.Marshal(s.document(at.Add(time.Duration(i) * time.Second / perSecond)))
		if err != nil {
			return err
		}
		fmt.Fprintf(lines, "{\"create\":{}}\n%s\n", text)
	}
	return nil
}

func (s *stream) send(ctx context.Context, lines *bytes.Buffer) error {
	if lines.Len() == 0 {
		return nil
	}
	var answer struct {
		Errors bool `json:"errors"`
	}
	if err := s.cluster.Send(ctx, http.MethodPost, "/"+s.index+"/_bulk", lines.Bytes(), &answer); err != nil {
		return err
	}
	lines.Reset()
	if answer.Errors {
		return fmt.Errorf("%s refused documents", s.index)
	}
	return nil
}

// flow stores each second the documents of the second before, until ctx ends. Errors go to trouble.
func (s *stream) flow(ctx context.Context, trouble chan<- error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	next := time.Now().Truncate(time.Second)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var lines bytes.Buffer
		for ; next.Before(time.Now().Add(-time.Second)); next = next.Add(time.Second) {
			if err := s.write(&lines, next); err != nil {
				trouble <- err
				return
			}
		}
		if err := s.send(ctx, &lines); err != nil && ctx.Err() == nil {
			trouble <- err
			return
		}
	}
}

// cpu is how long the node's process has worked.
func (s *stream) cpu(ctx context.Context) (time.Duration, error) {
	var answer struct {
		Nodes map[string]struct {
			Process struct {
				CPU struct {
					Total int64 `json:"total_in_millis"`
				} `json:"cpu"`
			} `json:"process"`
		} `json:"nodes"`
	}
	if err := s.cluster.Ask(ctx, http.MethodGet, "/_nodes/stats/process", nil, &answer); err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, n := range answer.Nodes {
		sum += n.Process.CPU.Total
	}
	return time.Duration(sum) * time.Millisecond, nil
}

// close removes the index.
func (s *stream) close() error {
	return s.cluster.Ask(context.Background(), http.MethodDelete, "/"+s.index, nil, nil)
}
