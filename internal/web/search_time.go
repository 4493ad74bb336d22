package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tocsin/internal/duration"
	"tocsin/internal/query"
)

// HistogramRequest asks how many documents a search looks at over time.
type HistogramRequest struct {
	Query string `json:"query"`
	Range
	Bars int `json:"bars,omitempty" doc:"About how many bars, 60 without it and 500 at most."`
}

// Histogram is how many documents there are over time.
type Histogram struct {
	Earliest time.Time      `json:"earliest"`
	Latest   time.Time      `json:"latest"`
	Step     int64          `json:"step_ms" doc:"How long a bar lasts."`
	Bars     []HistogramBar `json:"bars" doc:"Those that hold documents, in order."`
	Total    int64          `json:"total"`
}

// HistogramBar is a bar: when it begins, and how many documents it holds.
type HistogramBar struct {
	Time  int64 `json:"t" doc:"In milliseconds since 1970."`
	Count int64 `json:"n"`
}

// barSteps are how long a bar may last.
var barSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// stepOf is the shortest of barSteps that makes at most so many bars.
func stepOf(length time.Duration, bars int) time.Duration {
	for _, step := range barSteps {
		if length <= step*time.Duration(bars) {
			return step
		}
	}
	return length / time.Duration(bars)
}

func (s *searches) histogram(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[HistogramRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	sc, err := s.scope(in.Range)
	if err == nil && sc.opts.Earliest.IsZero() {
		err = errors.New("a histogram needs a time range: write from and to")
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	q, err := query.Compile(in.Query, sc.opts)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	bars := in.Bars
	if bars <= 0 {
		bars = 60
	}
	step := stepOf(sc.opts.Latest.Sub(sc.opts.Earliest), min(bars, 500))
	out := Histogram{Earliest: sc.opts.Earliest, Latest: sc.opts.Latest, Step: step.Milliseconds(), Bars: []HistogramBar{}}
	text := fmt.Sprintf("%s | stats count by span(_time, %dms) as _window", q.Events(), step.Milliseconds())
	_, err = s.run(r.Context(), sc, text, query.RunOptions{}, query.Sink{
		Columns: func([]string) error { return nil },
		Row: func(row *query.Row) error {
			ns, timed := row.Get(0).AsTime()
			n, counted := row.Get(1).Number()
			if timed && counted {
				out.Bars = append(out.Bars, HistogramBar{time.Duration(ns).Milliseconds(), int64(n.Float())})
				out.Total += int64(n.Float())
			}
			return nil
		},
	})
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	slices.SortFunc(out.Bars, func(a, b HistogramBar) int { return int(a.Time - b.Time) })
	answerLong(rw, r, out)
}

// WindowsRequest asks what a search with a threshold computes in each window.
type WindowsRequest struct {
	Query string `json:"query"`
	Range
	Window string `json:"window,omitempty" doc:"How long a window is, such as 5m, where the search does not say; 5m without it."`
}

// Windows are the values of groups in windows that follow each other. A rule's windows slide, so that one may
// hold more than is shown here.
type Windows struct {
	Earliest  time.Time    `json:"earliest"`
	Latest    time.Time    `json:"latest"`
	Step      int64        `json:"step_ms" doc:"How long a window is."`
	Threshold *ThresholdAt `json:"threshold"`
	Groups    []Group      `json:"groups" doc:"Those that go furthest over the whole range, at most 8."`
}

// Group is one group: what names it, and its values.
type Group struct {
	Key    []string      `json:"key" doc:"Of each field grouped by."`
	Values []WindowValue `json:"values" doc:"Of the windows that hold documents, in order."`
}

// WindowValue is the value of a window.
type WindowValue struct {
	Time  int64   `json:"t" doc:"When the window begins, in milliseconds since 1970."`
	Value float64 `json:"v"`
}

const (
	mostGroups  = 8
	mostWindows = 4500
)

func (s *searches) windows(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[WindowsRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	out, err := s.computeWindows(r, in)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answerLong(rw, r, out)
}

func (s *searches) computeWindows(r *http.Request, in WindowsRequest) (*Windows, error) {
	sc, err := s.scope(in.Range)
	if err != nil {
		return nil, err
	}
	q, err := query.Compile(in.Query, sc.opts)
	if err != nil {
		return nil, err
	}
	limit, ok := q.Threshold(in.Query)
	if !ok {
		return nil, errors.New("the search compares no aggregate with a number: write such as `| count by user.name | search count > 10`")
	}
	length := limit.Window
	if length == 0 && in.Window != "" {
		if length, err = duration.Parse(in.Window); err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
	}
	if length == 0 {
		length = 5 * time.Minute
	}
	span := sc.opts.Latest.Sub(sc.opts.Earliest)
	switch {
	case sc.opts.Earliest.IsZero():
		return nil, errors.New("windows need a time range: write from and to")
	case length < time.Second:
		return nil, errors.New("the window is shorter than a second")
	case span/length > mostWindows:
		return nil, fmt.Errorf("%s hold more than %d windows of %s: choose a shorter time", duration.Format(span), mostWindows, duration.Format(length))
	}
	out := &Windows{
		Earliest: sc.opts.Earliest, Latest: sc.opts.Latest, Step: length.Milliseconds(), Threshold: thresholdAt(in.Query, limit), Groups: []Group{},
	}
	if len(limit.By) == 0 {
		out.Groups = append(out.Groups, Group{Key: []string{}, Values: []WindowValue{}})
	} else if err := s.topGroups(r, sc, q, limit, out); err != nil {
		return nil, err
	}
	var keys [][]string
	for _, g := range out.Groups {
		keys = append(keys, g.Key)
	}
	if len(limit.By) > 0 && len(keys) == 0 {
		return out, nil
	}
	if len(limit.By) == 0 {
		keys = nil
	}
	var names []string
	_, err = s.run(r.Context(), sc, q.PerWindow(limit, length, keys), query.RunOptions{}, query.Sink{
		Columns: func(c []string) error {
			names = slices.Clone(c)
			return nil
		},
		Row: func(row *query.Row) error {
			ns, timed := row.Get(slices.Index(names, "_window")).AsTime()
			v, counted := row.Get(slices.Index(names, limit.Column)).Number()
			if !timed || !counted {
				return nil
			}
			for i := range out.Groups {
				if slices.Equal(out.Groups[i].Key, keyOf(row, names, limit.By)) {
					out.Groups[i].Values = append(out.Groups[i].Values, WindowValue{time.Duration(ns).Milliseconds(), v.Float()})
				}
			}
			return nil
		},
	})
	for i := range out.Groups {
		slices.SortFunc(out.Groups[i].Values, func(a, b WindowValue) int { return int(a.Time - b.Time) })
	}
	return out, err
}

// topGroups finds the groups that go furthest over the whole range.
func (s *searches) topGroups(r *http.Request, sc scope, q *query.Query, limit query.Threshold, out *Windows) error {
	var names []string
	_, err := s.run(r.Context(), sc, q.Groups(limit, mostGroups), query.RunOptions{}, query.Sink{
		Columns: func(c []string) error {
			names = slices.Clone(c)
			return nil
		},
		Row: func(row *query.Row) error {
			key := keyOf(row, names, limit.By)
			if !slices.Contains(key, "") {
				out.Groups = append(out.Groups, Group{Key: key, Values: []WindowValue{}})
			}
			return nil
		},
	})
	return err
}

func keyOf(row *query.Row, names, by []string) []string {
	key := make([]string, len(by))
	for i, name := range by {
		key[i] = row.Get(slices.Index(names, name)).Text()
	}
	return key
}
