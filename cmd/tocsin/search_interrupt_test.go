package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Ctrl-C and --timeout end the request under way; the cluster cancels the search of a connection that is closed.
func TestInterruptEndsTheRequestInTheCluster(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
		ctrlC bool
	}{
		{"ctrl-c", nil, true},
		{"timeout", []string{"--timeout", "1s"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, gone := make(chan struct{}, 100), make(chan struct{}, 100)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil { // a server sees a connection close once it has read the request
					return
				}
				asked <- struct{}{}
				<-r.Context().Done()
				gone <- struct{}{}
			}))
			defer server.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			status := make(chan int)
			go func() {
				p := &process{ctx: ctx, stdout: io.Discard, stderr: io.Discard, getenv: func(string) (string, bool) { return "", false }}
				status <- run(p, append(append([]string{"search", "--url", server.URL, "--index", "a"}, c.flags...), "a:1"))
			}()
			<-asked
			if c.ctrlC {
				cancel()
			}
			select {
			case <-gone:
			case <-time.After(time.Minute):
				t.Error("the request goes on")
			}
			select {
			case s := <-status:
				if s != exitFailed {
					t.Errorf("status %d", s)
				}
			case <-time.After(time.Minute):
				t.Error("the command goes on")
			}
		})
	}
}
