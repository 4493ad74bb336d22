// Package standin owns the stand-in for Slack that measurements post to, on a free port of this machine. What it
// does with messages is its caller's.
package standin

import (
	"net"
	"net/http"
	"time"

	"tocsin/internal/demo"
)

// Slack serves a light stand-in that tells each of what happens; its address, and the server to close at the end.
func Slack(each func(demo.SlackEvent)) (url string, server *http.Server, err error) {
	slack := demo.NewSlack(demo.SlackOptions{Light: true, OnMessage: each})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server = &http.Server{Handler: slack, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	return "http://" + l.Addr().String(), server, nil
}
