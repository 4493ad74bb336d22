package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/bench/process"
)

// question is what both are asked: which users had more than ten failed logins within five minutes.
const question = "event.action:ssh_login and event.outcome:failure | count by user.name over 5m | search count > 10"

// frequency asks the question of the program and of ElastAlert2's frequency rule.
func (b *bench) frequency(ctx context.Context, peer bool) error {
	var (
		took  []time.Duration
		peaks []int64
		users []string
	)
	for range b.runs {
		if err := b.cluster.forget(ctx, b.index); err != nil {
			return err
		}
		t, u, printed, err := b.search(ctx, b.cluster.URL, question)
		if err != nil {
			return err
		}
		took, peaks, users = append(took, t), append(peaks, u.Peak), nil
		for _, line := range printed {
			var found struct {
				User string `json:"user.name"`
			}
			if err := json.Unmarshal([]byte(line), &found); err != nil {
				return err
			}
			users = append(users, found.User)
		}
	}
	slices.Sort(users)
	users = slices.Compact(users)
	fmt.Printf("%s\n  tocsin: %s, %.0f MB, %d users\n", question, median(took).Round(time.Millisecond), float64(median(peaks))/1e6, len(users))
	if !peer {
		return nil
	}
	t, u, theirs, err := b.elastAlert(ctx)
	if err != nil {
		return fmt.Errorf("ElastAlert2: %w", err)
	}
	fmt.Printf("  ElastAlert2's frequency rule, one run: %s, %.0f MB, %d users\n", t.Round(time.Millisecond), float64(u.Peak)/1e6, len(theirs))
	fmt.Printf("  ratios: %.1f times less time, %.1f times less memory\n", float64(t)/float64(median(took)), float64(u.Peak)/float64(median(peaks)))
	if !slices.Equal(users, theirs) {
		return fmt.Errorf("they found other users: %v and %v", users, theirs)
	}
	return nil
}

var matched = regexp.MustCompile(`(?m)^ +"name": "(\S+)"$`)

// elastAlert runs the frequency rule once over all documents. Its memory is that of the process that searches.
func (b *bench) elastAlert(ctx context.Context) (took time.Duration, u process.Usage, users []string, err error) {
	dir, err := os.MkdirTemp(b.scratch, "elastalert-")
	if err != nil {
		return 0, u, nil, err
	}
	const layout = "2006-01-02T15:04:05"
	p, err := process.Start(dir, nil, filepath.Join(b.elastic, "frequency.sh"), b.cluster.URL, b.index, dir, b.from.Format(layout), b.to.Format(layout))
	if err != nil {
		return 0, u, nil, err
	}
	log := filepath.Join(dir, "matches.log")
	took, err = pass(ctx, log)
	u, failed := p.Stop()
	if err = errors.Join(err, failed); err != nil {
		text, _ := os.ReadFile(log)
		return 0, u, nil, fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	if state, failed := os.ReadFile(filepath.Join(dir, "state-index")); failed == nil {
		for _, suffix := range []string{"", "_status", "_silence", "_error", "_past"} {
			err = errors.Join(err, b.cluster.drop(strings.TrimSpace(string(state))+suffix))
		}
	}
	text, failed := os.ReadFile(log)
	if err = errors.Join(err, failed); err != nil {
		return 0, u, nil, err
	}
	for _, m := range matched.FindAllStringSubmatch(string(text), -1) {
		users = append(users, m[1])
	}
	slices.Sort(users)
	return took, u, slices.Compact(users), nil
}

// pass waits for a pass over the documents and tells how long it took: from its first page of documents
// to its end, so without the wait of up to 15 seconds before it.
func pass(ctx context.Context, log string) (time.Duration, error) {
	var began time.Time
	for {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		if began.IsZero() && bytes.Contains(text, []byte("Queried rule")) {
			began = time.Now()
		}
		if bytes.Contains(text, []byte("INFO:elastalert:Ran ")) {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
