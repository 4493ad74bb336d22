package main

import (
	"net"
	"net/http"
	"sync"
	"time"

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
	slack := demo.NewSlack(demo.SlackOptions{Light: true, OnMessage: s.message})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + l.Addr().String()
	s.server = &http.Server{Handler: slack, ReadHeaderTimeout: 10 * time.Second}
	go s.server.Serve(l) //nolint:errcheck // it ends when it is closed
	return s, nil
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
