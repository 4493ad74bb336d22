package kibana

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
)

// Options say which detections a Source reads and how.
type Options struct {
	// Name is the name of the source; it is part of every alert's ID.
	Name string
	// Client talks to the cluster. The Source neither makes nor closes it.
	Client *elastic.Client
	// Space is the Kibana space; empty is the default space.
	Space string
	// Poll is how long to wait after a quiet reading; 0 is 5 seconds.
	Poll time.Duration
	// Overlap is how far each poll reads back before the newest alert; 0 is 10 minutes.
	Overlap time.Duration
	// Since is how far back the first start reads; 0 is only what comes from then on.
	Since time.Duration
	// All makes the first start read everything there is, whatever Since says.
	All bool
	// Sweep is how far back a sweep looks for what polls missed; 0 is 24 hours.
	Sweep time.Duration
	// SweepEvery is how often a sweep is made; 0 is 10 minutes.
	SweepEvery time.Duration
	// KibanaURL is where people open Kibana; empty takes the links the documents carry.
	KibanaURL string
	// Held says why the alerts of a rule are kept back; nil, and a nil answer, keep back nothing.
	Held func(alert.Rule) *alert.Held
	// PageSize is how many documents one batch has at most; 0 is 120.
	PageSize int
	Log      *slog.Logger
	// Registerer takes the metrics; nil registers none.
	Registerer prometheus.Registerer
}

const (
	defaultPoll       = 5 * time.Second
	defaultOverlap    = 10 * time.Minute
	defaultSweep      = 24 * time.Hour
	defaultSweepEvery = 10 * time.Minute
	defaultPageSize   = 120

	// relocateEvery is how often an index that was not there, or not readable, is asked for again.
	relocateEvery = time.Minute
	// saveEvery is how much of quiet time, by the cluster's clock, is at most read again after a restart.
	saveEvery = time.Minute
)

// Source reads the detections of one Kibana space. Its methods are for one goroutine at a time, but for
// Name and Poll, and for Waiting, Describe and IDs, which share nothing with Fetch.
type Source struct {
	o       Options
	parser  *Parser
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time // our clock: only for waits, and for the floor while there is no index

	located   []string // the aliases that can be read; nil when it is to be asked
	locatedAt time.Time
	told      string // what was last logged of them

	state   state
	started bool
	saved   time.Time // Complete of the last state handed out
	memory  memory
	warm    bool // the memory holds the window: ids suffice to see what is new
	live    memory
	liveAt  int // where in the live ids the next look begins

	scan  *scan
	queue *queue
	sweep *sweep
	due   due
}

// due is what a reading still has to do after its documents.
type due struct{ poll, live, sweep bool }

// New makes a Source. Nothing is read before the first Fetch.
func New(o Options) (*Source, error) {
	if o.Client == nil || o.Log == nil {
		return nil, errors.New("kibana source: Client and Log are required")
	}
	if strings.ContainsAny(o.Space, ",*?\"<>|\\/ ") || o.Space != strings.ToLower(o.Space) {
		return nil, fmt.Errorf("kibana source %s: %q is no space's id: take it from the address of Kibana, after /s/", o.Name, o.Space)
	}
	if o.Space == "" {
		o.Space = defaultSpace
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"poll", &o.Poll, defaultPoll},
		{"overlap", &o.Overlap, defaultOverlap},
		{"since", &o.Since, 0},
		{"sweep", &o.Sweep, defaultSweep},
		{"sweep interval", &o.SweepEvery, defaultSweepEvery},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("kibana source %s: %s is negative", o.Name, d.name)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if o.PageSize <= 0 {
		o.PageSize = defaultPageSize
	}
	o.PageSize = min(o.PageSize, 5000)
	parser, err := NewParser(ParserOptions{Source: o.Name, Space: o.Space, KibanaURL: o.KibanaURL})
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer, o.Name)
	if err != nil {
		return nil, fmt.Errorf("kibana source %s: register metrics: %w", o.Name, err)
	}
	return &Source{
		o: o, parser: parser, metrics: m, log: o.Log.With("source", o.Name), now: time.Now,
		memory: memory{}, live: memory{},
	}, nil
}

// Name is the name of the source.
func (s *Source) Name() string { return s.o.Name }

// Poll is how long to wait after a batch without More.
func (s *Source) Poll() time.Duration { return s.o.Poll }

// Fetch reads the next batch: a page of a first reading, the new and changed documents of a poll, or
// what a sweep found. A quiet poll is one small request. A state that is not the last one handed out
// means that a batch was not committed; everything since is read again then.
func (s *Source) Fetch(ctx context.Context, ask alert.Ask) (alert.Batch, error) {
	if err := s.resume(ctx, ask.State); err != nil {
		return alert.Batch{}, fmt.Errorf("read alerts of %s: %w", s.o.Name, err)
	}
	batch, err := s.next(ctx, ask)
	if err != nil {
		// What is half read is read again from the last committed state; an open search that expired too.
		s.drop(ctx)
		if elastic.IsNotFound(err) || elastic.IsForbidden(err) {
			s.located = nil
		}
		return alert.Batch{}, fmt.Errorf("read alerts of %s: %w", s.o.Name, err)
	}
	batch.Source = s.o.Name
	if !batch.More {
		batch.Lag = 0
	}
	s.metrics.lag.Set(batch.Lag.Seconds())
	return batch, nil
}

// resume goes on from the state of the last committed batch.
func (s *Source) resume(ctx context.Context, stored []byte) error {
	st, err := readState(stored)
	if err != nil {
		return err
	}
	if s.started && st.Seq == s.state.Seq {
		return nil
	}
	s.drop(ctx)
	s.state, s.saved, s.started = st, st.Complete, true
	s.memory, s.live, s.warm = memory{}, memory{}, false
	return nil
}

// drop forgets what is under way, not what was handed over.
func (s *Source) drop(ctx context.Context) {
	if s.scan != nil {
		s.scan.close(ctx, s.log)
	}
	if s.sweep != nil {
		s.sweep.close(ctx, s.log)
	}
	s.scan, s.queue, s.sweep, s.due = nil, nil, nil, due{}
}

// Close gives back what the cluster holds open for an unfinished reading.
func (s *Source) Close(ctx context.Context) { s.drop(ctx) }

func (s *Source) next(ctx context.Context, ask alert.Ask) (alert.Batch, error) {
	idle := s.scan == nil && s.queue == nil && s.due == due{}
	if idle {
		ready, err := s.locate(ctx)
		if err != nil {
			return alert.Batch{}, err
		}
		if !ready {
			b, err := s.wait()
			b.Idle = fmt.Errorf("there is no index of detections yet: %s", strings.Join(aliases(s.o.Space), " and ")+" are not there")
			return b, err
		}
		s.due = due{poll: true, live: true, sweep: true}
	}
	for {
		var batch alert.Batch
		var err error
		switch {
		case s.scan != nil:
			batch, err = s.scanPage(ctx)
		case s.queue != nil:
			batch, err = s.queuePart(ctx)
		case s.due.poll:
			s.due.poll = false
			if s.warm {
				err = s.poll(ctx)
			} else {
				err = s.startScan(ctx)
			}
		case s.due.live:
			s.due.live = false
			batch, err = s.readLive(ctx, ask.Live)
		case s.due.sweep:
			batch, err = s.sweepOn(ctx, ask.Missing)
		default:
			return s.quiet()
		}
		if err != nil {
			return alert.Batch{}, err
		}
		if len(batch.Alerts) > 0 {
			batch.More = s.scan != nil || s.queue != nil || s.due != due{}
			return s.seal(batch)
		}
		if err := ctx.Err(); err != nil {
			return alert.Batch{}, err
		}
	}
}

// wait is the batch while there is no index yet.
func (s *Source) wait() (alert.Batch, error) {
	if s.state.Begun || !s.state.Waiting.IsZero() {
		return alert.Batch{}, nil
	}
	s.state.Waiting = s.now().UTC()
	return s.seal(alert.Batch{})
}

// quiet ends a reading that found nothing. The state is stored now and then only: storing costs a
// write to disk, and reading a little again costs nothing.
func (s *Source) quiet() (alert.Batch, error) {
	if s.state.Seq > 0 && s.state.Complete.Sub(s.saved).Abs() < saveEvery {
		return alert.Batch{}, nil
	}
	return s.seal(alert.Batch{})
}

// seal gives a batch the state that goes with it.
func (s *Source) seal(b alert.Batch) (alert.Batch, error) {
	st := s.state
	st.Seq++
	raw, err := st.encode()
	if err != nil {
		return alert.Batch{}, err
	}
	s.state, s.saved, b.State = st, st.Complete, raw
	return b, nil
}

// alerts parses documents. Of copies of one alert in several indices the newest change is kept, in the
// place of the first.
func (s *Source) alerts(hits []elastic.Hit, late bool) ([]alert.Alert, error) {
	out := make([]alert.Alert, 0, len(hits))
	at := make(map[string]int, len(hits))
	for i := range hits {
		a, err := s.parser.Parse(hits[i].Index, hits[i].ID, hits[i].Source)
		if err != nil {
			return nil, err
		}
		a.Late = late
		if s.o.Held != nil {
			a.Held = s.o.Held(a.Rule)
		}
		if s.parser.untimed() {
			s.state.Untimed = true
		}
		if j, ok := at[a.SourceID]; ok {
			if newer(&a, &out[j]) {
				out[j] = a
			}
			continue
		}
		at[a.SourceID] = len(out)
		out = append(out, a)
	}
	s.metrics.documents.Add(float64(len(hits)))
	return slices.Clip(out), nil
}

// newer decides between copies of one alert, the same way in whichever order they are read.
func newer(a, b *alert.Alert) bool {
	if !a.Updated.Equal(b.Updated) {
		return a.Updated.After(b.Updated)
	}
	return a.Index > b.Index
}
