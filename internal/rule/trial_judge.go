package rule

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/wording"
)

// judgement is what a rule makes of documents.
type judgement struct {
	alerts []map[string]any
	rows   int
	// kept counts the rows that are no alert, by why.
	kept map[string]int
}

// candidate is what may become an alert.
type candidate struct {
	// at is its time: the document's, the end of the first window of an episode, or the tick.
	at     time.Time
	fields map[string][]any
	// rows are those of a run where one alert is made of them.
	rows []map[string][]any
}

// mostTicks bounds how often a test judges a search that is judged per window.
const mostTicks = 20_000

// judge runs the rule over all documents as if it had run all along.
func (t *Tester) judge(ctx context.Context, r *Rule, now time.Time, b query.Backend) (judgement, error) {
	out := judgement{alerts: []map[string]any{}, kept: map[string]int{}}
	q, err := t.compile(r, now, time.Time{}, time.Time{})
	if err != nil {
		return out, err
	}
	var found []candidate
	switch r.Kind {
	case query.RowWise:
		found, err = t.documents(ctx, r, q, b, now)
	case query.Windowed:
		found, err = t.episodes(ctx, r, q, b)
	default:
		found, err = t.ticks(ctx, r, now, b)
	}
	if err != nil {
		return out, err
	}
	out.rows = len(found)
	found = slices.DeleteFunc(found, func(c candidate) bool {
		why := ""
		if e := r.Excepted(c.fields, now); e != nil {
			why = "excepted (" + e.Reason + ")"
		} else if !r.Schedule.Runs.Contains(c.at) {
			why = "outside schedule.runs"
		}
		if why != "" {
			out.kept[why]++
		}
		return why != ""
	})
	if r.MessagePer == PerRun {
		found = perRun(found, r.Every)
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.at.Compare(b.at) })
	if r.Kind == query.RangeWise && r.MessagePer == PerRow && !r.SameAgainOff {
		n := len(found)
		found = apart(found, r.By, r.Window)
		if n > len(found) {
			out.kept["the same in windows that overlap"] = n - len(found)
		}
	}
	for _, c := range found {
		one, err := alertOf(r, c)
		if err != nil {
			return out, err
		}
		out.alerts = append(out.alerts, one)
	}
	return out, nil
}

// apart leaves out rows that windows found again which overlap with that of the first.
func apart(found []candidate, by []string, window time.Duration) []candidate {
	last := map[string]time.Time{}
	return slices.DeleteFunc(found, func(c candidate) bool {
		names := by
		if len(names) == 0 {
			names = slices.Sorted(maps.Keys(c.fields))
		}
		var parts []string
		for _, name := range names {
			if v := wording.Values(c.fields[name]); len(by) > 0 || !isNumeric(v) {
				parts = append(parts, name, wording.Show(v))
			}
		}
		same := strings.Join(parts, "\x00")
		at, before := last[same]
		if before && c.at.After(at) && c.at.Sub(at) < window {
			return true
		}
		last[same] = c.at
		return false
	})
}

func isNumeric(v any) bool {
	switch v.(type) {
	case int64, float64, int:
		return true
	}
	return false
}

func (t *Tester) compile(r *Rule, now, from, to time.Time) (*query.Query, error) {
	o := query.Options{Now: now, Earliest: from, Latest: to}
	if t.Lookups != nil {
		o.Lookups = t.Lookups()
	}
	return r.Compile(o)
}

// perRun puts the rows of each run together, those of one step of every, in their order.
func perRun(found []candidate, every time.Duration) []candidate {
	var out []candidate
	for _, c := range found {
		tick := tickOf(c.at, every)
		if i := slices.IndexFunc(out, func(run candidate) bool { return run.at.Equal(tick) }); i >= 0 {
			out[i].rows = append(out[i].rows, c.fields)
			continue
		}
		out = append(out, candidate{at: tick, fields: map[string][]any{}, rows: []map[string][]any{c.fields}})
	}
	return out
}

// tickOf is the end of the run that judges a time: the next multiple of every since 1970.
func tickOf(at time.Time, every time.Duration) time.Time {
	n := at.UnixNano()
	if rest := n % int64(every); rest > 0 {
		n += int64(every) - rest
	}
	return time.Unix(0, n).UTC()
}

// documents judges each document alone.
func (t *Tester) documents(ctx context.Context, r *Rule, q *query.Query, b query.Backend, now time.Time) ([]candidate, error) {
	result, err := q.Run(ctx, query.RunOptions{Backend: b, Documents: true})
	if err != nil {
		return nil, err
	}
	var out []candidate
	for i := range result.Rows {
		fields, err := fieldsOf(result, i)
		if err != nil {
			return nil, err
		}
		c := candidate{at: now, fields: fields}
		if d := result.Rows[i].Doc; d != nil {
			for _, field := range []string{timeField(r), r.TimestampFallback} {
				ns, ok, err := query.TimeOf(d.JSON, field)
				if err != nil {
					return nil, err
				}
				if ok {
					c.at = time.Unix(0, ns).UTC()
					break
				}
			}
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return a.at.Compare(b.at) })
	return out, nil
}

func timeField(r *Rule) string { return cmp.Or(r.TimestampField, "@timestamp") }

// fieldsOf are a row's fields by dotted name, over those of its document.
func fieldsOf(result *query.Result, i int) (map[string][]any, error) {
	fields := alert.Fields{}
	if d := result.Rows[i].Doc; d != nil && d.JSON != "" {
		var err error
		if fields, err = alert.Flatten(json.RawMessage(d.JSON)); err != nil {
			return nil, err
		}
	}
	if result.Raw {
		return fields, nil
	}
	columns := map[string]any{}
	for slot, column := range result.Columns {
		columns[column.Name] = result.Rows[i].Get(slot)
	}
	written, err := json.Marshal(columns)
	if err != nil {
		return nil, err
	}
	own, err := alert.Flatten(written)
	maps.Copy(fields, own)
	return fields, err
}

// window is a window that the search keeps.
type window struct {
	key        string
	first, end time.Time
	fields     map[string][]any
	rank       float64
	ranked     bool
}

// episodes judges the windows that slide along the events, and joins those of a key that are near.
func (t *Tester) episodes(ctx context.Context, r *Rule, q *query.Query, b query.Backend) ([]candidate, error) {
	sliding, ok := q.Sliding()
	if !ok { // a command that looks at events otherwise tells its rows itself
		return t.whole(ctx, q, b)
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: b, Windows: true})
	if err != nil {
		return nil, err
	}
	var windows []window
	for i := range result.Rows {
		w, err := windowOf(result, i, sliding.By)
		if err != nil {
			return nil, err
		}
		if r.Schedule.Runs.Contains(w.end) {
			windows = append(windows, w)
		}
	}
	slices.SortStableFunc(windows, func(a, b window) int { return cmp.Or(strings.Compare(a.key, b.key), a.end.Compare(b.end)) })
	var out []candidate
	for i := 0; i < len(windows); {
		best, first, last, j := windows[i], windows[i].first, windows[i].end, i+1
		for ; j < len(windows) && windows[j].key == best.key && windows[j].end.Sub(last) < sliding.Length; j++ {
			last = windows[j].end
			if first.After(windows[j].first) {
				first = windows[j].first
			}
			if !windows[j].ranked || windows[j].rank > best.rank || !best.ranked {
				best = windows[j]
			}
		}
		c := candidate{at: windows[i].end, fields: best.fields}
		c.fields["first"], c.fields["last"] = []any{first.Format(time.RFC3339Nano)}, []any{last.Format(time.RFC3339Nano)}
		out = append(out, c)
		i = j
	}
	return out, nil
}

func windowOf(result *query.Result, i int, by []string) (window, error) {
	fields, err := fieldsOf(result, i)
	w := window{fields: fields}
	if err != nil {
		return w, err
	}
	timed := 0
	var key []string
	for slot, column := range result.Columns {
		v := result.Rows[i].Get(slot)
		switch {
		case column.Name == "first" || column.Name == "last":
			ns, ok := v.AsTime()
			if !ok {
				continue
			}
			timed++
			if column.Name == "first" {
				w.first = time.Unix(0, ns).UTC()
			} else {
				w.end = time.Unix(0, ns).UTC()
			}
		case slices.Contains(by, column.Name):
			key = append(key, v.Text())
		case !w.ranked && v.IsNumber():
			w.rank, w.ranked = v.Float(), true
		}
	}
	if timed < 2 {
		return w, fmt.Errorf("the search drops or changes the columns first and last, the times of what was found: keep them")
	}
	w.key = strings.Join(key, "\x00")
	return w, nil
}

// whole judges all documents at once.
func (t *Tester) whole(ctx context.Context, q *query.Query, b query.Backend) ([]candidate, error) {
	result, err := q.Run(ctx, query.RunOptions{Backend: b, Documents: q.Raw()})
	if err != nil {
		return nil, err
	}
	var out []candidate
	for i := range result.Rows {
		fields, err := fieldsOf(result, i)
		if err != nil {
			return nil, err
		}
		out = append(out, candidate{fields: fields})
	}
	return out, nil
}

// ticks judges the window before each tick that a document is in.
func (t *Tester) ticks(ctx context.Context, r *Rule, now time.Time, b query.Backend) ([]candidate, error) {
	q, err := query.Compile("| stats min(_time) as oldest, max(_time) as newest", query.Options{Now: now, TimeField: r.TimestampField})
	if err != nil {
		return nil, err
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: b})
	if err != nil {
		return nil, err
	}
	oldest, newest := now, now // without times there is one window, the one before now
	for i := range result.Rows {
		from, ok1 := result.Rows[i].Get(0).AsTime()
		to, ok2 := result.Rows[i].Get(1).AsTime()
		if ok1 && ok2 {
			oldest, newest = time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
		}
	}
	first, last := tickOf(oldest, r.Every), tickOf(newest, r.Every)
	if n := last.Sub(first) / r.Every; n > mostTicks {
		return nil, fmt.Errorf("the events are from %s to %s, in which the rule runs %d times: give the test events of a shorter time", oldest.Format(time.RFC3339), newest.Format(time.RFC3339), n)
	}
	var out []candidate
	for tick := first; !tick.After(last); tick = tick.Add(r.Every) {
		q, err := t.compile(r, tick, tick.Add(-r.Window).Add(time.Millisecond), tick.Add(time.Millisecond))
		if err != nil {
			return nil, err
		}
		found, err := t.whole(ctx, q, b)
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].at = tick
		}
		out = append(out, found...)
	}
	return out, nil
}
