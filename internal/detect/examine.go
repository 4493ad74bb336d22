package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// Document is a document and where it is kept: both empty for one that is nowhere.
type Document struct {
	Index, ID string
	JSON      string
}

// Examination is what a rule would make of a document now, from what its source holds.
type Examination struct {
	Kind query.Kind
	// TimeField is the field of its time, At the time; zero where it has none.
	TimeField string
	At        time.Time
	// From and To are the times, half open, in which what it takes part in is judged.
	From, To time.Time
	// Keys are those that the document belongs to, as its columns say; ids the names its alerts may have.
	Keys [][]alert.Fact
	// Window is how long a window is, Measure what is compared with Threshold, in words such as "more than 10".
	Window    time.Duration
	Measure   string
	Threshold string
	// Command is the detection command that judges; empty without one.
	Command string
	// Windows is how many windows hold the document, Holding how many of them the rule finds.
	Windows, Holding int
	// Best is the greatest value of a window that holds it, of Windows, and when that window ends; Valued is false
	// where there is none.
	Best   float64
	BestAt time.Time
	Valued bool
	// Rows says of a search judged at ticks what each tick gave.
	Rows []TickRows
	// Alert is the alert that the rule would make of it, nil for none.
	Alert *alert.Alert

	names, ids []string
}

// Names are the keys as the database has them, and the ids that alerts of the document have.
func (x *Examination) Names() (keys, ids []string) { return x.names, x.ids }

// TickRows is how many rows a search judged at ticks gave at one.
type TickRows struct {
	At   time.Time
	Rows int
}

// mostTicks is how many ticks are looked at for one document.
const mostTicks = 24

// Examine tells what a rule would make of a document that passes its filter and the pipes before anything that
// looks at several rows.
func Examine(ctx context.Context, r *rule.Rule, source *Source, lookups map[string]*query.Table, replay func([]string) query.Backend, d Document, now time.Time) (*Examination, error) {
	on := *r
	on.Enabled = rule.On
	set, err := newRuleset(&on, "", source, lookups)
	if err != nil {
		return nil, err
	}
	x := &Examination{
		Kind: set.search.kind, TimeField: set.search.timeField, Window: set.search.window, Measure: set.search.measure, Threshold: set.search.bound,
		Command: set.search.commanded.Name,
	}
	at, there, err := query.TimeOf(d.JSON, set.search.timeField)
	if err != nil {
		return nil, fmt.Errorf("read the time of the document: %w", err)
	}
	if !there {
		return x, nil
	}
	x.At = time.Unix(0, at).UTC()
	touched := set.timing.touched(floor(at, 1000) / 1000)
	x.From, x.To = micro(touched.From), micro(touched.To)
	b, err := source.Open(ctx, r.Indices)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", source.Name, err)
	}
	e := &examining{set: set, backend: b, replay: replay, document: d, at: at, now: now, x: x}
	switch {
	case set.search.kind == rowWise:
		err = e.document1(ctx)
	case set.search.kind == rangeWise:
		err = e.ticks(ctx, touched)
	default:
		err = e.windows(ctx, touched)
	}
	return x, err
}

// examining is one document being examined.
type examining struct {
	set      *ruleset
	backend  query.Backend
	replay   func([]string) query.Backend
	document Document
	at       int64
	now      time.Time
	x        *Examination
}

// alone is the search without its filter, up to a number of its pipes, on the document alone.
func (e *examining) alone(ctx context.Context, pipes []string, o query.RunOptions, each func(names []string, r *query.Row) error) error {
	q, err := query.Compile("* | "+strings.Join(pipes, " | "), query.Options{
		TimeField: e.set.search.timeField, Now: e.now, Lookups: e.set.search.lookups, Window: e.set.rule.Window,
	})
	if err != nil {
		return err
	}
	o.Backend = e.replay([]string{e.document.JSON})
	return e.set.search.stream(ctx, q, o, &found{}, each)
}

// document1 makes the alert of a document that is judged alone.
func (e *examining) document1(ctx context.Context) error {
	s := e.set.search
	q, err := s.compile(e.now, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	rows := 0
	make1 := func(names []string, r *query.Row) error {
		id := e.document.ID
		if id == "" {
			id = identity("content", e.document.JSON)
		}
		d := document{Sample: Sample{Index: e.document.Index, ID: e.document.ID, JSON: e.document.JSON}, At: e.at, Row: rows}
		for i, n := range names {
			d.Columns = append(d.Columns, Column{n, string(r.Get(i).AppendJSON(nil))})
		}
		of := d
		of.ID = id
		name := e.set.idOf(&of)
		e.x.ids = append(e.x.ids, name)
		rows++
		if e.x.Alert != nil {
			return nil
		}
		a, err := e.set.ofDocument(&Stored{ID: name, Episode: Episode{First: e.at, FirstEnd: e.at, LastEnd: e.at, Windows: 1}}, &d)
		e.x.Alert = &a
		return err
	}
	pipes := q.Pipes()[q.Leading():]
	if len(pipes) == 0 {
		err = make1(nil, nil)
	} else {
		err = e.alone(ctx, pipes, query.RunOptions{Documents: true}, make1)
	}
	e.x.Windows, e.x.Holding = 1, min(rows, 1)
	e.runs()
	return err
}

// runs are the ids of the alerts of whole runs that may speak for it.
func (e *examining) runs() {
	if e.set.rule.MessagePer != rule.PerRun {
		return
	}
	every := e.set.timing.Every
	for tick := ceil(e.x.From.UnixMicro(), every); tick <= ceil(e.x.To.UnixMicro(), every); tick += every {
		for later := range 3 {
			e.x.ids = append(e.x.ids, runID(e.set.rule.ID, tick, later))
		}
		if len(e.x.ids) > 3*mostTicks {
			return
		}
	}
}

// windows looks at the windows that the document takes part in.
func (e *examining) windows(ctx context.Context, touched Span) error {
	s := e.set.search
	e.runs()
	q, err := s.compile(e.now, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	pipes := q.Pipes()
	if s.commanded.Name != "" {
		if err := e.keysOfCommand(q.By()); err != nil {
			return err
		}
		return e.found(ctx, touched)
	}
	judged := slices.IndexFunc(pipes, func(p string) bool { return strings.Contains(" "+p, " over ") || strings.HasPrefix(p, "stats") })
	if judged < 0 {
		return errors.New("the search has no aggregation over windows")
	}
	if err := e.keys(ctx, pipes[q.Leading():judged+1]); err != nil {
		return err
	}
	if err := e.values(ctx, q, pipes[q.Leading():judged+1]); err != nil {
		return err
	}
	return e.found(ctx, touched)
}

// keys are those of the document: of an aggregation over it alone.
func (e *examining) keys(ctx context.Context, pipes []string) error {
	s := e.set.search
	return e.alone(ctx, pipes, query.RunOptions{Windows: true}, func(names []string, r *query.Row) error {
		var key []Column
		for i, n := range names {
			if slices.Contains(s.by, n) {
				key = append(key, Column{n, string(r.Get(i).AppendJSON(nil))})
			}
		}
		e.key(key)
		return nil
	})
}

func (e *examining) key(columns []Column) {
	e.x.names = append(e.x.names, keyOf(columns))
	facts := []alert.Fact{}
	for _, name := range e.set.search.by {
		facts = append(facts, alert.Fact{Name: name, Value: column(columns, name)})
	}
	e.x.Keys = append(e.x.Keys, facts)
}

// keysOfCommand are the keys of a detection command: the values that the document has of its fields.
func (e *examining) keysOfCommand(by []string) error {
	s := e.set.search
	if s.carries {
		id := e.document.ID
		if id == "" {
			id = identity("content", e.document.JSON)
		}
		for row := range 3 {
			e.x.names = append(e.x.names, fmt.Sprint(e.document.Index, "\x00", id, "\x00", row))
			e.x.ids = append(e.x.ids, documentID(e.set.rule.ID, e.set.source.Name, e.document.Index, id, row))
		}
	}
	fields, err := alert.Flatten([]byte(e.document.JSON))
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	var columns []Column
	facts := []alert.Fact{}
	for _, name := range by {
		v := fields.First(name)
		columns = append(columns, Column{name, quoted(v)})
		facts = append(facts, alert.Fact{Name: name, Value: v})
	}
	e.x.Keys = append(e.x.Keys, facts)
	if !s.carries {
		e.x.names = append(e.x.names, keyOf(columns))
	}
	return nil
}

// values finds the greatest value of the windows that hold the document, whatever the rule asks of it.
func (e *examining) values(ctx context.Context, q *query.Query, pipes []string) error {
	s := e.set.search
	text := q.Events()
	if len(e.x.Keys) == 1 {
		if ask := asked(e.x.Keys[0]); ask != "" && len(pipes) == 1 { // nothing before the aggregation changed the document
			text += " | search " + ask
		}
	}
	near, err := query.Compile(text+" | "+strings.Join(pipes, " | "), query.Options{
		TimeField: s.timeField, Now: e.now, Lookups: s.lookups, Window: e.set.rule.Window,
		Earliest: time.Unix(0, e.at).Add(-s.window).UTC(), Latest: time.Unix(0, e.at).Add(s.window).UTC(),
	})
	if err != nil {
		return err
	}
	return s.stream(ctx, near, query.RunOptions{Backend: e.backend, Windows: true}, &found{}, func(names []string, r *query.Row) error {
		var key []Column
		for i, n := range names {
			if slices.Contains(s.by, n) {
				key = append(key, Column{n, string(r.Get(i).AppendJSON(nil))})
			}
		}
		last, ok := r.Get(slices.Index(names, "last")).AsTime()
		if !ok || !slices.Contains(e.x.names, keyOf(key)) || last < e.at || last-e.at >= int64(s.window) {
			return nil
		}
		e.x.Windows++
		i := slices.Index(names, s.measure)
		if i < 0 {
			return nil
		}
		v, err := strconv.ParseFloat(r.Get(i).Text(), 64)
		if err == nil && (!e.x.Valued || v > e.x.Best) {
			e.x.Best, e.x.BestAt, e.x.Valued = v, time.Unix(0, last).UTC(), true
		}
		return nil
	})
}

// asked is a key as KQL; empty where it cannot be asked for.
func asked(key []alert.Fact) string {
	var ask []string
	for _, fact := range key {
		one, ok := clause(fact.Name, fact.Value)
		if !ok {
			return ""
		}
		ask = append(ask, one)
	}
	return strings.Join(ask, " and ")
}

// found asks the rule itself, and keeps what it says of the document's keys while the document takes part in it.
func (e *examining) found(ctx context.Context, touched Span) error {
	s := e.set.search
	f, err := s.find(ctx, e.backend, touched, e.now)
	if err != nil {
		return err
	}
	f.windows = slices.DeleteFunc(f.windows, func(w Window) bool {
		switch {
		case !slices.Contains(e.x.names, w.Key):
			return true
		case s.commanded.Name != "":
			return w.First > e.at || w.End < e.at
		}
		return w.End < e.at || w.End-e.at >= int64(s.window)
	})
	if e.x.Holding = len(f.windows); e.x.Holding == 0 {
		return nil
	}
	slices.SortStableFunc(f.windows, func(a, b Window) int { return cmp.Compare(a.End, b.End) })
	first := f.windows[0]
	last := Stored{Episode: Episode{First: first.First, FirstEnd: first.End, LastEnd: f.windows[len(f.windows)-1].End, Windows: len(f.windows), Best: first}}
	for i := range f.windows {
		if f.windows[i].better(&last.Best) {
			last.Best = f.windows[i]
		}
	}
	a, err := e.set.ofWindow(&last)
	e.x.Alert = &a
	return err
}

// ticks looks at the ticks whose windows hold the document.
func (e *examining) ticks(ctx context.Context, touched Span) error {
	s := e.set.search
	e.runs()
	every := e.set.timing.Every
	for tick := touched.From + every; tick <= touched.To && len(e.x.Rows) < mostTicks; tick += every {
		if from := micro(tick).Add(-s.rule.Window).UnixNano(); e.at <= from || e.at > tick*1000 {
			continue
		}
		f := &found{}
		if err := s.findRows(ctx, e.backend, tick, e.now, f); err != nil {
			return err
		}
		e.x.Windows++
		e.x.Rows = append(e.x.Rows, TickRows{At: micro(tick), Rows: len(f.windows)})
		if len(f.windows) == 0 {
			continue
		}
		e.x.Holding++
		for i := range f.windows {
			e.x.ids = append(e.x.ids, rowID(e.set.rule.ID, tick*1000, fmt.Sprint(f.windows[i].Key, "/", 0)))
		}
		if e.x.Alert == nil {
			w := f.windows[0]
			a, err := e.set.ofWindow(&Stored{Episode: Episode{First: w.First, FirstEnd: w.End, LastEnd: w.End, Windows: 1, Best: w}})
			if err != nil {
				return err
			}
			e.x.Alert = &a
		}
	}
	return nil
}
