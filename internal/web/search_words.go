package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query"
)

// FieldList are the fields of a source, those used most first.
type FieldList struct {
	Fields []FieldRow `json:"fields"`
	Looked int        `json:"looked_at" doc:"Of how many of the newest documents the uses are."`
}

// FieldRow is a field.
type FieldRow struct {
	Name string `json:"name"`
	Type string `json:"type" doc:"By Elasticsearch's names; conflict where indices differ."`
	Uses int    `json:"uses" doc:"How many of the documents looked at have it."`
	// Groups says that rows can be grouped by it.
	Groups bool `json:"groups" doc:"Rows can be grouped by it."`
}

// ValueList are values of a field, most common first.
type ValueList struct {
	Values []ValueRow `json:"values"`
	Exact  bool       `json:"exact" doc:"The counts are of all documents of the time; else of those looked at."`
	Looked int        `json:"looked_at,omitempty"`
}

// ValueRow is a value, and how many documents have it.
type ValueRow struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// typed is a backend that knows the types of its fields, as a field caps answer.
type typed interface {
	FieldTypes(ctx context.Context) ([]byte, error)
}

const (
	sampled     = 500 // documents
	mostValues  = 20
	sampleTime  = 3 * time.Second
	valuesTime  = 180 * time.Millisecond // then the sample must do
	sampleBytes = 64 << 20
)

// sample is what the newest documents of a source hold.
type sample struct {
	documents int
	uses      map[string]int
	values    map[string]map[string]int64
	delays    []time.Duration // from a document's time until it was taken in
}

// sampleOf looks at the newest documents of a scope, once a while.
func (s *searches) sampleOf(ctx context.Context, sc scope, key string) (*sample, error) {
	return s.samples.get(key, func() (*sample, error) {
		ctx, cancel := context.WithTimeout(ctx, sampleTime)
		defer cancel()
		out := &sample{uses: map[string]int{}, values: map[string]map[string]int64{}}
		size := 0
		_, err := s.run(ctx, sc, "| head "+strconv.Itoa(sampled), query.RunOptions{Documents: true}, query.Sink{
			Columns: func([]string) error { return nil },
			Row: func(row *query.Row) error {
				if size += len(row.Doc.JSON); size > sampleBytes {
					return nil
				}
				return out.add(row.Doc.JSON, sc.source.timeField())
			},
		})
		return out, err
	})
}

func (s *sample) add(document, timeField string) error {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return fmt.Errorf("read a document: %w", err)
	}
	s.documents++
	seen := map[string]bool{}
	s.walk("", doc, seen)
	if taken, ok, err := query.TimeOf(document, "event.ingested"); err == nil && ok {
		if at, ok, err := query.TimeOf(document, timeField); err == nil && ok {
			s.delays = append(s.delays, time.Duration(taken-at))
		}
	}
	return nil
}

func (s *sample) walk(name string, value any, seen map[string]bool) {
	var text string
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if name != "" {
				key = name + "." + key
			}
			s.walk(key, inner, seen)
		}
		return
	case []any:
		for _, inner := range v {
			s.walk(name, inner, seen)
		}
		return
	case nil:
		return
	case string:
		text = v
	default:
		text = fmt.Sprint(v)
	}
	if !seen[name] {
		seen[name] = true
		s.uses[name]++
	}
	if len(text) > 200 {
		return
	}
	if s.values[name] == nil {
		s.values[name] = map[string]int64{}
	}
	s.values[name][text]++
}

func (s *searches) fieldsOf(ctx context.Context, sc scope, key string) (FieldList, error) {
	return s.fields.get(key, func() (FieldList, error) {
		out := FieldList{Fields: []FieldRow{}}
		looked, err := s.sampleOf(ctx, sc, key)
		if err != nil {
			var source *sourceError
			if !errors.As(err, &source) || !errors.Is(err, context.DeadlineExceeded) {
				return out, err
			}
			looked = &sample{} // a slow source still has names
		}
		backend, err := sc.source.Open(ctx)
		if err != nil {
			return out, &sourceError{sc.source.Name, err}
		}
		out.Looked = looked.documents
		known := map[string]bool{}
		if t, ok := backend.(typed); ok {
			caps, err := t.FieldTypes(ctx)
			if err == nil {
				out.Fields, err = readCaps(caps)
			}
			if err != nil && looked.documents == 0 { // else the documents tell the names, without types
				return out, &sourceError{sc.source.Name, err}
			}
		}
		for i := range out.Fields {
			f := &out.Fields[i]
			known[f.Name] = true
			f.Uses = looked.uses[f.Name]
			if above, ok := strings.CutSuffix(f.Name, ".keyword"); ok && f.Uses == 0 {
				f.Uses = looked.uses[above]
			}
		}
		for name, n := range looked.uses {
			if !known[name] {
				out.Fields = append(out.Fields, FieldRow{Name: name, Type: "unknown", Uses: n})
			}
		}
		sort.Slice(out.Fields, func(i, j int) bool {
			if a, b := out.Fields[i], out.Fields[j]; a.Uses != b.Uses {
				return a.Uses > b.Uses
			}
			return out.Fields[i].Name < out.Fields[j].Name
		})
		return out, nil
	})
}

// readCaps reads a field caps answer, leaving out what holds other fields and what is of the index alone.
func readCaps(caps []byte) ([]FieldRow, error) {
	var in struct {
		Fields map[string]map[string]struct {
			Aggregatable bool `json:"aggregatable"`
			Metadata     bool `json:"metadata_field"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(caps, &in); err != nil {
		return nil, fmt.Errorf("read the types of fields: %w", err)
	}
	out := []FieldRow{}
	for name, types := range in.Fields {
		f := FieldRow{Name: name, Groups: true}
		for t, can := range types {
			if t == "object" || t == "nested" || t == "unmapped" || can.Metadata || strings.HasPrefix(name, "_") {
				continue
			}
			if f.Type != "" && f.Type != t {
				t = "conflict"
			}
			f.Type = t
			f.Groups = f.Groups && can.Aggregatable
		}
		if f.Type != "" {
			out = append(out, f)
		}
	}
	return out, nil
}

// rangeKey names a range roughly: completion need not tell 14:00:01 from 14:00:02.
func rangeKey(r Range) string { return r.Source + "\x00" + r.From + "\x00" + r.To }

func (s *searches) listFields(rw http.ResponseWriter, r *http.Request) {
	in := rangeOf(r)
	sc, err := s.scope(in)
	var out FieldList
	if err == nil {
		out, err = s.fieldsOf(r.Context(), sc, rangeKey(in))
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answerLong(rw, r, out)
}

func rangeOf(r *http.Request) Range {
	q := r.URL.Query()
	return Range{Source: q.Get("source"), From: q.Get("from"), To: q.Get("to")}
}

func (s *searches) listValues(rw http.ResponseWriter, r *http.Request) {
	in := rangeOf(r)
	sc, err := s.scope(in)
	var out ValueList
	if err == nil {
		out, err = s.valuesOf(r.Context(), sc, rangeKey(in), r.URL.Query().Get("field"), r.URL.Query().Get("prefix"))
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answerLong(rw, r, out)
}

// valuesOf are the values of a field that begin with a text, counted exactly where that is done soon, else
// those of the newest documents.
func (s *searches) valuesOf(ctx context.Context, sc scope, key, field, prefix string) (ValueList, error) {
	return s.values.get(strings.Join([]string{key, field, prefix}, "\x00"), func() (ValueList, error) {
		fields, err := s.fieldsOf(ctx, sc, key)
		if err != nil {
			return ValueList{}, err
		}
		counted, kind := field, ""
		for _, f := range fields.Fields {
			switch {
			case f.Name == field:
				kind = f.Type
			case f.Name == field+".keyword" && f.Groups:
				counted = f.Name
			}
		}
		if kind == "keyword" {
			counted = field
		}
		if kind != "text" || counted != field {
			if out, err := s.countValues(ctx, sc, counted, kind, prefix); err == nil && len(out.Values) > 0 {
				return out, nil
			} else if ctx.Err() != nil {
				return ValueList{}, ctx.Err()
			}
		}
		looked, err := s.sampleOf(ctx, sc, key)
		if err != nil {
			return ValueList{}, err
		}
		out := ValueList{Values: []ValueRow{}, Looked: looked.documents}
		for value, n := range looked.values[strings.TrimSuffix(field, ".keyword")] {
			if strings.Contains(strings.ToLower(value), strings.ToLower(prefix)) {
				out.Values = append(out.Values, ValueRow{value, n})
			}
		}
		slices.SortFunc(out.Values, func(a, b ValueRow) int {
			if a.Count != b.Count {
				return int(b.Count - a.Count)
			}
			return strings.Compare(a.Value, b.Value)
		})
		out.Values = out.Values[:min(len(out.Values), mostValues)]
		return out, nil
	})
}

func (s *searches) countValues(ctx context.Context, sc scope, field, kind, prefix string) (ValueList, error) {
	ctx, cancel := context.WithTimeout(ctx, valuesTime)
	defer cancel()
	filter := ""
	if prefix != "" && (kind == "keyword" || kind == "text" || kind == "") {
		filter = query.FieldBegins(field, prefix)
	}
	out := ValueList{Values: []ValueRow{}, Exact: true}
	text := fmt.Sprintf("%s | stats count by %s | sort - count | head %d", filter, query.FieldName(field), mostValues*5)
	_, err := s.run(ctx, sc, text, query.RunOptions{}, query.Sink{
		Columns: func([]string) error { return nil },
		Row: func(row *query.Row) error {
			n, ok := row.Get(1).Number()
			value := row.Get(0).Text()
			if ok && value != "" && len(out.Values) < mostValues && strings.HasPrefix(strings.ToLower(value), strings.ToLower(prefix)) {
				out.Values = append(out.Values, ValueRow{value, int64(n.Float())})
			}
			return nil
		},
	})
	return out, err
}

// IngestDelay is how long after their time documents were taken in.
type IngestDelay struct {
	Known  bool  `json:"known" doc:"The documents say when they were taken in."`
	P99    int64 `json:"p99_ms" doc:"99 of 100 were taken in within this."`
	Looked int   `json:"looked_at"`
}

func (s *searches) delay(rw http.ResponseWriter, r *http.Request) {
	in := Range{Source: r.URL.Query().Get("source"), From: "-7d"}
	sc, err := s.scope(in)
	var looked *sample
	if err == nil {
		looked, err = s.sampleOf(r.Context(), sc, rangeKey(in))
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out := IngestDelay{Looked: len(looked.delays), Known: len(looked.delays) > 0}
	if out.Known {
		delays := slices.Sorted(slices.Values(looked.delays))
		out.P99 = max(0, delays[(len(delays)*99+99)/100-1].Milliseconds())
	}
	answerLong(rw, r, out)
}
