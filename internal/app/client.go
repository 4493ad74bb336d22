package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"

	"tocsin/internal/store"
)

// Client asks the API of a data directory, for commands.
type Client struct {
	http  *http.Client
	close func() error
}

// Connect reaches the process that serves the data directory through its socket. Where none does, it
// takes the directory itself for as long as the Client lives; nothing is read or sent meanwhile.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if _, err := os.Stat(o.Config.DataDir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no data in %s yet: run `tocsin serve` first, or name its configuration with --config", o.Config.DataDir)
	}
	if st, err := os.Stat(o.Config.DataDir); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("data_dir %s is a file: name a directory", o.Config.DataDir)
	}
	if c, err := dial(o.Config.DataDir); err == nil {
		return c, nil
	} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, err
	}
	a, err := newQuiet(ctx, o)
	var served *store.ServedError
	if errors.As(err, &served) { // it was just starting
		return dial(o.Config.DataDir)
	}
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() {
		if err := a.serve(run, a.socket, a.web.Local()); err != nil {
			a.log.Warn("the socket was not closed well", "error", err)
		}
	})
	if a.engine != nil {
		done.Go(func() {
			if err := a.engine.run(run); err != nil {
				a.log.Error("the log store stopped", "error", err)
			}
		})
	}
	c, err := dial(o.Config.DataDir)
	if err != nil {
		stop()
		done.Wait()
		return nil, errors.Join(err, a.Close())
	}
	c.close = func() error {
		stop()
		done.Wait()
		return a.Close()
	}
	return c, nil
}

// newQuiet makes the app for its API alone, on any free port.
func newQuiet(ctx context.Context, o Options) (*App, error) {
	quiet := *o.Config
	quiet.Listen = loopbackAnyPort
	o.Config = &quiet
	return New(ctx, o)
}

func dial(dir string) (*Client, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("reach the process that serves %s: %w", dir, err)
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	return &Client{
		http: &http.Client{Transport: transport},
		close: func() error {
			transport.CloseIdleConnections()
			return nil
		},
	}, nil
}

// Close ends the connection and gives the data directory back if Connect took it.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return c.close()
}

// Get asks for a path and reads the answer's JSON into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Send(ctx, http.MethodGet, path, nil, out)
}

// Post asks for something to be done and reads the answer's JSON into out.
func (c *Client) Post(ctx context.Context, path string, out any) error {
	return c.Send(ctx, http.MethodPost, path, nil, out)
}
