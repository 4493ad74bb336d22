package web

import (
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"tocsin/internal/duration"
	"tocsin/internal/query"
)

// SearchRequest is a search.
type SearchRequest struct {
	Query string `json:"query" doc:"The search: a filter, then pipes."`
	Range
	Limit     int  `json:"limit,omitempty" doc:"The most rows that are answered with, 500 without it and 10000 at most. More says that there are more."`
	Documents bool `json:"documents,omitempty" doc:"Ask for the index and id of each row that is a document."`
}

// SearchAnswer is the answer to a search.
type SearchAnswer struct {
	Columns  []SearchColumn    `json:"columns"`
	Rows     []json.RawMessage `json:"rows" doc:"Documents as they were read, or objects of the columns."`
	Raw      bool              `json:"raw" doc:"The rows are documents."`
	More     bool              `json:"more" doc:"There are more rows than the limit."`
	Found    []FoundAt         `json:"documents,omitempty" doc:"Of each row, where it is from, where that was asked for."`
	Exact    bool              `json:"exact"`
	Inexact  []string          `json:"inexact,omitempty" doc:"Why the answer is not exact."`
	Warnings []string          `json:"warnings"`
	Cost     SearchCost        `json:"cost"`
	Earliest *time.Time        `json:"earliest" doc:"From when on documents were looked at; null for all."`
	Latest   *time.Time        `json:"latest"`
}

// SearchColumn is a column of an answer.
type SearchColumn struct {
	Name string `json:"name"`
	Type string `json:"type" doc:"boolean, long, double, string, time, object, mixed, or null where it has no values."`
}

// SearchCost is what an answer took.
type SearchCost struct {
	Rows     int64 `json:"rows" doc:"Documents or groups that were handed over."`
	Bytes    int64 `json:"bytes"`
	Requests int64 `json:"requests"`
	Took     int64 `json:"took_ns"`
}

// FoundAt is where a document is.
type FoundAt struct {
	Index string `json:"index,omitempty"`
	ID    string `json:"id,omitempty"`
}

// The bounds of how many rows an answer has.
const (
	usualRows = 500
	mostRows  = 10_000
)

func (s *searches) search(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SearchRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	sc, err := s.scope(in.Range)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	limit := in.Limit
	if limit <= 0 {
		limit = usualRows
	}
	limit = min(limit, mostRows)
	out, err := s.rows(r, sc, in.Query, limit, in.Documents)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answerLong(rw, r, out)
}

// rows runs a search for at most limit rows.
func (s *searches) rows(r *http.Request, sc scope, text string, limit int, documents bool) (*SearchAnswer, error) {
	q, err := query.Compile(text, sc.opts)
	if err != nil {
		return nil, err
	}
	backend, err := sc.source.Open(r.Context())
	if err != nil {
		return nil, &sourceError{sc.source.Name, err}
	}
	out := &SearchAnswer{Columns: []SearchColumn{}, Rows: []json.RawMessage{}, Raw: q.Raw(), Warnings: []string{}}
	// One row more than is answered tells that there are more, and a source need not hand over the rest.
	bounded, err := query.Compile(text+" | head "+strconv.Itoa(limit+1), sc.opts)
	if err != nil {
		return nil, err
	}
	var names []string
	o, err := bounded.Stream(r.Context(), query.RunOptions{Backend: backend, Documents: documents || out.Raw}, query.Sink{
		Columns: func(c []string) error {
			names = append([]string{}, c...)
			return nil
		},
		Row: func(row *query.Row) error {
			if len(out.Rows) == limit {
				out.More = true
				return nil
			}
			if out.Raw {
				out.Rows = append(out.Rows, json.RawMessage(append([]byte{}, row.Doc.JSON...)))
			} else {
				out.Rows = append(out.Rows, objectOf(names, row))
			}
			if documents {
				at := FoundAt{}
				if row.Doc != nil {
					at = FoundAt{Index: row.Doc.Index, ID: row.Doc.ID}
				}
				out.Found = append(out.Found, at)
			}
			return nil
		},
	})
	if err != nil {
		return nil, &sourceError{sc.source.Name, err}
	}
	for _, c := range o.Columns {
		out.Columns = append(out.Columns, SearchColumn{c.Name, c.Type})
	}
	out.Exact, out.Inexact = len(o.Inexact) == 0, o.Inexact
	out.Warnings = append(out.Warnings, o.Warnings...)
	out.Cost = SearchCost{Rows: o.Cost.Rows, Bytes: o.Cost.Bytes, Requests: o.Cost.Requests, Took: int64(o.Cost.Took)}
	if !sc.opts.Earliest.IsZero() {
		out.Earliest, out.Latest = &sc.opts.Earliest, &sc.opts.Latest
	}
	return out, nil
}

// objectOf is a row of pipes as a JSON object, in the order of its columns.
func objectOf(names []string, row *query.Row) json.RawMessage {
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			continue // a string is JSON
		}
		b = append(append(b, key...), ':')
		b = row.Get(i).AppendJSON(b)
	}
	return append(b, '}')
}

// CheckRequest is a search that is being written.
type CheckRequest struct {
	Query  string `json:"query"`
	Source string `json:"source,omitempty"`
}

// CheckAnswer is what is known of a search without running it.
type CheckAnswer struct {
	OK       bool       `json:"ok"`
	Problems []Mistake  `json:"problems" doc:"What Search would refuse."`
	Warnings []Mistake  `json:"warnings" doc:"What is probably not meant."`
	Raw      bool       `json:"raw" doc:"The answer would be documents."`
	Kind     query.Kind `json:"kind,omitempty" enum:"row-wise,windowed,range-wise" doc:"How a rule would judge its rows."`
	By       []string   `json:"by" doc:"What its last aggregation groups by."`
	Events   string     `json:"events,omitempty" doc:"The search for the documents it looks at."`
	// Threshold is the number it compares an aggregate with; null where it has none.
	Threshold *ThresholdAt `json:"threshold"`
}

// ThresholdAt is a number in a search that an aggregate is compared with.
type ThresholdAt struct {
	Column string   `json:"column"`
	Op     string   `json:"op" enum:">,>=,<,<="`
	Value  float64  `json:"value"`
	Start  int      `json:"start" doc:"Where the number stands, in UTF-16 code units."`
	End    int      `json:"end"`
	By     []string `json:"by"`
	Window string   `json:"window,omitempty" doc:"The window that the search names itself."`
}

func (s *searches) check(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[CheckRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	sc, err := s.scope(Range{Source: in.Source})
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out := CheckAnswer{Problems: []Mistake{}, Warnings: []Mistake{}, By: []string{}}
	for _, m := range query.Mistakes(in.Query, sc.opts) {
		out.Problems = append(out.Problems, mistakeOf(in.Query, m.Text, m.Start, m.End, m.Message, m.Hint))
	}
	q, err := query.Compile(in.Query, sc.opts)
	if err != nil {
		answer(rw, http.StatusOK, out)
		return
	}
	out.OK, out.Raw, out.Kind, out.Events = true, q.Raw(), q.Kind(), q.Events()
	out.By = append(out.By, q.By()...)
	warnings := q.Warnings()
	if backend, err := sc.source.Open(r.Context()); err == nil { // without it there is less to warn of
		warnings = q.Lint(r.Context(), backend)
	}
	for _, m := range warnings {
		out.Warnings = append(out.Warnings, mistakeOf(in.Query, m.Text, m.Start, m.End, m.Message, m.Hint))
	}
	if t, ok := q.Threshold(in.Query); ok {
		out.Threshold = thresholdAt(in.Query, t)
	}
	answer(rw, http.StatusOK, out)
}

func thresholdAt(text string, t query.Threshold) *ThresholdAt {
	out := &ThresholdAt{Column: t.Column, Op: t.Op, Value: t.Value, Start: units(text[:t.Start]), End: units(text[:t.End]), By: append([]string{}, t.By...)}
	if t.Window > 0 {
		out.Window = duration.Format(t.Window)
	}
	return out
}

// SearchHints are what may help when a search finds nothing.
type SearchHints struct {
	Newest   *time.Time `json:"newest" doc:"The time of the newest document of the source; null where there is none."`
	Match    *time.Time `json:"match" doc:"The time of the newest document, of any time, that the search would look at."`
	Warnings []Mistake  `json:"warnings"`
}

func (s *searches) hints(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SearchRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	in.Range.From, in.Range.To = "all", ""
	sc, err := s.scope(in.Range)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	q, err := query.Compile(in.Query, sc.opts)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out := SearchHints{Warnings: []Mistake{}}
	newest := func(text string) (*time.Time, error) {
		var found *time.Time
		_, err := s.run(r.Context(), sc, text+" | head 1", query.RunOptions{Documents: true}, query.Sink{
			Columns: func([]string) error { return nil },
			Row: func(row *query.Row) error {
				if ns, ok, err := query.TimeOf(row.Doc.JSON, sc.source.timeField()); err == nil && ok {
					t := time.Unix(0, ns).UTC()
					found = &t
				}
				return nil
			},
		})
		return found, err
	}
	if out.Newest, err = newest(""); err == nil {
		out.Match, err = newest(q.Events())
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	backend, err := sc.source.Open(r.Context())
	if err != nil {
		s.refuse(rw, r, &sourceError{sc.source.Name, err})
		return
	}
	for _, m := range q.Lint(r.Context(), backend) {
		out.Warnings = append(out.Warnings, mistakeOf(in.Query, m.Text, m.Start, m.End, m.Message, m.Hint))
	}
	answer(rw, http.StatusOK, out)
}

// answerLong is answer for what may be long: compressed for those who take that.
func answerLong(rw http.ResponseWriter, r *http.Request, body any) {
	b, err := json.Marshal(body)
	if err != nil || len(b) < 1400 || !takes(r, "gzip") {
		answer(rw, http.StatusOK, body)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	w, err := gzip.NewWriterLevel(rw, gzip.BestSpeed)
	if err != nil {
		return // the level is right
	}
	w.Write(append(b, '\n')) //nolint:errcheck // a reader that went away needs no answer
	w.Close()                //nolint:errcheck // the same
}
