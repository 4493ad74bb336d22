package detect

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query"
)

// The bounds of the measures kept with alerts of windows.
const (
	mostSeries   = 20  // alerts of one run that get one
	seriesMost   = 118 // windows that the search for them spans
	seriesBefore = 30  // windows shown before an episode
	seriesLeast  = 6   // of them at least, where windows are so long that they go back further than
	seriesBack   = 7 * 24 * time.Hour
	seriesWithin = 10 * time.Second
)

// Series is how what an alert measures went: in windows that follow each other, and in the one it tells of.
type Series struct {
	Title string `json:"title"`
	// Points are the ends of windows, in milliseconds since 1970, with what was measured in each; Fired is the one
	// that the alert tells of.
	Points    [][2]float64 `json:"points"`
	Fired     [2]float64   `json:"fired"`
	Threshold *float64     `json:"threshold,omitempty"`
	Below     bool         `json:"below,omitempty"`     // it fires below the threshold
	Inclusive bool         `json:"inclusive,omitempty"` // and at the threshold itself
}

// measuring is how the measure of a search is read over time.
type measuring struct {
	column string // of what is measured
	empty  bool   // it is 0 where there is no event, and not nothing
	length int64  // of a window, in nanoseconds
	lead   int64  // what is shown before an episode, in nanoseconds

	threshold *float64
	below     bool
	inclusive bool

	windows *query.Query // what PerWindow makes a search of
	of      query.Threshold
}

// depict adds to the alerts of windows that the run found or changed how their measure went, by one search for all
// of them. An alert without is as good: what fails here is no failure of the run. What nothing else changed stays as
// it is, so that no message changes for its picture alone.
func (e *evaluation) depict(ctx context.Context, b query.Backend, log *slog.Logger) {
	var picked [][2]int
	for _, place := range slices.Concat(e.made, e.grown) {
		if one := &e.result.episodes[place[0]]; one.standing() && one.Held == nil {
			picked = append(picked, place)
		}
	}
	if len(picked) == 0 {
		return
	}
	s := e.rule.search
	m, ok := s.measuring()
	if !ok {
		return
	}
	// Where not all of them lie near enough for one search, the newest do.
	slices.SortStableFunc(picked, func(a, b [2]int) int {
		return cmp.Compare(e.result.episodes[b[0]].LastEnd, e.result.episodes[a[0]].LastEnd)
	})
	var (
		from, to int64 = math.MaxInt64, math.MinInt64
		places   [][2]int
		keys     [][]string
	)
	for _, place := range picked {
		one := &e.result.episodes[place[0]]
		values, ok := s.valuesOf(one)
		low, high := m.span(one)
		if !ok || len(places) == mostSeries || (max(to, high)-min(from, low))/m.length > seriesMost {
			continue
		}
		from, to = min(from, low), max(to, high)
		places, keys = append(places, place), append(keys, values)
	}
	if len(places) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, seriesWithin)
	defer cancel()
	values, err := s.measures(ctx, b, m, keys, from, to, e.now)
	if err != nil {
		log.Debug("how the measure of alerts went could not be read", "rule", e.rule.rule.Name, "error", err)
		return
	}
	for _, place := range places {
		one := &e.result.episodes[place[0]]
		drawn := s.seriesOf(m, one, values[one.Key])
		if drawn == nil {
			continue
		}
		before := one.Series
		one.Series = drawn
		a, err := e.rule.ofWindow(one)
		if err != nil {
			one.Series = before
			continue
		}
		e.alerts[place[1]].Document = a.Document
	}
}

// measuring tells how the search's measure is read; ok is false where it has none that can be.
func (s *search) measuring() (m measuring, ok bool) {
	if s.kind != windowed || s.carries || s.commanded.Name == "sequence" || s.window < time.Millisecond || s.window%time.Millisecond != 0 {
		return m, false
	}
	m.length = int64(s.window)
	m.lead = m.length * min(max(int64(seriesBack/s.window), seriesLeast), seriesBefore)
	text := s.text
	if s.commanded.Name != "" {
		text = s.events + " | stats count"
		if len(s.by) > 0 {
			text += " by " + strings.Join(s.by, ", ")
		}
	}
	q, err := query.Compile(text, query.Options{TimeField: s.timeField, Lookups: s.lookups})
	if err != nil {
		return m, false
	}
	m.windows = q
	if m.of, ok = q.Threshold(text); ok {
		m.column, m.threshold = m.of.Column, &m.of.Value
		m.below, m.inclusive = m.of.Op[0] == '<', strings.HasSuffix(m.of.Op, "=")
	} else {
		m.column = s.measure
	}
	if s.commanded.Name != "" {
		m.column = "count"
	}
	m.empty = q.Fills(m.column)
	return m, m.column != "" && slices.Equal(m.of.By, s.by)
}

// valuesOf are the values that name an episode's key; ok is false where a filter cannot ask for them.
func (s *search) valuesOf(of *Stored) (values []string, ok bool) {
	for _, name := range s.by {
		i := slices.IndexFunc(of.Best.Row, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return nil, false
		}
		v := of.Best.Row[i].Value
		if v == "null" || v == `""` || strings.HasPrefix(v, "[") || strings.HasPrefix(v, "{") {
			return nil, false
		}
		values = append(values, plain(v))
	}
	return values, true
}

// span is the stretch of time of which an episode's measure is shown, in nanoseconds. It begins with a window, and
// holds the moment that the alert tells of.
func (m *measuring) span(of *Stored) (from, to int64) {
	from, to = floor(of.FirstEnd-m.lead, m.length), of.LastEnd+1
	if (to-from)/m.length > seriesMost {
		from = floor(of.Best.End-m.lead, m.length)
		to = min(to, from+seriesMost*m.length)
	}
	return from, to
}

// measures are the values of windows that follow each other, by key and by the beginning of the window.
func (s *search) measures(ctx context.Context, b query.Backend, m measuring, keys [][]string, from, to int64, now time.Time) (map[string]map[int64]float64, error) {
	if len(s.by) == 0 {
		keys = nil
	}
	q, err := query.Compile(m.windows.PerWindow(m.of, s.window, keys), query.Options{
		TimeField: s.timeField, Now: now, Earliest: time.Unix(0, from).UTC(), Latest: time.Unix(0, to).UTC(), Lookups: s.lookups,
	})
	if err != nil {
		return nil, err
	}
	out := map[string]map[int64]float64{}
	err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(names []string, r *query.Row) error {
		at, timed := r.Get(0).AsTime()
		value := slices.Index(names[1:], m.column) + 1
		if !timed || value == 0 || !r.Get(value).IsNumber() {
			return nil
		}
		var key []Column
		for i, n := range names[1:] {
			if slices.Contains(s.by, n) && len(key) < len(s.by) {
				key = append(key, Column{n, string(r.Get(i + 1).AppendJSON(nil))})
			}
		}
		k := keyOf(key)
		if out[k] == nil {
			out[k] = map[int64]float64{}
		}
		out[k][at] = r.Get(value).Float()
		return nil
	})
	return out, err
}

// seriesOf is what is shown of an episode's measure; nil for nothing.
func (s *search) seriesOf(m measuring, of *Stored, values map[int64]float64) *Series {
	if len(values) == 0 {
		return nil
	}
	out := &Series{Title: s.measureTitle(m.column), Threshold: m.threshold, Below: m.below, Inclusive: m.inclusive}
	switch s.commanded.Name {
	case "missing":
		out.Fired = [2]float64{milliseconds(of.Best.End), 0}
	case "spike":
		count, err := strconv.ParseFloat(column(of.Best.Row, "count"), 64)
		baseline, err2 := strconv.ParseFloat(column(of.Best.Row, "baseline"), 64)
		if err != nil || err2 != nil {
			return nil
		}
		out.Fired = [2]float64{milliseconds(of.Best.End + 1), count} // the end of a bucket is no longer in it
		limit := s.spikeLimit(baseline)
		out.Threshold = &limit
	default:
		value, err := strconv.ParseFloat(column(of.Best.Row, m.column), 64)
		if err != nil {
			return nil
		}
		out.Fired = [2]float64{milliseconds(of.Best.End), value}
	}
	from, to := m.span(of)
	fired := false
	for at := from; at+m.length <= to; at += m.length {
		end := milliseconds(at + m.length)
		if !fired && end >= out.Fired[0] {
			out.Points, fired = append(out.Points, out.Fired), true
		}
		if v, ok := values[at]; (ok || m.empty) && end != out.Fired[0] {
			out.Points = append(out.Points, [2]float64{end, v})
		}
	}
	if !fired {
		out.Points = append(out.Points, out.Fired)
	}
	if len(out.Points) < 2 {
		return nil
	}
	return out
}

// spikeLimit is how many events a bucket may have.
func (s *search) spikeLimit(baseline float64) float64 {
	limit := s.commanded.Factor * baseline
	if least := float64(s.commanded.Min); least > limit {
		return least - 1 // as many as that are a spike
	}
	return limit
}

// measureTitle says what is measured: "failed ssh_login in 5 minutes".
func (s *search) measureTitle(column string) string {
	if column == "count" {
		column = cut(s.subject, 60)
	}
	return column + " in " + inWords(s.window)
}

// milliseconds are those of a time in nanoseconds, since 1970.
func milliseconds(at int64) float64 { return float64(floor(at, 1e6) / 1e6) }
