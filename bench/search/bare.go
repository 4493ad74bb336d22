package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// searches are those whose time is compared with that of their requests alone.
var searches = []string{
	"event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10",
	"event.action:ssh_login and event.outcome:failure | count by user.name over 5m | search count > 10",
	"event.outcome:failure | stats count, sum(source.port), dc(user.name) by host.name",
	"event.outcome:failure | count by span(_time, 5m), host.name",
	"host.name:web-07 | fields @timestamp, user.name, source.ip",
}

// bare measures searches beside the requests that they send.
func (b *bench) bare(ctx context.Context) error {
	fmt.Println("searches beside the same requests sent bare, median of the runs:")
	for _, query := range searches {
		requests, err := b.record(ctx, query)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		var whole, alone []time.Duration
		for range b.runs {
			if err := b.cluster.forget(ctx, b.index); err != nil {
				return err
			}
			took, _, _, err := b.search(ctx, b.cluster.URL, query)
			if err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			whole = append(whole, took)
			if err := b.cluster.forget(ctx, b.index); err != nil {
				return err
			}
			if took, err = b.replay(ctx, requests); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			alone = append(alone, took)
		}
		fmt.Printf("  %s\n    %d requests, search %s, bare %s, ratio %.2f\n", query, len(requests), median(whole).Round(time.Millisecond),
			median(alone).Round(time.Millisecond), float64(median(whole))/float64(median(alone)))
	}
	return nil
}

// request is one that a search sent, how it was answered, and the ids that its answer gave to later ones.
type request struct {
	method, path string
	header       http.Header
	body         []byte
	status       int
	gave         []string
}

// record runs a search through a proxy.
func (b *bench) record(ctx context.Context, query string) ([]request, error) {
	var (
		mu  sync.Mutex
		all []request
	)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		q := request{method: r.Method, path: r.URL.RequestURI(), header: r.Header.Clone(), body: body}
		status, header, answer, err := b.forward(r.Context(), q)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		q.status, q.gave = status, given(answer)
		mu.Lock()
		all = append(all, q)
		mu.Unlock()
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}))
	defer proxy.Close()
	_, _, _, err := b.search(ctx, proxy.URL, query)
	return all, err
}

// replay sends requests again, one after another, each answer read whole and thrown away.
func (b *bench) replay(ctx context.Context, requests []request) (time.Duration, error) {
	var swap []string
	began := time.Now()
	for _, q := range requests {
		again := strings.NewReplacer(swap...)
		q.path, q.body = again.Replace(q.path), []byte(again.Replace(string(q.body)))
		status, _, answer, err := b.forward(ctx, q)
		if err != nil {
			return 0, err
		}
		if status != q.status {
			return 0, fmt.Errorf("%s %s: HTTP %d: %.300s", q.method, q.path, status, answer)
		}
		now := given(answer)
		for i, id := range q.gave {
			if i < len(now) && now[i] != id {
				swap = append(swap, id, now[i])
			}
		}
	}
	return time.Since(began), nil
}

// forward sends a request as it stands, the coding of its answer included: nothing is unpacked here.
func (b *bench) forward(ctx context.Context, q request) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, b.cluster.URL+q.path, bytes.NewReader(q.body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header = q.header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

// given are the ids of a scroll or a point in time in an answer, which begins or ends with them.
func given(answer []byte) []string {
	if !bytes.Contains(answer, []byte(`"_scroll_id"`)) && !bytes.Contains(answer, []byte(`"pit_id"`)) && len(answer) > 2000 {
		return nil
	}
	var ids struct {
		Scroll string `json:"_scroll_id"`
		Point  string `json:"pit_id"`
		ID     string `json:"id"`
	}
	if json.Unmarshal(answer, &ids) != nil {
		return nil
	}
	var out []string
	for _, id := range []string{ids.Scroll, ids.Point, ids.ID} {
		if id != "" {
			out = append(out, id)
		}
	}
	return out
}
