package logstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

const (
	// scanMemory is what a search for rows is reckoned to hold.
	scanMemory = 2 * chunkBytes
	// keyBytes is about what a key holds, its id included.
	keyBytes = 120
	// fetched is how many documents are read by their numbers at a time.
	fetched = 2_000
)

// hit is a document or its columns on the way to become a row.
type hit struct {
	at     int64 // the engine's time
	seq    int64
	index  string
	id     string // empty: generated from seq
	source string
	vals   []row.Value
}

// key is what documents are put in order by where the engine's order will not do.
type key struct {
	clock     int64
	at, seq   int64
	index, id string
}

// scan reads the documents of one read, in the source's order: newest first, ties by id, those without a
// time last.
type scan struct {
	outlook *outlook
	store   *Store
	rows    *rowMaker
	columns *columnReader // nil: documents are read
	relied  *claim
	emit    func(*row.Row) error
	desc    bool
	first   int // how many rows will do for a start; zero is not known
	most    int64
	lastSeq int64
	cost    plan.Cost
}

func newScan(o *outlook, p plan.Pushed, columns *columnReader, relied *claim, schema *row.Schema, emit func(*row.Row) error) *scan {
	s := &scan{
		outlook: o, store: o.store, rows: newRowMaker(o.read, schema), columns: columns, relied: relied, emit: emit,
		desc: true, lastSeq: o.store.lastSeq.Load(),
	}
	if columns != nil {
		for i, slot := range columns.slots {
			columns.slots[i] = schema.Slot(o.read.Fields[slot])
		}
		if columns.clock >= 0 {
			columns.clock = schema.Slot(clockField)
		}
		columns.width = schema.Len()
	}
	if t := o.read.Top; p.Top && t != nil {
		s.first = t.Limit
		if len(t.Keys) > 0 {
			s.desc, s.most = t.Keys[0].Desc, int64(t.Limit)
		}
	}
	return s
}

func (s *scan) run(ctx context.Context) error {
	var stats logstorage.StorageStats
	s.store.engine.UpdateStats(&stats)
	if stats.RowsCount() == 0 {
		return nil
	}
	held := s.store.held(&stats)
	all := held
	if !s.outlook.clocked() {
		return s.sorted(ctx, all, "", false, s.clock)
	}
	if r := s.outlook.read; !r.Earliest.IsZero() {
		all.from = max(all.from, nanos(r.Earliest))
	}
	if r := s.outlook.read; !r.Latest.IsZero() {
		all.to = min(all.to, nanos(r.Latest)-1)
	}
	if all.from <= all.to {
		rows := float64(stats.RowsCount())
		if err := s.times(ctx, all, rows/held.length()); err != nil {
			return err
		}
	}
	if s.outlook.bounded() {
		return nil
	}
	return s.sorted(ctx, everything, isUndated, false, nil)
}

const (
	isUndated = columnUndated + `:="1"`
	isDated   = "!" + isUndated
)

// times walks through a span in steps that hold as many documents as memory may. density is the number
// of documents a nanosecond, for a first guess.
func (s *scan) times(ctx context.Context, all span, density float64) error {
	want := float64(s.store.chunkRows / 2)
	if s.first > 0 {
		want = min(want, float64(2*s.first))
	}
	width := widen(1, want/density)
	for all.from <= all.to {
		part := all
		if uint64(all.to)-uint64(all.from) >= width {
			if s.desc {
				part.from = all.to - int64(width-1)
			} else {
				part.to = all.from + int64(width-1)
			}
		}
		hits, err := s.read(ctx, part)
		switch {
		case errors.Is(err, errChunkFull) && part.from < part.to:
			width = max(1, min(width, uint64(part.to)-uint64(part.from))/8)
			continue
		case errors.Is(err, errChunkFull):
			err = s.sorted(ctx, part, isDated, true, nil)
		case err == nil:
			err = s.give(hits)
		}
		if err != nil {
			return err
		}
		if len(hits) < s.store.chunkRows/8 {
			width = widen(width, 4)
		}
		if s.desc {
			if part.from == math.MinInt64 {
				return nil
			}
			all.to = part.from - 1
		} else {
			if part.to == math.MaxInt64 {
				return nil
			}
			all.from = part.to + 1
		}
	}
	return nil
}

// read answers the documents of a span, in no order.
func (s *scan) read(ctx context.Context, part span) ([]hit, error) {
	var out []hit
	size := 0
	err := s.hits(ctx, isDated, part, true, func(h hit) error {
		if size += len(h.source) + len(h.index) + len(h.id) + 40*len(h.vals) + 100; len(out) >= s.store.chunkRows || len(out) > 0 && size > chunkBytes {
			return errChunkFull
		}
		out = append(out, h)
		return nil
	})
	return out, err
}

// hits calls visit with each document that the read wants and a LogsQL filter passes, one at a time. What
// came in after the scan began is left out. dated says that they have a time.
func (s *scan) hits(ctx context.Context, filter string, part span, dated bool, visit func(hit) error) error {
	keep := func(h hit) error {
		if h.seq > s.lastSeq || !wanted(s.outlook.patterns, h.index) {
			return nil
		}
		return visit(h)
	}
	documents := s.outlook.wide
	if s.columns != nil {
		var columns string
		columns, documents = s.outlook.split()
		read, err := s.columns.read(ctx, s.store, both(columns, filter), part, dated, keep)
		s.cost.Bytes += int64(read)
		if err != nil {
			return err
		}
	}
	if s.columns == nil || documents != "" {
		err := s.store.documents(ctx, both(documents, filter), part, func(d Document) error {
			return keep(hit{at: d.Time.UnixNano(), seq: d.Seq, index: d.Index, id: d.ID, source: string(d.Source)})
		})
		if err != nil {
			return err
		}
	}
	if s.relied.broken.Load() {
		return errChanged
	}
	return nil
}

// give hands over hits in order.
func (s *scan) give(hits []hit) error {
	slices.SortFunc(hits, func(a, b hit) int {
		order := cmp.Compare(a.at, b.at)
		if s.desc {
			order = -order
		}
		if order != 0 {
			return order
		}
		return cmp.Or(cmp.Compare(s.idOf(&a), s.idOf(&b)), cmp.Compare(a.index, b.index))
	})
	for i := range hits {
		if err := s.one(&hits[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) one(h *hit) error {
	r, err := s.rows.of(h)
	if err != nil {
		return err
	}
	s.cost.Rows++
	s.cost.Bytes += int64(len(h.source))
	if err := s.emit(r); err != nil {
		return err
	}
	if s.cost.Rows == s.most {
		return errEnough
	}
	return nil
}

func (s *scan) idOf(h *hit) string {
	if h.id == "" {
		return s.store.ids.generated(h.seq)
	}
	return h.id
}

// clock is the greatest time of a document by the read's own time field, ok if it has one.
func (s *scan) clock() func(h *hit) (int64, error) {
	extract := row.NewExtractor(row.NewSchema(), []string{s.outlook.read.TimeField})
	extract.TimeFields(s.outlook.read.TimeField)
	var vals []row.Value
	return func(h *hit) (int64, error) {
		var err error
		if vals, err = extract.Extract(h.source, vals); err != nil {
			return 0, fmt.Errorf("read document %s of %s: %w", h.id, h.index, err)
		}
		at := int64(math.MinInt64)
		for _, v := range vals[0].Values() {
			if t, ok := v.AsTime(); ok {
				at = max(at, t)
			}
		}
		return at, nil
	}
}

// sorted hands over the documents of a span in order of a clock, the newest first, ties by id. It holds a
// key of each, and then reads the documents by their numbers.
func (s *scan) sorted(ctx context.Context, part span, filter string, dated bool, clock func() func(*hit) (int64, error)) error {
	var keys []key
	var at func(*hit) (int64, error)
	if clock != nil {
		at = clock()
	}
	most := int(s.store.options.SearchMemory / keyBytes)
	err := s.hits(ctx, filter, part, dated, func(h hit) error {
		k := key{at: h.at, seq: h.seq, index: h.index, id: s.idOf(&h)}
		if at != nil {
			var err error
			if k.clock, err = at(&h); err != nil {
				return err
			}
		}
		if len(keys) == most {
			return fmt.Errorf("put %d documents in order of %s: %w", most, s.outlook.read.TimeField, ErrSearchMemory)
		}
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(b.clock, a.clock), cmp.Compare(a.id, b.id), cmp.Compare(a.index, b.index))
	})
	for len(keys) > 0 {
		n := min(fetched, len(keys))
		if err := s.fetch(ctx, keys[:n], dated); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// fetch hands over the documents of keys in their order.
func (s *scan) fetch(ctx context.Context, keys []key, dated bool) error {
	part := span{math.MaxInt64, math.MinInt64}
	for _, k := range keys {
		part.from, part.to = min(part.from, k.at), max(part.to, k.at)
	}
	found := make(map[int64]*hit, len(keys))
	size := 0
	err := s.hits(ctx, seqList(keys), part, dated, func(h hit) error {
		if size += len(h.source); size > chunkBytes && len(keys) > 1 {
			return errChunkFull
		}
		found[h.seq] = &h
		return nil
	})
	if errors.Is(err, errChunkFull) {
		if err := s.fetch(ctx, keys[:len(keys)/2], dated); err != nil {
			return err
		}
		return s.fetch(ctx, keys[len(keys)/2:], dated)
	}
	if err != nil {
		return err
	}
	for _, k := range keys {
		h := found[k.seq]
		if h == nil {
			return fmt.Errorf("read document %s of %s: it was removed while the search ran: try again", k.id, k.index)
		}
		if err := s.one(h); err != nil {
			return err
		}
	}
	return nil
}

// oneLine writes JSON without line breaks.
func oneLine(text string) (string, error) {
	var b bytes.Buffer
	err := json.Compact(&b, []byte(text))
	return b.String(), err
}

// ErrSearchMemory says that a search would hold more memory than searches may.
var ErrSearchMemory = errors.New("this needs more memory than searches of the log store may have: narrow the filter or the time range")

// admit waits until a search that holds n bytes fits beside the others. The caller calls free when it is
// done.
func (s *Store) admit(ctx context.Context, n int64) (free func(), err error) {
	if n > s.options.SearchMemory {
		return nil, ErrSearchMemory
	}
	if err := s.memory.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("wait for other searches of the log store: %w", context.Cause(ctx))
	}
	return func() { s.memory.Release(n) }, nil
}
