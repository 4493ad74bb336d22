package forecast

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// Question is a document and the rule of which it is asked why it did not alert.
type Question struct {
	Rule *rule.Rule
	// Document is the document as it is kept, or as Elasticsearch answers it with _index, _id and _source. Without
	// it the one of ID is read from the rule's source.
	Document []byte
	// ID and Index are where the document is kept; empty for one that is nowhere.
	ID, Index string
	// Fate tells what became of an alert; nil knows none.
	Fate func(ctx context.Context, id alert.ID) (Fate, bool, error)
}

// Result says whether a step lets a document pass.
type Result string

// The results of steps. Of the last two the first says only something, the other is where it ends.
const (
	Passes Result = "yes"
	Stops  Result = "no"
	Notes  Result = "note"
)

// Answer is the way of a document through a rule.
type Answer struct {
	Rule string `json:"rule"`
	Name string `json:"name"`
	// Alerts says that there is an alert that the document takes part in.
	Alerts bool `json:"alerts"`
	// Sentence says it all.
	Sentence string `json:"sentence"`
	// Document is what was looked at.
	Document json.RawMessage `json:"document,omitempty"`
	ID       string          `json:"id,omitempty"`
	Index    string          `json:"index,omitempty"`
	Steps    []Step          `json:"steps"`
}

// Step is one step of the way.
type Step struct {
	// Name is document, rule, source, filter, pipe, value, covered, held, alert or said.
	Name   string `json:"step"`
	Result Result `json:"result"`
	Text   string `json:"text"`
	// Clauses are the parts of a filter.
	Clauses []Clause `json:"clauses,omitempty"`
}

// Clause is one part of a filter.
type Clause struct {
	Text    string `json:"text"`
	Matches bool   `json:"matches"`
	// Has says what the document has in the fields of the clause.
	Has   string   `json:"has,omitempty"`
	Parts []Clause `json:"parts,omitempty"`
}

// Why says of a document why a rule did not alert, or that it did and what became of the alert.
func (f *Forecaster) Why(ctx context.Context, q Question) (*Answer, error) {
	a := &Answer{Rule: q.Rule.ID, Name: q.Rule.Name}
	w := &asked{forecaster: f, question: &q, answer: a, rule: q.Rule, now: f.options.Now().UTC()}
	if err := w.open(ctx); err != nil {
		return nil, fmt.Errorf("say why rule %s did not alert: %w", q.Rule.ID, err)
	}
	if err := w.walk(ctx); err != nil {
		return nil, fmt.Errorf("say why rule %s did not alert: %w", q.Rule.ID, err)
	}
	return a, nil
}

// asked is a document on its way.
type asked struct {
	forecaster *Forecaster
	question   *Question
	answer     *Answer
	rule       *rule.Rule
	source     *detect.Source
	now        time.Time

	document detect.Document
	fields   alert.Fields
	query    *query.Query
}

// say adds a step.
func (w *asked) say(name string, result Result, format string, args ...any) {
	w.answer.Steps = append(w.answer.Steps, Step{Name: name, Result: result, Text: fmt.Sprintf(format, args...)})
}

// stop adds the step where it ends, and what it comes to.
func (w *asked) stop(name, sentence, format string, args ...any) {
	w.say(name, Stops, format, args...)
	if w.answer.Sentence == "" {
		w.answer.Sentence = sentence
	}
}

// open reads the document and the search.
func (w *asked) open(ctx context.Context) error {
	var err error
	if w.source, err = w.forecaster.source(w.rule.Source); err != nil {
		return err
	}
	w.query, err = w.rule.Compile(query.Options{TimeField: w.timeField(), Now: w.now, Lookups: w.forecaster.options.Lookups()})
	if err != nil {
		return &InputError{err}
	}
	w.document = detect.Document{Index: w.question.Index, ID: w.question.ID, JSON: strings.TrimSpace(string(w.question.Document))}
	if w.document.JSON == "" {
		if w.document.ID == "" {
			return wrong("there is no document: give one, or the id of one")
		}
		if err := w.fetch(ctx); err != nil {
			return err
		}
	} else if err := w.unwrap(); err != nil {
		return err
	}
	if w.fields, err = alert.Flatten(json.RawMessage(w.document.JSON)); err != nil {
		return wrong("the document is not a JSON object: %w", err)
	}
	if w.document.ID != "" {
		w.fields["_id"] = []any{w.document.ID}
	}
	if w.document.Index != "" {
		w.fields["_index"] = []any{w.document.Index}
	}
	w.answer.Document, w.answer.ID, w.answer.Index = json.RawMessage(w.document.JSON), w.document.ID, w.document.Index
	return nil
}

func (w *asked) timeField() string {
	switch {
	case w.rule.TimestampField != "":
		return w.rule.TimestampField
	case w.source.TimeField != "":
		return w.source.TimeField
	}
	return "@timestamp"
}

// unwrap takes a document out of what Elasticsearch or we answer about it.
func (w *asked) unwrap() error {
	var hit struct {
		ID     string          `json:"_id"`
		Index  string          `json:"_index"`
		Source json.RawMessage `json:"_source"`
	}
	text := []byte(w.document.JSON)
	if err := json.Unmarshal(text, &hit); err != nil {
		if json.Valid(text) {
			return wrong("the document is not a JSON object")
		}
		d := json.NewDecoder(strings.NewReader(w.document.JSON))
		var first map[string]any
		if d.Decode(&first) == nil && d.More() {
			return wrong("there is more than one document: give one")
		}
		return wrong("the document is not JSON: %w", err)
	}
	if len(hit.Source) > 0 && hit.Source[0] == '{' {
		w.document.JSON = string(hit.Source)
		if w.document.ID == "" {
			w.document.ID = hit.ID
		}
		if w.document.Index == "" {
			w.document.Index = hit.Index
		}
	}
	return nil
}

// fetch reads the document of an id.
func (w *asked) fetch(ctx context.Context) error {
	if w.forecaster.options.Find == nil {
		return wrong("source %s finds no document by its id: give the document itself, as a file or with -", w.source.Name)
	}
	found, err := w.forecaster.options.Find(ctx, w.source.Name, w.rule.Indices, w.document.ID)
	if err != nil {
		return fmt.Errorf("read document %s: %w", w.document.ID, err)
	}
	if w.document.Index != "" {
		found = slices.DeleteFunc(found, func(d detect.Document) bool { return d.Index != w.document.Index })
	}
	switch {
	case len(found) == 0:
		return wrong("source %s has no document %q in what the rule searches: give the document itself, as a file or with -", w.source.Name, w.document.ID)
	case len(found) > 1:
		return wrong("source %s has %d documents %q, in %s and %s: name the index too, or give the document itself",
			w.source.Name, len(found), w.document.ID, found[0].Index, found[1].Index)
	}
	w.document = found[0]
	return nil
}

// rows runs a search of a time, half open; zero is unbounded.
func (w *asked) rows(
	ctx context.Context, b query.Backend, text string, from, to time.Time, o query.RunOptions, each func(names []string, r *query.Row) error,
) error {
	q, err := query.Compile(text, query.Options{
		TimeField: w.timeField(), Now: w.now, Earliest: from, Latest: to, Lookups: w.forecaster.options.Lookups(), Window: w.rule.Window,
	})
	if err != nil {
		return err
	}
	o.Backend = b
	var names []string
	_, err = q.Stream(ctx, o, query.Sink{
		Columns: func(n []string) error {
			names = append([]string(nil), n...)
			return nil
		},
		Row: func(r *query.Row) error {
			own := r.Clone()
			return each(names, &own)
		},
	})
	return err
}

// walk goes the way step by step, until it ends.
func (w *asked) walk(ctx context.Context) error {
	if !w.ofDocument() {
		return nil
	}
	w.ofRule()
	passes, err := w.confirm(ctx, w.ofFilter())
	if err != nil || !passes {
		return err
	}
	passes, err = w.ofPipes(ctx)
	if err != nil || !passes {
		return err
	}
	x, err := detect.Examine(ctx, w.rule, w.source, w.forecaster.options.Lookups(), w.forecaster.options.Replay, w.document, w.now)
	if err != nil {
		return err
	}
	return w.ofAlert(ctx, x)
}

// ofDocument looks at the time that the document tells.
func (w *asked) ofDocument() bool {
	at, there, err := query.TimeOf(w.document.JSON, w.timeField())
	if err != nil || !there {
		w.stop("document", "it did not alert, for it has no time in "+w.timeField(),
			"the document has no time in %s: a rule looks at events by their time, and never sees this one", w.timeField())
		return false
	}
	where := ""
	if w.document.ID != "" {
		where = " " + w.document.ID
		if w.document.Index != "" {
			where += " in " + w.document.Index
		}
	}
	w.say("document", Passes, "the document%s happened at %s (%s)", where, clock(time.Unix(0, at)), w.timeField())
	return true
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ofRule looks at the rule's state.
func (w *asked) ofRule() {
	switch w.rule.Enabled {
	case rule.Off:
		w.say("rule", Stops, "the rule is off: it makes no alerts; what follows is what it would do")
		w.answer.Sentence = "it did not alert, for the rule is off"
	case rule.Shadow:
		w.say("rule", Notes, "the rule is in shadow mode: its alerts are kept, and nobody is told")
	default:
		w.say("rule", Passes, "the rule is on and runs every %s", inWords(w.rule.Every))
	}
	if len(w.rule.Indices) > 0 && w.document.Index != "" {
		w.say("source", Notes, "the rule searches %s in source %s", strings.Join(w.rule.Indices, ", "), w.source.Name)
	}
}

// inWords writes a duration as people say it.
func inWords(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= u.of && d%u.of == 0 {
			return count(int(d/u.of), u.name)
		}
	}
	return d.String()
}
