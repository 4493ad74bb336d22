package main

import (
	"net/http"
	"sync"
	"time"

	"tocsin/bench/standin"
	"tocsin/internal/demo"
)

// standIn is a Slack that notes when messages come.
type standIn struct {
	URL    string
	server *http.Server

	mu    sync.Mutex
	posts []post
	more  chan struct{}
}

// post is a message and when it came.
type post struct {
	at   time.Time
	text string
}

func newStandIn() (*standIn, error) {
	s := &standIn{more: make(chan struct{}, 1)}
	var err error
	s.URL, s.server, err = standin.Slack(s.message)
	return s, err
}

func (s *standIn) message(e demo.SlackEvent) {
	now := time.Now()
	if e.Kind != "post" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, post{now, e.Message.Text})
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *standIn) said() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}
