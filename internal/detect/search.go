package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// kind is how a rule's rows are judged.
type kind = query.Kind

const (
	rowWise   = query.RowWise
	windowed  = query.Windowed
	rangeWise = query.RangeWise
)

// search is a rule's search made ready to be judged, with what is said of its windows. It is not changed after
// it was made.
type search struct {
	kind kind
	// ticks says that it is judged at ticks only.
	ticks bool
	// joins is how near, in nanoseconds, the ends of windows of one episode are; 0 joins none.
	joins int64
	// reach is how long after its time an event takes part in what is judged.
	reach time.Duration
	// window is the length of a window; 0 without one.
	window time.Duration
	// by are the columns that name a key, measure the first aggregate.
	by      []string
	measure string
	subject string
	bound   string
	// commanded is the detection command that judges; the zero Command without one. carries says that what it
	// says is said of a document.
	commanded query.Command
	carries   bool
	// text is the search in its canonical form, events that for the documents it looks at.
	text, events string
	// from are the indices that the search names itself; at is events for documents at hand.
	from []string
	at   string

	rule      *rule.Rule
	lookups   map[string]*query.Table
	timeField string
	ingest    string
	precision time.Duration
	memory    int64 // what a run may hold, in bytes
}

// runMemory is what one search of a run may hold.
const runMemory = 1 << 30

// newSearch reads a rule's search for its source.
func newSearch(r *rule.Rule, source *Source, lookups map[string]*query.Table) (*search, error) {
	s := &search{rule: r, lookups: lookups, timeField: r.TimestampField, ingest: source.ingestedField(), precision: source.Precision, memory: runMemory}
	if s.timeField == "" {
		s.timeField = source.timeField()
	}
	if s.precision <= 0 {
		s.precision = time.Millisecond
	}
	q, err := s.compile(time.Now(), time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	s.kind, s.text, s.events, s.by = q.Kind(), q.String(), q.Events(), q.By()
	s.from, s.at = q.From(), q.EventsOf()
	s.subject = subject(q.AST())
	switch s.kind {
	case rowWise:
	case windowed:
		if c, ok := q.Command(); ok {
			s.command(c)
			break
		}
		w, ok := q.Sliding()
		if !ok {
			return nil, errors.New("the search looks at windows of no fixed length: write a duration such as over 5m")
		}
		s.window, s.reach, s.joins = w.Length, w.Length, int64(w.Length)
		s.by = w.By
		if len(w.Aggregates) > 0 {
			s.measure = w.Aggregates[0]
			s.bound = bound(q.Pipes(), s.measure)
		}
	default:
		s.window, s.reach, s.ticks = r.Window, r.Window, true
	}
	return s, nil
}

// compile reads the search for a run on events in [from, to).
func (s *search) compile(now, from, to time.Time) (*query.Query, error) {
	return s.rule.Compile(query.Options{TimeField: s.timeField, Now: now, Earliest: from, Latest: to, Lookups: s.lookups})
}

// find judges a span of event time, in microseconds.
func (s *search) find(ctx context.Context, b query.Backend, span Span, now time.Time) (*found, error) {
	switch s.kind {
	case rowWise:
		return s.findDocuments(ctx, b, span, now)
	case windowed:
		if s.commanded.Name != "" {
			return s.findVerdicts(ctx, b, span, now)
		}
		return s.findWindows(ctx, b, span, now)
	}
	f := &found{}
	every := s.rule.Every.Microseconds()
	for tick := span.From + every; tick <= span.To; tick += every {
		if err := s.findRows(ctx, b, tick, now, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (s *search) findDocuments(ctx context.Context, b query.Backend, span Span, now time.Time) (*found, error) {
	q, err := s.compile(now, micro(span.From), micro(span.To))
	if err != nil {
		return nil, err
	}
	f := &found{}
	rows := map[string]int{}
	err = s.stream(ctx, q, query.RunOptions{Backend: b, Documents: true}, f, func(names []string, r *query.Row) error {
		if r.Doc == nil {
			return errors.New("a document came without its id")
		}
		d := document{Sample: Sample{Index: r.Doc.Index, ID: r.Doc.ID, JSON: r.Doc.JSON}}
		if d.ID == "" {
			d.ID = identity("content", d.JSON)
		}
		for i, n := range names {
			d.Columns = append(d.Columns, Column{n, string(r.Get(i).AppendJSON(nil))})
		}
		at, err := s.timeOf(r.Doc.JSON)
		if err != nil {
			return err
		}
		d.At = at
		place := d.Index + "\x00" + d.ID
		d.Row = rows[place]
		rows[place]++
		f.documents = append(f.documents, d)
		return nil
	})
	return f, err
}

// timeOf is the time of a document, in nanoseconds since 1970.
func (s *search) timeOf(document string) (int64, error) {
	at, ok, err := query.TimeOfEither(document, s.timeField, s.rule.TimestampFallback)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the time of a document: %w", err)
	case ok:
		return at, nil
	}
	return 0, fmt.Errorf("a document has no time in %s", s.timeField)
}

func (s *search) findWindows(ctx context.Context, b query.Backend, span Span, now time.Time) (*found, error) {
	q, err := s.compile(now, micro(span.From).Add(-s.window), micro(span.To))
	if err != nil {
		return nil, err
	}
	f := &found{}
	low, high := span.From*1000, span.To*1000
	err = s.stream(ctx, q, query.RunOptions{Backend: b, Windows: true}, f, func(names []string, r *query.Row) error {
		first, last := slices.Index(names, "first"), slices.Index(names, "last")
		if first < 0 || last < 0 {
			return errors.New("the search drops the columns first and last, the times of what was found: keep them in fields and table")
		}
		from, ok1 := r.Get(first).AsTime()
		end, ok2 := r.Get(last).AsTime()
		if !ok1 || !ok2 {
			return errors.New("the search changes the columns first and last, the times of what was found: give other columns other names")
		}
		if end < low || end >= high {
			return nil
		}
		w := Window{First: from, End: end}
		var key []Column
		for i, n := range names {
			if i == first || i == last {
				continue
			}
			v := r.Get(i)
			c := Column{n, string(v.AppendJSON(nil))}
			w.Row = append(w.Row, c)
			if slices.Contains(s.by, n) {
				key = append(key, c)
			}
			if !w.Ranked && !slices.Contains(s.by, n) && v.IsNumber() {
				w.Rank, w.Ranked = v.Float(), true
			}
		}
		w.Key = keyOf(key)
		f.windows = append(f.windows, w)
		return nil
	})
	return f, err
}

// findRows judges the window that ends at a tick.
func (s *search) findRows(ctx context.Context, b query.Backend, tick int64, now time.Time, f *found) error {
	from, to := micro(tick).Add(-s.rule.Window).Add(s.precision), micro(tick).Add(s.precision)
	q, err := s.compile(now, from, to)
	if err != nil {
		return err
	}
	same := map[string]int{}
	return s.stream(ctx, q, query.RunOptions{Backend: b, Documents: q.Raw()}, f, func(names []string, r *query.Row) error {
		w := Window{First: tick * 1000, End: tick * 1000}
		if r.Doc != nil && len(names) == 0 {
			w.Row = []Column{{"_id", quoted(r.Doc.ID)}, {"_index", quoted(r.Doc.Index)}}
			w.Samples = []Sample{{Index: r.Doc.Index, ID: r.Doc.ID, JSON: strings.Clone(r.Doc.JSON)}}
		}
		var by, other []Column
		for i, n := range names {
			v := r.Get(i)
			c := Column{n, string(v.AppendJSON(nil))}
			w.Row = append(w.Row, c)
			switch {
			case slices.Contains(s.by, n):
				by = append(by, c)
			case !v.IsNumber():
				other = append(other, c)
			}
			if !w.Ranked && v.IsNumber() && !slices.Contains(s.by, n) {
				w.Rank, w.Ranked = v.Float(), true
			}
		}
		switch {
		case len(by) > 0 && len(by) == len(s.by):
			w.Key = keyOf(by)
		case names == nil:
			w.Key = keyOf(w.Row)
		default:
			w.Key = keyOf(append(by, other...))
		}
		if n := same[w.Key]; n > 0 { // rows that nothing tells apart are told apart by their order
			w.Key += fmt.Sprint("/", n)
			same[strings.TrimSuffix(w.Key, fmt.Sprint("/", n))]++
		} else {
			same[w.Key] = 1
		}
		f.windows = append(f.windows, w)
		return nil
	})
}

// stream runs a query. What is not exact is not judged: it would be silently wrong.
func (s *search) stream(ctx context.Context, q *query.Query, o query.RunOptions, f *found, each func(names []string, r *query.Row) error) error {
	if s.rule.TimestampFallback != "" {
		o.Backend = query.Fallback(o.Backend, s.timeField, s.rule.TimestampFallback)
	}
	o.MaxMemory = s.memory
	var names []string
	outcome, err := q.Stream(ctx, o, query.Sink{
		Columns: func(n []string) error {
			names = slices.Clone(n)
			return nil
		},
		Row: func(r *query.Row) error {
			own := r.Clone()
			return each(names, &own)
		},
	})
	var limit *query.LimitError
	if errors.As(err, &limit) {
		return fmt.Errorf("%s would hold more than %d MB in memory, the most that a run of a rule may: narrow its filter, its window or what it looks back on, or group by fewer keys",
			limit.Pipe, limit.Limit>>20)
	}
	if err != nil {
		return err
	}
	f.read += outcome.Cost.Rows
	f.warnings = append(f.warnings, outcome.Warnings...)
	return nil
}

// ingested calls each with the times, in nanoseconds, of the events that a search, events or at, looks at, that
// happened before a time and, where the source stamps them, that it took in from another on.
func (s *search) ingested(ctx context.Context, b query.Backend, events string, stamped bool, from, before, now time.Time, each func(event int64)) error {
	text := fmt.Sprintf("%s | search %s < %q | fields %s", events, s.timeField, before.Format(time.RFC3339Nano), s.timeField)
	if other := s.rule.TimestampFallback; other != "" {
		text = fmt.Sprintf("%s | fields %s, %s", events, s.timeField, other)
	}
	o := query.Options{TimeField: s.timeField, Now: now, Lookups: s.lookups}
	if stamped {
		o.TimeField, o.Earliest = s.ingest, from.Truncate(time.Millisecond)
	}
	q, err := query.Compile(text, o)
	if err != nil {
		return err
	}
	return s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(_ []string, r *query.Row) error {
		v := r.Get(0)
		if v.IsNull() {
			v = r.Get(1) // the fallback
		}
		for i := range v.Len() {
			if t, ok := v.At(i).AsTime(); ok && t < before.UnixNano() {
				each(t)
			}
		}
		return nil
	})
}

// newestIngested is when the source took in its newest event, in microseconds; 0 where it tells of none since a
// time, or of the last week.
func (s *search) newestIngested(ctx context.Context, b query.Backend, since int64, now time.Time) (newest int64, err error) {
	from := ""
	if s.from != nil {
		from = "from " + strings.Join(s.from, ",") + " "
	}
	q, err := query.Compile(from+"* | sort - "+s.ingest+" | head 1 | fields "+s.ingest, query.Options{
		TimeField: s.ingest, Now: now, Earliest: micro(max(since, now.Add(-7*24*time.Hour).UnixMicro())).Truncate(time.Millisecond),
	})
	if err != nil {
		return 0, err
	}
	err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(_ []string, r *query.Row) error {
		if t, ok := r.Get(0).AsTime(); ok {
			newest = floor(t, 1000) / 1000
		}
		return nil
	})
	return newest, err
}

// counts are how many events the search looks at lie in each stretch of a span that has any.
func (s *search) counts(ctx context.Context, b query.Backend, span Span, bin time.Duration) (map[int64]int64, error) {
	q, err := query.Compile(fmt.Sprintf("%s | bin _time span=%ds as bin | stats count by bin", s.events, int(bin.Seconds())), query.Options{
		TimeField: s.timeField, Now: time.Now(), Earliest: micro(span.From), Latest: micro(span.To), Lookups: s.lookups,
	})
	if err != nil {
		return nil, err
	}
	out := map[int64]int64{}
	err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(_ []string, r *query.Row) error {
		if t, ok := r.Get(0).AsTime(); ok {
			out[floor(t, 1000)/1000] = r.Get(1).Int()
		}
		return nil
	})
	return out, err
}

func micro(us int64) time.Time { return time.UnixMicro(us).UTC() }

// quoted is a text as JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
