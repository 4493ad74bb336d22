package logstore

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/valyala/fastjson"
)

// Operation is one document to store.
type Operation struct {
	// Index is the name the document is stored under, by Elasticsearch's rules.
	Index string
	// ID names the document within the index. Empty: the store makes one.
	ID string
	// Create refuses a known ID even where the content is equal.
	Create bool
	// Source is the document, a JSON object. The store keeps it as it is.
	Source []byte
}

// Failure is why a document was not stored, in Elasticsearch's words.
type Failure struct {
	Status int    // of HTTP; 429 and 5xx: the same document may be accepted later
	Type   string // as Elasticsearch's exception
	Reason string
}

func (f *Failure) Error() string { return f.Reason }

// Outcome is what became of an operation.
type Outcome struct {
	ID      string
	Seq     int64    // nanoseconds of ingestion, unique in the store; zero where nothing was stored
	Known   bool     // a document with this id and equal content was there
	Failure *Failure // nil: it is stored, now or before
}

var parsers fastjson.ParserPool

// Ingest stores documents and answers for each. When it returns, what is stored is on the disk; with
// refresh, searches find it. The error is of the whole request: then what became of it is not known.
func (s *Store) Ingest(ctx context.Context, operations []Operation, refresh bool) ([]Outcome, error) {
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	outcomes := make([]Outcome, len(operations))
	events := make([]event, len(operations))
	full := s.full()
	now := s.now()
	parser := parsers.Get()
	var chosen []name
	for i, op := range operations {
		failure := full
		if failure == nil {
			events[i], failure = parseEvent(parser, op.Index, op.ID, op.Source)
		}
		e := &events[i]
		if failure == nil && e.dated {
			failure = e.checkTime(now, s.options.Retention)
		}
		outcomes[i] = Outcome{ID: op.ID, Failure: failure}
		if failure == nil && op.ID != "" {
			chosen = append(chosen, name{op.Index, op.ID})
			e.digest = digestOf(op.Source)
		}
	}
	parsers.Put(parser)
	accepted, where, err := s.commit(ctx, operations, events, outcomes, chosen)
	if err != nil {
		return nil, err
	}
	if len(accepted) > 0 {
		if err := s.hand(ctx, accepted, where, len(chosen) > 0); err != nil {
			return nil, err
		}
	}
	if refresh {
		s.engine.DebugFlush()
	}
	s.count(outcomes)
	return outcomes, nil
}

// count adds outcomes to the metrics.
func (s *Store) count(outcomes []Outcome) {
	stored, known, refused := 0, 0, map[int]int{}
	for i := range outcomes {
		switch o := &outcomes[i]; {
		case o.Failure != nil:
			refused[o.Failure.Status]++
		case o.Known:
			known++
		default:
			stored++
		}
	}
	s.metrics.documents.WithLabelValues("stored").Add(float64(stored))
	s.metrics.documents.WithLabelValues("known").Add(float64(known))
	for status, n := range refused {
		s.metrics.documents.WithLabelValues(strconv.Itoa(status)).Add(float64(n))
	}
}

// commit decides which documents are new, gives them their seq, and puts them into the log, durably.
func (s *Store) commit(ctx context.Context, operations []Operation, events []event, outcomes []Outcome, chosen []name) ([]event, position, error) {
	accepted, where, upTo, err := s.decide(ctx, operations, events, outcomes, chosen)
	if err != nil || upTo == 0 {
		return nil, position{}, err
	}
	if err := s.journal.await(upTo); err != nil {
		return nil, position{}, err
	}
	if where.long {
		if err := s.journal.rotate(s.lastSeq.Load, false); err != nil {
			// The events are safe; the segment grows on.
			s.log.Warn("log segment not ended", "error", err)
		}
	}
	return accepted, where, nil
}

// decide answers what to wait for besides; zero is nothing.
func (s *Store) decide(ctx context.Context, operations []Operation, events []event, outcomes []Outcome, chosen []name) (accepted []event, where position, upTo uint64, err error) {
	s.intake.Lock()
	defer s.intake.Unlock()
	known := map[name]digest{}
	if len(chosen) > 0 {
		if err := s.ids.find(ctx, chosen, known); err != nil {
			return nil, where, 0, err
		}
		for _, n := range chosen {
			if d, ok := s.pending[n]; ok {
				known[n] = d
			} else if err := s.findGenerated(ctx, n, known); err != nil {
				return nil, where, 0, err
			}
		}
	}
	seq := max(s.lastSeq.Load(), s.now().UnixNano()-1)
	accepted = make([]event, 0, len(events))
	var fresh []name
	for i := range events {
		e, o, op := &events[i], &outcomes[i], &operations[i]
		if o.Failure != nil {
			continue
		}
		if e.id != "" {
			n, d := name{e.index, e.id}, e.digest
			if before, twice := known[n]; twice {
				o.Known = before == d && !op.Create
				if !o.Known {
					o.Failure = conflict(e.id, op.Create)
				}
				// What the answer speaks of may be another's that is not on the disk yet.
				upTo = s.journal.last()
				continue
			}
			known[n] = d
			fresh = append(fresh, n)
		}
		seq++
		e.seq = seq
		if !e.dated {
			e.time = seq
		}
		o.Seq = seq
		if e.id == "" {
			o.ID = s.ids.generated(seq)
		}
		accepted = append(accepted, *e)
	}
	if len(accepted) == 0 {
		return nil, where, upTo, nil
	}
	// Given out, even if it does not get into the log: a new segment must not begin with less.
	s.lastSeq.Store(seq)
	where, err = s.journal.append(encodeRecord(accepted))
	if err != nil {
		return nil, where, 0, err
	}
	for _, n := range fresh {
		s.pending[n] = known[n]
	}
	return accepted, where, where.record, nil
}

func conflict(id string, create bool) *Failure {
	reason := "[" + id + "]: version conflict, document already exists (current version [1])"
	if !create {
		reason = "[" + id + "]: append-only: a document with this id and other content exists; the log store never changes a document, " +
			"so give the changed one an id of its own"
	}
	return &Failure{http.StatusConflict, "version_conflict_engine_exception", reason}
}

// findGenerated adds to known the document that n names with an id of our own making.
func (s *Store) findGenerated(ctx context.Context, n name, known map[name]digest) error {
	seq, ok := s.ids.seqOf(n.id)
	if !ok || seq > s.lastSeq.Load() {
		return nil
	}
	s.engine.DebugFlush()
	documents, err := s.bySeq(ctx, seq, seq)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if d.Seq == seq && d.Index == n.index {
			known[n] = digestOf(d.Source)
		}
	}
	return nil
}

// hand gives the engine and the id index what the log has.
func (s *Store) hand(ctx context.Context, events []event, where position, named bool) error {
	s.handing.RLock()
	defer s.handing.RUnlock()
	if err := s.insert(events); err != nil {
		return err
	}
	if named {
		// A client that goes away must not leave the index without the ids.
		if err := s.ids.add(context.WithoutCancel(ctx), events); err != nil {
			return err
		}
		s.intake.Lock()
		for i := range events {
			delete(s.pending, name{events[i].index, events[i].id})
		}
		s.intake.Unlock()
	}
	s.journal.handed(where)
	return nil
}

// insert puts events into the engine.
func (s *Store) insert(events []event) error {
	if err := s.census.note(events); err != nil {
		return err
	}
	rows := logstorage.GetLogRows(nil, nil, nil, nil, "")
	days := map[string]bool{}
	day := int64(-1 << 62)
	for i := range events {
		e := &events[i]
		e.columns[1].Value = strconv.FormatInt(e.seq, 10)
		rows.MustAdd(logstorage.TenantID{}, e.time, e.columns, 1)
		if d := e.time / int64(24*time.Hour); d != day {
			day = d
			days[time.Unix(0, e.time).UTC().Format(dayLayout)] = true
		}
		if rows.NeedFlush() {
			s.engine.MustAddRows(rows)
			rows.ResetKeepSettings()
		}
	}
	s.engine.MustAddRows(rows)
	logstorage.PutLogRows(rows)
	s.unflushed.Store(true)
	s.touching.Lock()
	for d := range days {
		s.touched[d] = true
	}
	s.touching.Unlock()
	return nil
}

// freeSpace is what is left on the disk of a directory; none where nobody can say.
func freeSpace(dir string) uint64 {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0
	}
	return disk.Bavail * uint64(disk.Bsize)
}

// full says that the disk has too little space to take events.
func (s *Store) full() *Failure {
	free := s.free()
	if free >= uint64(s.options.FreeSpaceFloor) {
		return nil
	}
	return &Failure{
		http.StatusTooManyRequests, "es_rejected_execution_exception",
		fmt.Sprintf("the disk of the log store has %d MiB free, less than the %d MiB it keeps: free some space, or lower its retention or size",
			free>>20, s.options.FreeSpaceFloor>>20),
	}
}
