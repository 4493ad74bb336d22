package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/internal/config"
	"tocsin/internal/logstore"
	"tocsin/internal/obs"
)

// enginePart is what the embedded log store is called in /readyz.
const enginePart = "log store"

// engineDir is where in data_dir the embedded log store is.
const engineDir = "logs"

// engineWait is for how long a request waits while the log store is being opened.
const engineWait = 30 * time.Second

// engine is the embedded log store of a process. It is opened when the process serves, and by a command
// beside no process only if it is asked for, as that may take a while after a crash.
type engine struct {
	name    string   // of its source
	indices []string // what searches read unless they name others
	options logstore.Options
	health  *obs.Health

	asking sync.Once
	wanted chan struct{} // closed once somebody asks for the store
	opened chan struct{} // closed once store or err is there
	store  *logstore.Store
	err    error
}

func newEngine(cfg *config.Config, log *slog.Logger, health *obs.Health, registry prometheus.Registerer) *engine {
	s := cfg.Embedded()
	if s == nil {
		return nil
	}
	return &engine{
		name: s.Name, indices: s.Indices,
		options: logstore.Options{
			Dir: filepath.Join(cfg.DataDir, engineDir), Retention: s.Store.Retention, MaxBytes: s.Store.MaxBytes, FreeSpaceFloor: s.Store.MinFree,
			Log: log, Registerer: registry,
		},
		health: health, wanted: make(chan struct{}), opened: make(chan struct{}),
	}
}

// ask makes run open the store.
func (e *engine) ask() { e.asking.Do(func() { close(e.wanted) }) }

// get waits until run has opened the store.
func (e *engine) get(ctx context.Context) (*logstore.Store, error) {
	e.ask()
	select {
	case <-e.opened:
		return e.store, e.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the log store is being opened: it reads what a crash left in its log: %w", ctx.Err())
	}
}

// run opens the store when somebody asks for it, and runs it until ctx ends. A store that cannot be opened
// is told by /readyz and leaves the rest of the program alone.
func (e *engine) run(ctx context.Context) error {
	select {
	case <-e.wanted:
	case <-ctx.Done():
		return nil
	}
	// Opening takes long only where there is much to replay.
	slow := time.AfterFunc(time.Second, func() {
		e.health.Set(enginePart, errors.New("is being opened: it replays what a crash left in its log"), "events are taken when that is done; shippers try again by themselves")
	})
	e.store, e.err = logstore.New(ctx, e.options)
	slow.Stop()
	close(e.opened)
	if e.err != nil {
		if ctx.Err() == nil {
			e.health.Set(enginePart, e.err, "no events are taken and none can be searched until this is mended and tocsin started again")
		}
		<-ctx.Done()
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.store.Run(ctx) })
	g.Go(func() error { return e.watch(ctx) })
	return g.Wait()
}

// watch tells /readyz whether the store takes events.
func (e *engine) watch(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		e.health.Set(enginePart, e.store.Ready(), "events are refused with status 429 or 503 until this is mended; shippers try again by themselves")
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// close closes the store if it was opened. run must have returned.
func (e *engine) close() error {
	if e.store == nil {
		return nil
	}
	return e.store.Close()
}

// ServeHTTP implements http.Handler for log shippers.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), engineWait)
	defer cancel()
	store, err := e.get(ctx)
	if err != nil {
		logstore.Unavailable(w, r, err)
		return
	}
	store.Handler().ServeHTTP(w, r)
}
