// Package detect owns running rules: when each is due, which windows of event time it has covered, what
// it found there as episodes, and the alerts that come of them, which it hands to intake as a Source. It
// compiles no query, decides nothing about who is told, and says nothing to anyone.
package detect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/query"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// Source is a place of documents that rules search.
type Source struct {
	// Name is what rules call it.
	Name string
	// TimeField is the field with the time of an event; @timestamp when empty.
	TimeField string
	// IngestedField is the field with the time at which the source took an event in; event.ingested when
	// empty.
	IngestedField string
	// Precision is the smallest difference of times that it keeps; a millisecond when 0.
	Precision time.Duration
	// Late, where a source tells when it took events in otherwise than by a field, gives the documents that it took
	// in after a time and that happened before another, how many they are, and until when it looked. Times are the
	// source's own, in microseconds.
	Late func(ctx context.Context, indices []string, since int64, before time.Time) (open func() query.Backend, n int, until int64, err error)
	// Hold, where a source can, reads what it took in lately into memory, for many rules to look at: a backend that is
	// safe for concurrent use, nil where it is too much; how many documents; and the newest time of ingest, whenever
	// that event happened, in microseconds.
	Hold func(ctx context.Context, b query.Backend, l Lately) (held query.Backend, n int, newest int64, err error)
	// Open gives what is searched: some indices, or with none those of the source. It is called for each
	// run, where there is no Share, and asks the source nothing.
	Open func(ctx context.Context, indices []string) (query.Backend, error)
	// Share, where a source can, makes of a backend one for each of n runs that go on at the same time: what they
	// ask at once is sent as one request. leave tells that a run has ended, and gives whether what it asked was too
	// slow to be answered beside others.
	Share func(ctx context.Context, b query.Backend, n int) (runs []query.Backend, leave func(i int) (slow bool))
}

// Lately says which documents were taken in lately: those with a time in the field Ingested from Since on, and one in
// TimeField before another. More may be among them.
type Lately struct {
	From      []string // indices; nil reads those of the backend
	Ingested  string
	Since     time.Time
	TimeField string
	Before    time.Time
}

func (s *Source) timeField() string {
	if s.TimeField == "" {
		return "@timestamp"
	}
	return s.TimeField
}

func (s *Source) ingestedField() string {
	if s.IngestedField == "" {
		return "event.ingested"
	}
	return s.IngestedField
}

// Options say which rules run on what.
type Options struct {
	DB *store.DB
	// Rules gives all rules there are now. Changed tells that they may be others.
	Rules   func() []rule.Entry
	Sources []Source
	// Lookups gives the tables that searches may name now; nil for none. A rule keeps those there were when it was
	// prepared: Rules gives it anew where they have changed.
	Lookups func() map[string]*query.Table
	// Workers is how many batches of runs are under way on one source at once; 8 when 0. At most half of them catch
	// up. Runs that take long are counted beside them, at most as many.
	Workers int
	// Silence is after how long without any event a source is said to be silent; an hour when 0.
	Silence time.Duration
	// Keep is how long after it happened an event may come and is still judged with all that was found around it: what
	// is older is forgotten. 30 days when 0.
	Keep time.Duration
	// Now is the wall clock, by which turns are taken and windows judged; nil is the system's.
	Now func() time.Time
	Log *slog.Logger
	// Report takes each part's trouble and, with a nil error, its end. Nil reports nothing.
	Report     func(part string, err error, hint string)
	Registerer prometheus.Registerer // nil registers nothing
}

// Detector runs rules. It is a Source for intake, which keeps what it remembers: Run, and intake's own Run
// beside it, must be running for anything to happen.
type Detector struct {
	options Options
	db      *store.DB
	log     *slog.Logger
	report  func(part string, err error, hint string)
	sources map[string]*Source
	metrics *metrics
	wake    chan struct{}

	mu     sync.Mutex
	states map[string]*state
	// health is what is known of sources, by name.
	health map[string]*sourceHealth
	// arrived is what sources took in lately, by source and indices.
	arrived map[string]*arrived
	// flights are the batches under way; starved says that one waits for another to end. again is when it is looked
	// for what is due next.
	flights map[*flight]struct{}
	starved bool
	again   time.Time
	ended   chan struct{} // something ended that lets something else begin

	handing handing
}

// New makes a detector that goes on where the last one stopped.
func New(ctx context.Context, o Options) (*Detector, error) {
	if o.DB == nil || o.Rules == nil || o.Log == nil {
		return nil, errors.New("detect: DB, Rules and Log are required")
	}
	if o.Lookups == nil {
		o.Lookups = func() map[string]*query.Table { return nil }
	}
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.Silence == 0 {
		o.Silence = time.Hour
	}
	if o.Keep == 0 {
		o.Keep = keptFor
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(string, error, string) {}
	}
	d := &Detector{
		options: o, db: o.DB, log: o.Log, report: o.Report, sources: map[string]*Source{}, metrics: newMetrics(o.Registerer),
		wake: make(chan struct{}, 1), states: map[string]*state{}, health: map[string]*sourceHealth{}, arrived: map[string]*arrived{},
		flights: map[*flight]struct{}{}, ended: make(chan struct{}, 1),
	}
	d.handing.ready = make(chan struct{}, 1)
	for i := range o.Sources {
		s := &o.Sources[i]
		if s.Name == "" || s.Open == nil {
			return nil, errors.New("detect: a source needs Name and Open")
		}
		if d.sources[s.Name] != nil {
			return nil, fmt.Errorf("detect: two sources are called %s", s.Name)
		}
		d.sources[s.Name] = s
		d.health[s.Name] = &sourceHealth{}
	}
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		kept, err := memories(tx)
		for id, m := range kept {
			d.states[id] = &state{id: id, memory: m}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Changed tells that there may be other rules now. It never blocks.
func (d *Detector) Changed() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// source is the one a rule searches: by its name, or the only one there is.
func (d *Detector) source(name string) (*Source, error) {
	if name == "" && len(d.options.Sources) == 1 {
		return &d.options.Sources[0], nil
	}
	if s := d.sources[name]; s != nil {
		return s, nil
	}
	if name == "" {
		return nil, fmt.Errorf("the rule names no source, and there are %d: write source: in it", len(d.options.Sources))
	}
	return nil, fmt.Errorf("there is no source %q", name)
}

// now is the time by the wall alone, as everything stored is.
func (d *Detector) now() time.Time { return d.options.Now().Round(0) }
