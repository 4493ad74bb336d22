package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// freshWait is how long connections with a request that is being read get before a server stops: it would close them
// without an answer.
const freshWait = 500 * time.Millisecond

// fresh are the connections of a server that were just taken, or on which a request begins that no handler has yet.
// The zero fresh has none.
type fresh struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

type freshKey struct{}

// state is the ConnState of the server.
func (f *fresh) state(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s != http.StateNew && s != http.StateActive {
		delete(f.conns, c)
		return
	}
	if f.conns == nil {
		f.conns = map[net.Conn]bool{}
	}
	f.conns[c] = true
}

// with is for the ConnContext of the server: its handlers know of which connection they are.
func (f *fresh) with(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, freshKey{}, c)
}

// handler stands before the server's.
func (f *fresh) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(freshKey{}).(net.Conn); ok {
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// wait waits until there are none, or for as long.
func (f *fresh) wait(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		n := len(f.conns)
		f.mu.Unlock()
		if n == 0 {
			return
		}
	}
}
