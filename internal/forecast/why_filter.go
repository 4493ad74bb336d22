package forecast

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// ofFilter walks through the clauses of the filter.
func (w *asked) ofFilter() bool {
	for i, f := range w.query.Filters() {
		if f == nil {
			w.say("filter", Notes, "the filter has a subsearch: whether it matches depends on other documents, and is not taken apart here")
			continue
		}
		if f.Everything() {
			if i == 0 {
				w.say("filter", Passes, "the filter is empty: it takes every document")
			}
			continue
		}
		step := Step{Name: "filter", Result: Passes, Text: "the filter matches"}
		if i > 0 {
			step.Text = "| search " + f.String() + " matches"
		}
		var failed []Clause
		for _, one := range f.Clauses() {
			c := w.clause(one)
			step.Clauses = append(step.Clauses, c)
			if !c.Matches {
				failed = append(failed, c)
			}
		}
		if len(failed) > 0 {
			step.Result, step.Text = Stops, fmt.Sprintf("the filter does not match: %d of its %d clauses fail", len(failed), len(step.Clauses))
			if len(step.Clauses) == 1 {
				step.Text = "the filter does not match"
			}
			if w.answer.Sentence == "" {
				w.answer.Sentence = "it did not alert, for " + failed[0].Text + " does not match"
				if failed[0].Has != "" {
					w.answer.Sentence += ": " + failed[0].Has
				}
			}
		}
		w.answer.Steps = append(w.answer.Steps, step)
		if len(failed) > 0 {
			return false
		}
	}
	return true
}

// clause judges one part of a filter, and the parts it is made of where that says more.
func (w *asked) clause(f *query.Filter) Clause {
	c := Clause{Text: f.String(), Matches: f.Match(w.fields, w.now), Has: w.has(f.Fields())}
	parts := f.Alternatives()
	if not := f.Negated(); not != nil {
		if parts = not.Clauses(); len(parts) < 2 {
			parts = not.Alternatives()
		}
	} else if all := f.Clauses(); parts == nil && len(all) > 1 {
		parts = all
	}
	for _, one := range parts {
		c.Parts = append(c.Parts, w.clause(one))
	}
	return c
}

// mostShown is how long a value may be that is shown.
const mostShown = 120

// has says what the document has in some fields.
func (w *asked) has(names []string) string {
	var out []string
	for _, name := range names {
		if strings.ContainsAny(name, "*?") {
			continue
		}
		field := name
		if name == "_time" {
			field = w.timeField()
		}
		values, there := w.fields[field]
		if !there {
			for _, ending := range []string{".keyword", ".text"} {
				if above, ok := strings.CutSuffix(field, ending); ok && !there {
					values, there = w.fields[above]
				}
			}
		}
		if !there || len(values) == 0 {
			out = append(out, "the document has no "+name)
			continue
		}
		texts := make([]string, 0, len(values))
		for _, v := range values {
			texts = append(texts, alert.Text(v))
		}
		slices.Sort(texts)
		out = append(out, name+" is "+short(strings.Join(slices.Compact(texts), ", ")))
	}
	return strings.Join(out, "; ")
}

func short(s string) string {
	if r := []rune(s); len(r) > mostShown {
		return string(r[:mostShown-1]) + "…"
	}
	return s
}

// confirm asks the source whether it takes a document of its own as we do, for how a field is indexed decides there,
// and tells whether the document passes.
func (w *asked) confirm(ctx context.Context, passes bool) (bool, error) {
	if w.document.ID == "" || slices.Contains(w.query.Filters(), nil) {
		return passes, nil
	}
	b, err := w.source.Open(ctx, w.rule.Indices)
	if err != nil {
		return false, fmt.Errorf("open source %s: %w", w.source.Name, err)
	}
	at, _, err := query.TimeOf(w.document.JSON, w.timeField())
	if err != nil {
		return false, fmt.Errorf("read the time of the document: %w", err)
	}
	// Sources keep times to the millisecond or better: the search looks at the one of the document.
	from := time.Unix(0, at).UTC().Truncate(time.Millisecond)
	holds := func(text string) (there bool, err error) {
		err = w.rows(ctx, b, text, from, from.Add(time.Millisecond), query.RunOptions{Documents: true}, func(_ []string, r *query.Row) error {
			there = there || r.Doc != nil && r.Doc.ID == w.document.ID && (w.document.Index == "" || r.Doc.Index == w.document.Index)
			return nil
		})
		return there, err
	}
	there, err := holds("*")
	if err != nil {
		return false, fmt.Errorf("look for document %s: %w", w.document.ID, err)
	}
	if !there {
		w.stop("source", "it did not alert, for the rule's source does not hold it",
			"source %s holds no document %s at that time in what the rule searches (%s): it is elsewhere, or was deleted", w.source.Name, w.document.ID, w.searched())
		return false, nil
	}
	matched, err := holds(w.query.Events())
	if err != nil {
		return false, fmt.Errorf("ask for document %s: %w", w.document.ID, err)
	}
	switch {
	case matched == passes:
		w.say("source", Notes, "source %s holds it, and says the same of the filter", w.source.Name)
	case matched:
		w.answer.Sentence = ""
		w.say("source", Notes, "source %s itself says that it matches the filter: it indexes a field of it in another way than it reads", w.source.Name)
	default:
		w.stop("source", "it did not alert, for the source does not find it by the filter",
			"source %s holds it, and does not find it by the filter: it indexes a field of it in another way than it reads, such as keyword instead of text", w.source.Name)
	}
	return matched, nil
}

func (w *asked) searched() string {
	if len(w.rule.Indices) > 0 {
		return strings.Join(w.rule.Indices, ", ")
	}
	return "all its indices"
}

// several finds the pipes that look at more than one row.
var severalForm = regexp.MustCompile(`^(stats|top|rare|timechart|chart|eventstats|streamstats|dedup|sort|head|tail|limit|transaction|join|append|union|inputlookup|newterms|missing|spike|changed|sequence|count|sum|avg|min|max|dc|values|list|first|last|earliest|latest|median|mode|perc\d+|range|stdevp?|varp?)\b`)

// ofPipes lets the document through the pipes that look at one row at a time, one after the other.
func (w *asked) ofPipes(ctx context.Context) (bool, error) {
	pipes := w.query.Pipes()[w.query.Leading():]
	end := slices.IndexFunc(pipes, severalForm.MatchString)
	if end < 0 {
		end = len(pipes)
	}
	last := w.fields
	for i := 1; i <= end; i++ {
		rows := 0
		seen := alert.Fields{}
		err := w.rows(ctx, w.forecaster.options.Replay([]string{w.document.JSON}), "* | "+strings.Join(pipes[:i], " | "), time.Time{}, time.Time{}, query.RunOptions{Documents: true},
			func(names []string, r *query.Row) error {
				rows++
				for k, name := range names {
					if v := r.Get(k); !v.IsNull() {
						seen[name] = append(seen[name], v.Text())
					}
				}
				return nil
			})
		if err != nil {
			return false, err
		}
		if rows == 0 {
			has := mentioned(pipes[i-1], last)
			sentence := "it did not alert, for | " + pipes[i-1] + " lets it not pass"
			if has != "" {
				sentence += ": " + has
			}
			w.stop("pipe", sentence, "| %s lets it not pass%s", pipes[i-1], before(": ", has))
			return false, nil
		}
		for name, v := range w.fields {
			if _, there := seen[name]; !there {
				seen[name] = v
			}
		}
		last = seen
		w.say("pipe", Passes, "| %s lets it pass%s", pipes[i-1], before(": ", mentioned(pipes[i-1], seen)))
	}
	return true, nil
}

func before(mark, text string) string {
	if text == "" {
		return ""
	}
	return mark + text
}

// wordForm finds what may be names of fields in a pipe.
var wordForm = regexp.MustCompile(`[A-Za-z_@][\w.@-]*`)

// mentioned says what a row has in the fields that a pipe names.
func mentioned(pipe string, fields alert.Fields) string {
	var out []string
	seen := map[string]bool{}
	for _, name := range wordForm.FindAllString(pipe, -1) {
		values := fields[name]
		if seen[name] || len(values) == 0 {
			continue
		}
		seen[name] = true
		texts := make([]string, 0, len(values))
		for _, v := range values {
			texts = append(texts, alert.Text(v))
		}
		out = append(out, name+" is "+short(strings.Join(texts, ", ")))
	}
	return strings.Join(out, "; ")
}
