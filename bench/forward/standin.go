package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tocsin/bench/standin"
	"tocsin/internal/demo"
)

// standIn is a Slack that only counts, for one run.
type standIn struct {
	URL    string
	server *http.Server

	mu    sync.Mutex
	count int
	first time.Time
	last  time.Time
	at    map[string]time.Time // when each delivery key was said
	more  chan struct{}
}

func newStandIn() (*standIn, error) {
	s := &standIn{at: map[string]time.Time{}, more: make(chan struct{}, 1)}
	var err error
	s.URL, s.server, err = standin.Slack(s.message)
	return s, err
}

func (s *standIn) message(e demo.SlackEvent) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind != "post" {
		return
	}
	if s.count++; s.count == 1 {
		s.first = now
	}
	s.last = now
	if e.Message.Key != "" {
		s.at[e.Message.Key] = now
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// await returns when n messages were said, or with an error when none came for too long.
func (s *standIn) await(ctx context.Context, n int, patience time.Duration) error {
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for {
		s.mu.Lock()
		count := s.count
		s.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return fmt.Errorf("%d of %d messages came, then none for %s", count, n, patience)
		case <-s.more:
			quiet.Reset(patience)
		}
	}
}

// pace is messages per second from the first to the last.
func (s *standIn) pace() (count int, perSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, float64(s.count-1) / s.last.Sub(s.first).Seconds()
}

func (s *standIn) said(key string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[key]
	return at, ok
}
