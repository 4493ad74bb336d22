package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/logstore"
	"tocsin/internal/query"
	"tocsin/internal/row"
)

// serve runs the engine alone: what the measured process does. It prints its address and ends with ctx.
func serve(ctx context.Context, dir string) error {
	store, err := logstore.New(ctx, logstore.Options{Dir: dir})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/_bulk", store.Handler())
	mux.Handle("/{index}/_bulk", store.Handler())
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) { answer(w, r, store) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	fmt.Println(listener.Addr())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return store.Run(ctx) })
	g.Go(func() error {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return server.Shutdown(context.WithoutCancel(ctx))
	})
	err = g.Wait()
	if closed := store.Close(); err == nil {
		err = closed
	}
	return err
}

// found is the answer to a search.
type found struct {
	Rows    int
	Plan    string
	Took    time.Duration
	Inexact []string
}

// answer runs one search: q, and from and to in RFC 3339, which may be left out.
func answer(w http.ResponseWriter, r *http.Request, store *logstore.Store) {
	out, err := search(r, store)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, "engine: answer a search:", err)
	}
}

func search(r *http.Request, store *logstore.Store) (*found, error) {
	began := time.Now()
	o := query.Options{Now: began}
	for name, to := range map[string]*time.Time{"from": &o.Earliest, "to": &o.Latest} {
		if text := r.FormValue(name); text != "" {
			var err error
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return nil, err
			}
		}
	}
	q, err := query.Compile(r.FormValue("q"), o)
	if err != nil {
		return nil, err
	}
	out := &found{}
	backend := logstore.NewBackend(store, nil)
	result, err := q.Stream(r.Context(), query.RunOptions{Backend: backend}, query.Sink{
		Columns: func([]string) error { return nil },
		Row: func(*row.Row) error {
			out.Rows++
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	out.Took, out.Inexact = time.Since(began), result.Inexact
	if r.FormValue("explain") != "" {
		out.Plan, err = q.Explain(r.Context(), backend)
	}
	return out, err
}
