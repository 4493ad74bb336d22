package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/query"
	"tocsin/internal/saved"
)

// SearchSource is a source that can be searched.
type SearchSource struct {
	Name string
	Kind string // elasticsearch, opensearch or embedded
	// Indices are what is read unless a search names others; none is all.
	Indices   []string
	TimeField string // @timestamp where empty
	// Open makes what a search reads. It is called for each search, and may be called concurrently.
	Open func(context.Context) (query.Backend, error)
}

// SearchOptions are what searches need.
type SearchOptions struct {
	// Sources are those of the configuration, in its order: the first is what a search reads that names none.
	Sources []SearchSource
	// Lookups are the tables that searches may read; nil for none.
	Lookups func() map[string]*query.Table
	// Saved keeps searches by name; nil for nowhere.
	Saved *saved.Searches
	// Channel is where messages go that no rule or route sends elsewhere; "" where nothing can be said.
	Channel string
}

// Searches adds the page of searches and its part of the API.
func Searches(o SearchOptions) Part {
	return func(w *Web) {
		s := &searches{Web: w, o: o, fields: newCache[FieldList](cacheLife), values: newCache[ValueList](cacheLife), samples: newCache[*sample](cacheLife)}
		w.page(Page{Method: "GET", Path: "/search", Role: account.Viewer, Handle: s.page})
		where := func(more ...Query) []Query {
			return append([]Query{{Name: "source", Text: "The source's name; the first one without it."}}, more...)
		}
		span := []Query{
			{Name: "from", Text: "The time from which documents are looked at, such as -24h or 2026-01-02T15:04:05Z."},
			{Name: "to", Text: "The time before which they are, now without it."},
		}
		w.add(Route{
			Method: "GET", Path: "/sources", Tag: "search", Role: account.Viewer, Summary: "The sources that can be searched",
			Answer: SourceList{}, Handle: s.list,
		})
		w.add(Route{
			Method: "POST", Path: "/search", Tag: "search", Role: account.Viewer, Reads: true, Summary: "Search",
			Text: "The answer is that of `tocsin search --format json`. A search ends when its request does.",
			Body: SearchRequest{}, Answer: SearchAnswer{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.search,
		})
		w.add(Route{
			Method: "POST", Path: "/search/check", Tag: "search", Role: account.Viewer, Reads: true, Summary: "What is wrong with a search that is being written, and what is known of it",
			Body: CheckRequest{}, Answer: CheckAnswer{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.check,
		})
		w.add(Route{
			Method: "POST", Path: "/search/hints", Tag: "search", Role: account.Viewer, Reads: true, Summary: "Why a search may have found nothing",
			Body: SearchRequest{}, Answer: SearchHints{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.hints,
		})
		w.add(Route{
			Method: "POST", Path: "/histogram", Tag: "search", Role: account.Viewer, Reads: true, Summary: "How many documents a search looks at over time",
			Body: HistogramRequest{}, Answer: Histogram{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.histogram,
		})
		w.add(Route{
			Method: "POST", Path: "/windows", Tag: "search", Role: account.Viewer, Reads: true, Summary: "What a search with a threshold computes in each window, of the groups that go furthest",
			Body: WindowsRequest{}, Answer: Windows{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.windows,
		})
		w.add(Route{
			Method: "GET", Path: "/fields", Tag: "search", Role: account.Viewer, Summary: "The fields of a source: their types, and how many of its newest documents have them",
			Query: where(span...), Answer: FieldList{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.listFields,
		})
		w.add(Route{
			Method: "GET", Path: "/values", Tag: "search", Role: account.Viewer, Summary: "The values a field has, most common first",
			Query: where(append([]Query{
				{Name: "field", Text: "The field's name.", Needed: true},
				{Name: "prefix", Text: "What the values begin with."},
			}, span...)...),
			Answer: ValueList{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.listValues,
		})
		w.add(Route{
			Method: "POST", Path: "/complete", Tag: "search", Role: account.Viewer, Reads: true, Summary: "What may be written at a place in a search",
			Body: CompleteRequest{}, Answer: Completion{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.complete,
		})
		w.add(Route{
			Method: "GET", Path: "/ingest-delay", Tag: "search", Role: account.Viewer, Summary: "How long after their time the newest documents of a source were taken in",
			Query: where(), Answer: IngestDelay{}, Fails: []int{422, 502}, Failure: SearchFailure{}, Handle: s.delay,
		})
		if o.Saved != nil {
			s.routeSaved()
		}
	}
}

// searches serves searches.
type searches struct {
	*Web
	o       SearchOptions
	fields  *cache[FieldList]
	values  *cache[ValueList]
	samples *cache[*sample]
}

// SourceList are the sources that can be searched.
type SourceList struct {
	Sources []SourceRow `json:"sources"`
}

// SourceRow is one of them.
type SourceRow struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Indices   []string `json:"indices" doc:"What is read unless a search names others; none is all."`
	TimeField string   `json:"time_field"`
}

func (s *searches) list(rw http.ResponseWriter, _ *http.Request) {
	out := SourceList{Sources: []SourceRow{}}
	for _, one := range s.o.Sources {
		out.Sources = append(out.Sources, SourceRow{Name: one.Name, Kind: one.Kind, Indices: append([]string{}, one.Indices...), TimeField: one.timeField()})
	}
	answer(rw, http.StatusOK, out)
}

func (s SearchSource) timeField() string {
	if s.TimeField == "" {
		return "@timestamp"
	}
	return s.TimeField
}

// SearchFailure says why a search has no answer: where it is wrong, if it is.
type SearchFailure struct {
	Error    string    `json:"error"`
	Problems []Mistake `json:"problems"`
}

// Mistake is something in the text of a search: an error, or what is probably not meant.
type Mistake struct {
	Start   int    `json:"start" doc:"Where it begins, in UTF-16 code units, as JavaScript counts."`
	End     int    `json:"end"`
	Line    int    `json:"line" doc:"From 1, as Column, which counts characters."`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty" doc:"What to write instead."`
}

// notFoundError is a source or an alert that there is not.
type notFoundError struct{ text string }

func (e *notFoundError) Error() string { return e.text }

// source finds a source by its name; the first one without.
func (s *searches) source(name string) (*SearchSource, error) {
	if len(s.o.Sources) == 0 {
		return nil, &notFoundError{"there is no source to search: connect one under Sources, or write one under sources in the configuration"}
	}
	if name == "" {
		return &s.o.Sources[0], nil
	}
	var names []string
	for i := range s.o.Sources {
		if s.o.Sources[i].Name == name {
			return &s.o.Sources[i], nil
		}
		names = append(names, s.o.Sources[i].Name)
	}
	return nil, &notFoundError{fmt.Sprintf("there is no source called %q: there are %s", name, strings.Join(names, ", "))}
}

// Range says which documents are looked at.
type Range struct {
	Source string `json:"source,omitempty" doc:"The source's name; the first one without it."`
	From   string `json:"from,omitempty" doc:"-15m without it; all says that no time bounds the search."`
	To     string `json:"to,omitempty" doc:"now without it."`
}

// scope is a range read.
type scope struct {
	source *SearchSource
	opts   query.Options
}

// scope reads a range. Its error is the caller's to mend.
func (s *searches) scope(r Range) (scope, error) {
	source, err := s.source(r.Source)
	if err != nil {
		return scope{}, err
	}
	// Dates are indexed in milliseconds: with bounds that are, a cluster can do all of a filter.
	now := time.Now().Truncate(time.Millisecond)
	out := scope{source: source, opts: query.Options{TimeField: source.TimeField, Now: now}}
	if s.o.Lookups != nil {
		out.opts.Lookups = s.o.Lookups()
	}
	if r.From == "all" {
		if r.To != "" {
			return scope{}, errors.New("from all and a to exclude each other")
		}
		return out, nil
	}
	if r.From == "" {
		r.From = "-15m"
	}
	if r.To == "" {
		r.To = "now"
	}
	if out.opts.Earliest, err = query.ParseMoment(r.From, now); err != nil {
		return scope{}, fmt.Errorf("from: %w: write -15m, -1d@d, now or 2026-01-02T15:04:05Z", err)
	}
	if out.opts.Latest, err = query.ParseMoment(r.To, now); err != nil {
		return scope{}, fmt.Errorf("to: %w: write -15m, -1d@d, now or 2026-01-02T15:04:05Z", err)
	}
	if !out.opts.Earliest.Before(out.opts.Latest) {
		return scope{}, fmt.Errorf("from %s is not before to %s", r.From, r.To)
	}
	return out, nil
}

// mostSearch bounds the body of a request about a search.
const mostSearch = 256 << 10

// refuse answers for an error of a search.
func (s *searches) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	var (
		wrong   *query.Error
		missing *notFoundError
		source  *sourceError
	)
	switch {
	case r.Context().Err() != nil: // the asker went away
	case errors.As(err, &wrong):
		answer(rw, http.StatusUnprocessableEntity, SearchFailure{Error: wrong.Message, Problems: []Mistake{mistakeOf(wrong.Text, wrong.Text, wrong.Start, wrong.End, wrong.Message, "")}})
	case errors.As(err, &missing):
		answer(rw, http.StatusUnprocessableEntity, SearchFailure{Error: err.Error(), Problems: []Mistake{}})
	case errors.As(err, &source):
		s.log.Warn("a search failed", "error", err)
		answer(rw, http.StatusBadGateway, SearchFailure{Error: source.Error(), Problems: []Mistake{}})
	default:
		answer(rw, http.StatusUnprocessableEntity, SearchFailure{Error: err.Error(), Problems: []Mistake{}})
	}
}

// sourceError says that the source, not the search, is why there is no answer.
type sourceError struct {
	name string
	err  error
}

func (e *sourceError) Error() string { return fmt.Sprintf("search %s: %v", e.name, e.err) }
func (e *sourceError) Unwrap() error { return e.err }

// run compiles and runs a text, and gives each row to emit.
func (s *searches) run(ctx context.Context, sc scope, text string, o query.RunOptions, sink query.Sink) (*query.Outcome, error) {
	q, err := query.Compile(text, sc.opts)
	if err != nil {
		return nil, err
	}
	if o.Backend, err = sc.source.Open(ctx); err != nil {
		return nil, &sourceError{sc.source.Name, err}
	}
	out, err := q.Stream(ctx, o, sink)
	if err != nil {
		return nil, &sourceError{sc.source.Name, err}
	}
	return out, nil
}

// mistakeOf places a part of text, in bytes, in the whole it is part of.
func mistakeOf(whole, text string, start, end int, message, hint string) Mistake {
	base := max(0, strings.Index(whole, text))
	start, end = min(base+start, len(whole)), min(base+end, len(whole))
	before := whole[:start]
	line := strings.Count(before, "\n")
	return Mistake{
		Start: units(before), End: units(whole[:end]), Line: line + 1, Column: len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1,
		Message: message, Hint: hint,
	}
}

// units counts the UTF-16 code units of a text.
func units(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// bytesOf is the place in bytes of a place in UTF-16 code units.
func bytesOf(text string, at int) int {
	n := 0
	for i, r := range text {
		if n >= at {
			return i
		}
		n++
		if r > 0xffff {
			n++
		}
	}
	return len(text)
}

// page is the home of those who search.
func (s *searches) page(rw http.ResponseWriter, r *http.Request) {
	s.render(rw, r, http.StatusOK, "search", struct {
		Sources []SearchSource
		Channel string
		Edits   bool // who asks may save rules and searches
		Plain   *plainSearch
	}{s.o.Sources, s.o.Channel, who(r).Role.Allows(account.Editor), s.plain(r)})
}
