package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/valyala/fastjson"
)

// Document is a document as it was stored.
type Document struct {
	Index string
	ID    string
	// Time is @timestamp, or the time of ingestion where the document has none.
	Time time.Time
	// Seq is the time of ingestion in nanoseconds, made unique in the store.
	Seq int64
	// Source is the document as it came.
	Source []byte
}

// Search says which documents are wanted, and in which order.
type Search struct {
	// From and To bound Document.Time, From included, To not. Zero is no bound.
	From, To time.Time
	// Indices are names, in which * stands for any text. None is all.
	Indices []string
	// Filters must all match.
	Filters []Filter
	// Newest comes first, else the oldest does. Documents of one time are in the order of their Seq.
	Newest bool
	// Limit is how many documents are wanted; zero is all.
	Limit int
}

const (
	// chunkRows and chunkBytes bound what one search holds in memory.
	chunkRows  = 20_000
	chunkBytes = 32 << 20
)

// errChunkFull ends a read that would hold too much.
var errChunkFull = errors.New("the chunk is full")

// span is a range of times in nanoseconds, both ends included.
type span struct{ from, to int64 }

// everything is each time the engine can hold.
var everything = span{math.MinInt64, math.MaxInt64}

// Scan calls visit with the documents that match, in order, and returns its error if it has one. It sees
// what was visible when it began; what comes in meanwhile it leaves out. Memory is bounded however many
// match. It waits while too many searches run; visit must not search.
func (s *Store) Scan(ctx context.Context, q Search, visit func(Document) error) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other searches: %w", ctx.Err())
	}
	var stats logstorage.StorageStats
	s.engine.UpdateStats(&stats)
	if stats.RowsCount() == 0 {
		return nil
	}
	all := s.held(&stats)
	if !q.From.IsZero() {
		all.from = max(all.from, nanos(q.From))
	}
	if !q.To.IsZero() {
		all.to = min(all.to, nanos(q.To)-1)
	}
	if all.from > all.to {
		return nil
	}
	w := walk{store: s, search: q, visit: visit, lastSeq: s.lastSeq.Load(), query: q.engineQuery()}
	rows := float64(stats.RowsCount())
	err = w.times(ctx, all, rows/all.length())
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// held is the time that the events lie in. The engine tells it by the parts of its first and its last day
// alone; a day that has none yet, because its first events came just now, counts whole.
func (s *Store) held(stats *logstorage.StorageStats) span {
	all := span{stats.MinTimestamp, stats.MaxTimestamp}
	if all.from != math.MaxInt64 && all.to != math.MinInt64 {
		return all
	}
	days := s.engine.PartitionList()
	if len(days) == 0 {
		return everything
	}
	first, err := time.Parse(dayLayout, slices.Min(days))
	last, failed := time.Parse(dayLayout, slices.Max(days))
	if err != nil || failed != nil {
		return everything
	}
	if all.from == math.MaxInt64 {
		all.from = nanos(first)
	}
	if all.to == math.MinInt64 {
		all.to = nanos(last.AddDate(0, 0, 1)) - 1
	}
	return all
}

// length is how many nanoseconds a span has, as a divisor.
func (s span) length() float64 { return float64(s.to) - float64(s.from) + 1 }

// nanos is t as the engine counts, at the end of its range for times beyond.
func nanos(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// engineQuery is wider than the search: read decides.
func (q Search) engineQuery() string {
	var parts []string
	if f := indexFilter(q.Indices); f != "" {
		parts = append(parts, f)
	}
	for _, f := range q.Filters {
		if f := f.engineFilter(); f != "" {
			parts = append(parts, f)
		}
	}
	return strings.Join(parts, " ")
}

// errEnough says that the limit is reached.
var errEnough = errors.New("enough documents")

// walk is one scan: it goes through the times in steps that hold as many documents as memory may.
type walk struct {
	store   *Store
	search  Search
	query   string
	lastSeq int64
	visit   func(Document) error
	visited int
}

// times walks through a span. density is the number of documents a nanosecond, for a first guess.
func (w *walk) times(ctx context.Context, all span, density float64) error {
	want := float64(w.store.chunkRows / 2)
	if w.search.Limit > 0 {
		want = min(want, float64(2*w.search.Limit))
	}
	width := widen(1, want/density)
	for all.from <= all.to {
		part := all
		if w.search.Newest {
			if d := uint64(all.to) - uint64(all.from); d >= width {
				part.from = all.to - int64(width-1)
			}
		} else if d := uint64(all.to) - uint64(all.from); d >= width {
			part.to = all.from + int64(width-1)
		}
		documents, err := w.read(ctx, part, 0, w.lastSeq)
		switch {
		case errors.Is(err, errChunkFull) && part.from < part.to:
			width = max(1, min(width, uint64(part.to)-uint64(part.from))/8)
			continue
		case errors.Is(err, errChunkFull):
			err = w.instant(ctx, part.from, 0, w.lastSeq)
		case err == nil:
			err = w.emit(documents)
		}
		if err != nil {
			return err
		}
		if len(documents) < w.store.chunkRows/8 {
			width = widen(width, 4)
		}
		if w.search.Newest {
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

func widen(width uint64, by float64) uint64 {
	if f := float64(width) * by; f < math.MaxInt64/2 {
		return max(1, uint64(f))
	}
	return math.MaxInt64 / 2
}

// instant walks through the documents of one nanosecond, which are too many for memory, by their seq.
func (w *walk) instant(ctx context.Context, at, first, last int64) error {
	documents, err := w.read(ctx, span{at, at}, first, last)
	if err == nil {
		return w.emit(documents)
	}
	if !errors.Is(err, errChunkFull) {
		return err
	}
	count, first, last, err := w.extent(ctx, at, first, last)
	if err != nil {
		return err
	}
	step := max(1, (last-first)/max(2, 2*count/int64(w.store.chunkRows)))
	var parts [][2]int64
	for from := first; from <= last; from += step {
		parts = append(parts, [2]int64{from, min(from+step-1, last)})
	}
	if w.search.Newest {
		slices.Reverse(parts)
	}
	for _, part := range parts {
		if err := w.instant(ctx, at, part[0], part[1]); err != nil {
			return err
		}
	}
	return nil
}

// extent counts the rows of a nanosecond within a range of seq, and narrows the range to them.
func (w *walk) extent(ctx context.Context, at, first, last int64) (count, least, greatest int64, err error) {
	least, greatest = last, first
	err = w.store.seqs(ctx, w.query+" "+seqFilter(first, last), span{at, at}, func(seq int64) {
		if seq >= first && seq <= last {
			count++
			least, greatest = min(least, seq), max(greatest, seq)
		}
	})
	return count, least, greatest, err
}

func (w *walk) emit(documents []Document) error {
	slices.SortFunc(documents, func(a, b Document) int {
		order := cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Seq, b.Seq))
		if w.search.Newest {
			return -order
		}
		return order
	})
	for _, d := range documents {
		if err := w.visit(d); err != nil {
			return err
		}
		if w.visited++; w.visited == w.search.Limit {
			return errEnough
		}
	}
	return nil
}

// read answers the documents of a span and a range of seq that the search wants, in no order.
func (w *walk) read(ctx context.Context, part span, first, last int64) ([]Document, error) {
	query := w.query
	if first > 0 || last < w.lastSeq {
		query += " " + seqFilter(first, last)
	}
	var out []Document
	size := 0
	var parser fastjson.Parser
	err := w.store.documents(ctx, query, part, func(d Document) error {
		if d.Seq < first || d.Seq > last || !matchIndex(w.search.Indices, d.Index) {
			return nil
		}
		if len(w.search.Filters) > 0 {
			v, err := parser.ParseBytes(d.Source)
			if err != nil {
				return fmt.Errorf("read a document: %w", err)
			}
			for _, f := range w.search.Filters {
				if !f.matches(v) {
					return nil
				}
			}
		}
		if size += len(d.Source) + len(d.Index) + len(d.ID) + 100; len(out) >= w.store.chunkRows || len(out) > 0 && size > chunkBytes {
			return errChunkFull
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// bySeq answers the documents whose seq is in a range.
func (s *Store) bySeq(ctx context.Context, first, last int64) ([]Document, error) {
	var out []Document
	err := s.documents(ctx, seqFilter(first, last), everything, func(d Document) error {
		if d.Seq >= first && d.Seq <= last {
			out = append(out, d)
		}
		return nil
	})
	return out, err
}

// documents runs a LogsQL filter, empty for all, and calls visit with each document, one at a time.
func (s *Store) documents(ctx context.Context, filter string, part span, visit func(Document) error) error {
	if strings.TrimSpace(filter) == "" {
		filter = "*"
	}
	query := filter + " | fields _time," + columnSeq + "," + columnIndex + "," + columnID + "," + columnSource
	var times []int64
	return s.run(ctx, query, part, func(b *logstorage.DataBlock) error {
		var ok bool
		if times, ok = b.GetTimestamps(times[:0]); !ok {
			return errors.New("read the engine: a block without times")
		}
		seqs, indices, sources := b.GetColumnByName(columnSeq), b.GetColumnByName(columnIndex), b.GetColumnByName(columnSource)
		ids := b.GetColumnByName(columnID)
		if seqs == nil || indices == nil || sources == nil {
			return errors.New("read the engine: a block without documents")
		}
		for i, at := range times {
			seq, err := parseSeq(seqs.Values[i])
			if err != nil {
				return err
			}
			d := Document{Index: strings.Clone(indices.Values[i]), Time: time.Unix(0, at).UTC(), Seq: seq, Source: []byte(sources.Values[i])}
			if ids != nil && ids.Values[i] != "" {
				d.ID = strings.Clone(ids.Values[i])
			} else {
				d.ID = s.ids.generated(seq)
			}
			if err := visit(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// seqs calls visit with the seq of each row a LogsQL filter passes, in no order.
func (s *Store) seqs(ctx context.Context, filter string, part span, visit func(seq int64)) error {
	return s.run(ctx, filter+" | fields "+columnSeq, part, func(b *logstorage.DataBlock) error {
		column := b.GetColumnByName(columnSeq)
		if column == nil {
			return errors.New("read the engine: a block without numbers")
		}
		for _, text := range column.Values {
			seq, err := parseSeq(text)
			if err != nil {
				return err
			}
			visit(seq)
		}
		return nil
	})
}

// run runs a LogsQL query. visit gets one block at a time and may not keep it; its error ends the query.
func (s *Store) run(ctx context.Context, query string, part span, visit func(*logstorage.DataBlock) error) error {
	var mu sync.Mutex
	_, err := s.blocks(ctx, query, part, func(_ uint, b *logstorage.DataBlock) error {
		mu.Lock()
		defer mu.Unlock()
		return visit(b)
	})
	return err
}

// blocks runs a LogsQL query and answers how many bytes that read. visit gets blocks that it may not keep,
// several at a time from different workers; after its first error, which ends the query, it gets no more
// than those under way.
func (s *Store) blocks(ctx context.Context, query string, part span, visit func(worker uint, b *logstorage.DataBlock) error) (read uint64, err error) {
	q, err := logstorage.ParseQuery(query)
	if err != nil {
		return 0, fmt.Errorf("ask the engine: %w", err)
	}
	if part != everything {
		q.AddTimeFilter(part.from, part.to)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stats logstorage.QueryStats
	qctx := logstorage.NewQueryContext(ctx, &stats, []logstorage.TenantID{{}}, q, false, nil)
	err = s.engine.RunQuery(qctx, func(worker uint, b *logstorage.DataBlock) {
		if ctx.Err() != nil {
			return
		}
		if err := visit(worker, b); err != nil {
			cancel(err)
		}
	})
	read = stats.GetBytesReadTotal()
	if ctx.Err() != nil {
		return read, context.Cause(ctx)
	}
	if err != nil {
		return read, fmt.Errorf("ask the engine: %w", err)
	}
	return read, nil
}

// seqFilter passes at least the rows of a range of seq: the engine compares ranges as doubles, whose
// steps here are 256.
func seqFilter(first, last int64) string {
	const step = 1024
	return columnSeq + ":range[" + strconv.FormatInt(max(first, step)-step, 10) + "," + strconv.FormatInt(min(last, math.MaxInt64-step)+step, 10) + "]"
}

func parseSeq(text string) (int64, error) {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the engine: a row without its number: %w", err)
	}
	return seq, nil
}
