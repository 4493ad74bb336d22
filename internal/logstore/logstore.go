// Package logstore owns the embedded log engine: it takes events in over Elasticsearch's bulk API, durably
// and each once, keeps the documents as they came, and finds them again by time and by the values of
// fields. It does not parse log lines, knows no query language, and does not check who is asking.
package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// Options say where the store lives and how much it keeps.
type Options struct {
	// Dir holds everything of the store. It is made if missing; one process at a time may use it.
	Dir string
	// Retention is how long events are kept after their @timestamp, at least a day; zero is for ever. Older
	// events are refused. They go by whole days (UTC), so some stay up to a day longer.
	Retention time.Duration
	// MaxBytes limits what the engine holds on the disk; zero is no limit. The oldest days go first, the
	// newest two always stay.
	MaxBytes int64
	// FreeSpaceFloor is the free space on the disk below which events are refused; zero is 1 GiB.
	FreeSpaceFloor int64
	// MaxSearches is how many searches run at once, others wait; zero is 4.
	MaxSearches int
	// SearchMemory bounds in bytes what all searches hold at once, others wait; zero is 256 MiB.
	SearchMemory int64
	// Log gets what an operator must know. Nil is silence.
	Log *slog.Logger
	// Registerer gets the metrics. Nil is none.
	Registerer prometheus.Registerer
}

var (
	// ErrLocked says that another process uses the directory.
	ErrLocked = errors.New("the log store is in use by another process")
	errClosed = errors.New("the log store is closed")
)

// Store is the embedded log store. Its methods may be called concurrently.
type Store struct {
	options Options
	log     *slog.Logger
	metrics *metrics
	lock    *flock.Flock
	engine  *logstorage.Storage
	ids     *idIndex
	census  *census
	journal *writeLog

	// intake orders decisions: which id is new, and which seq an event gets.
	intake  sync.Mutex
	lastSeq atomic.Int64
	pending map[name]digest // decided, not in the id index yet; guarded by intake

	// handing is held for reading while rows go into the engine, for writing where none may.
	handing   sync.RWMutex
	touched   map[string]bool // days (YYYYMMDD) with rows the log still has; guarded by touching
	touching  sync.Mutex
	unflushed atomic.Bool // rows that searches may not see yet

	forgotten time.Time // when old ids were forgotten last; Run's alone

	searches chan struct{}
	memory   *semaphore.Weighted // bytes searches hold
	bulks    chan struct{}
	users    sync.RWMutex // held for reading by whoever uses the engine
	closed   bool         // guarded by users

	chunkRows int // how many documents a search holds in memory
	now       func() time.Time
	free      func() uint64
}

// New opens the store, and gives the engine what an earlier process acknowledged but did not get that far
// with. The caller runs Run, and calls Close after Run has returned.
func New(ctx context.Context, o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("open the log store: no directory given")
	}
	if o.Retention != 0 && o.Retention < 24*time.Hour {
		return nil, fmt.Errorf("open the log store: a retention of %s is too short: give at least 24h", o.Retention)
	}
	if o.FreeSpaceFloor == 0 {
		o.FreeSpaceFloor = 1 << 30
	}
	if o.MaxSearches <= 0 {
		o.MaxSearches = 4
	}
	if o.SearchMemory <= 0 {
		o.SearchMemory = 256 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the log store: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the log store: %w", err)
	}
	o.Dir = dir
	if err := prepareEngine(o.Log); err != nil {
		return nil, err
	}
	s := &Store{
		options:   o,
		log:       o.Log,
		lock:      flock.New(filepath.Join(dir, "lock")),
		pending:   map[name]digest{},
		touched:   map[string]bool{},
		searches:  make(chan struct{}, o.MaxSearches),
		memory:    semaphore.NewWeighted(o.SearchMemory),
		bulks:     make(chan struct{}, maxBulks),
		chunkRows: chunkRows,
		now:       time.Now,
		free:      func() uint64 { return freeSpace(dir) },
	}
	locked, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the log store: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("open %s: %w", dir, ErrLocked)
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log store: %w", err), s.shut())
	}
	s.metrics = newMetrics(o.Registerer, s)
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	var err error
	if s.ids, err = openIDs(ctx, filepath.Join(s.options.Dir, "ids.db")); err != nil {
		return err
	}
	s.engine = openEngine(filepath.Join(s.options.Dir, "engine"), s.options.Retention)
	if s.census, err = openCensus(filepath.Join(s.options.Dir, "fields"), s.engine.PartitionList()); err != nil {
		return err
	}
	// What a crash left of flush: it only takes space.
	s.engine.MustDeleteStalePartitionSnapshots(0)
	replayed := 0
	var lastSeq int64
	s.journal, lastSeq, err = openLog(filepath.Join(s.options.Dir, "log"), s.log, func(events []event) error {
		n, err := s.replay(ctx, events)
		replayed += n
		return err
	})
	if err != nil {
		return err
	}
	s.lastSeq.Store(lastSeq)
	if replayed > 0 {
		s.log.Info("events given to the engine again after a crash", "events", replayed)
	}
	return nil
}

// Close waits for searches and requests under way, puts everything on the disk and frees the directory.
func (s *Store) Close() error {
	s.users.Lock()
	defer s.users.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.shut(); err != nil {
		return fmt.Errorf("close the log store: %w", err)
	}
	return nil
}

func (s *Store) shut() error {
	var errs []error
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	if s.engine != nil {
		s.engine.MustClose()
	}
	if s.census != nil {
		errs = append(errs, s.census.close())
	}
	if s.ids != nil {
		errs = append(errs, s.ids.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// use keeps the store open until done is called.
func (s *Store) use() (done func(), err error) {
	s.users.RLock()
	if s.closed {
		s.users.RUnlock()
		return nil, errClosed
	}
	return s.users.RUnlock, nil
}

// Run shows new events to searches within half a second, moves the log on, and applies Retention and
// MaxBytes, until ctx is done.
func (s *Store) Run(ctx context.Context) error {
	show := time.NewTicker(500 * time.Millisecond)
	defer show.Stop()
	tidy := time.NewTicker(10 * time.Second)
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-show.C:
			if err := s.show(); err != nil {
				return err
			}
		case <-tidy.C:
			if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
				s.metrics.tidyErrors.Inc()
				s.log.Warn("log store not tidied", "error", err)
			}
		}
	}
}

func (s *Store) show() error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	if s.unflushed.Swap(false) {
		s.engine.DebugFlush()
	}
	return nil
}

// Ready says why the store takes no events now, or nil.
func (s *Store) Ready() error {
	if f := s.full(); f != nil {
		return errors.New(f.Reason)
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.broken
}
