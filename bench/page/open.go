package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// every is how often an open page asks, as internal/web/assets/src/live.js has it.
const every = 5 * time.Second

// seen is what open pages saw of answers.
type seen struct {
	sync.Mutex
	took      map[string][]time.Duration // by path
	unchanged int
	bytes     int64
}

// open keeps pages open for a while and tells how they were answered, and what the program took.
func (b *bench) open(ctx context.Context, pages, tabs, rate int, length time.Duration) error {
	s := &seen{took: map[string][]time.Duration{}}
	paths := []string{"alerts", "rules", "alerts", "delivery"}
	before, err := b.process.Usage()
	if err != nil {
		return err
	}
	began := time.Now()
	end := began.Add(length)
	g, gctx := errgroup.WithContext(ctx)
	for i := range pages {
		g.Go(func() error {
			return b.page(gctx, s, paths[i%len(paths)], time.Duration(i)*every/time.Duration(pages), end)
		})
	}
	g.Go(func() error { // the alerts that come in
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for time.Now().Before(end) {
			if err := b.events(gctx, rate); err != nil {
				return err
			}
			select {
			case <-gctx.Done():
				return gctx.Err()
			case <-tick.C:
			}
		}
		return nil
	})
	var chrome tabsSaw
	if tabs > 0 && os.Getenv(packages) != "" {
		g.Go(func() error {
			return b.chromium(gctx, "tabs", &chrome, fmt.Sprint(tabs), fmt.Sprint(length.Milliseconds()))
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.process.Usage()
	if err != nil {
		return err
	}
	answers := 0
	for _, path := range []string{"alerts", "rules", "delivery"} {
		all := s.took[path]
		answers += len(all)
		fmt.Fprintf(b.out, "/%-9s %6d answers, %s median, %s p95, %s the longest\n", path, len(all), millis(quantile(all, .5)), millis(quantile(all, .95)), millis(quantile(all, 1)))
	}
	fmt.Fprintf(b.out, "%d pages open for %.0f s, %d alerts a second: %d answers, %d of them unchanged, %d bytes each, %.2f of a core, %d MiB resident at most\n",
		pages, length.Seconds(), rate, answers, s.unchanged, s.bytes/int64(max(1, answers)), (after.CPU-before.CPU).Seconds()/took.Seconds(), after.Peak>>20)
	if chrome.Tabs > 0 {
		fmt.Fprintf(b.out, "%d tabs of Chromium beside them: %d answers, %.0f ms p95, %d new rows shown\n", chrome.Tabs, chrome.Answers, chrome.P95, chrome.Rows)
	}
	return nil
}

// page does what the script of an open page does: it loads, then asks again with the name of what it has.
func (b *bench) page(ctx context.Context, s *seen, path string, wait time.Duration, end time.Time) error {
	tag := ""
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		if time.Now().After(end) {
			return nil
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Accept-Encoding", "gzip, deflate, br")
		if !first {
			req.Header.Set("HX-Request", "true")
			req.Header.Set("Tocsin-Live", "1")
			if tag != "" {
				req.Header.Set("If-None-Match", tag)
			}
		}
		began := time.Now()
		resp, err := b.client.Do(req)
		if err != nil {
			return fmt.Errorf("an open page: %w", err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close() //nolint:errcheck // only read
		took := time.Since(began)
		if err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotModified {
			return fmt.Errorf("an open page %s: %s, %w", path, resp.Status, err)
		}
		if !first {
			tag = resp.Header.Get("ETag")
			s.Lock()
			s.took[path] = append(s.took[path], took)
			s.bytes += n
			if resp.StatusCode == http.StatusNotModified {
				s.unchanged++
			}
			s.Unlock()
		}
		wait = every
	}
}

// completion measures what is offered while typing: the fields of a source, and the values of a field.
func (b *bench) completion(ctx context.Context, runs int) error {
	for _, one := range []struct{ what, query, prefix string }{{"fields", "user.na", ""}, {"values", "user.name:user-", ""}} {
		var all []time.Duration
		for range runs {
			body, err := json.Marshal(map[string]any{"query": one.query, "position": len(one.query), "from": "-24h"})
			if err != nil {
				return err
			}
			var found struct {
				Options []json.RawMessage `json:"options"`
			}
			began := time.Now()
			if err := b.send(ctx, http.MethodPost, "api/v1/complete", "application/json", bytes.NewReader(body), &found); err != nil {
				return err
			}
			all = append(all, time.Since(began))
			if len(found.Options) == 0 {
				return fmt.Errorf("no %s were offered for %s", one.what, one.query)
			}
		}
		fmt.Fprintf(b.out, "completion of %s: %s the first, %s median, %s p95 of %d\n", one.what, millis(all[0]), millis(quantile(all, .5)), millis(quantile(all, .95)), runs)
	}
	return nil
}

// quantile is the nearest rank.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
