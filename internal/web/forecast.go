package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/forecast"
	"tocsin/internal/ledger"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// ForecastOptions say what tells what rules would have said.
type ForecastOptions struct {
	Forecaster *forecast.Forecaster
	Rules      *rule.Library
	// Sources are the names that rules may search, Lookups the tables there are.
	Sources []string
	Lookups func() map[string]*query.Table
}

// BacktestRequest asks what a rule would have said: one that there is, by Rule, or one that is being written.
type BacktestRequest struct {
	Rule    string `json:"rule,omitempty" doc:"The id or name of a rule, also of the starter pack."`
	Content string `json:"content,omitempty" doc:"The rule itself, as YAML or JSON; it goes before rule."`
	Format  string `json:"format,omitempty" enum:"yaml,json" doc:"What content is; yaml without it."`
	File    string `json:"file,omitempty" doc:"What places in problems of content name."`
	From    string `json:"from,omitempty" doc:"A time, or how long before now such as -7d; -14d without it."`
	To      string `json:"to,omitempty" doc:"now without it."`
	Zone    string `json:"time_zone,omitempty" doc:"Where days begin, such as Europe/Berlin; UTC without it."`
	// Before is the version it is compared with.
	Before *BacktestVersion `json:"compare_with,omitempty" doc:"Another version: the answer then has a difference."`
}

// BacktestVersion is a version of a rule.
type BacktestVersion struct {
	Rule    string `json:"rule,omitempty" doc:"The id or name of a rule, as it is saved now."`
	Version int64  `json:"version,omitempty" doc:"A version of that rule; the newest without it."`
	Content string `json:"content,omitempty" doc:"The rule itself; it goes before rule."`
	Format  string `json:"format,omitempty" enum:"yaml,json" doc:"What content is; yaml without it."`
}

// BacktestAnswer is what a rule would have said, and where it was compared what that changes. As a stream it comes
// as lines: those with a progress, and the last with a backtest or an error.
type BacktestAnswer struct {
	Progress   *float64             `json:"progress,omitempty" doc:"The share that is done, from 0 to 1; in a stream alone."`
	Backtest   *forecast.Backtest   `json:"backtest,omitempty"`
	Difference *forecast.Difference `json:"difference,omitempty"`
	Message    *MessagePreviewed    `json:"message,omitempty" doc:"What would be said of the newest alert, as Slack would get it."`
	Error      string               `json:"error,omitempty" doc:"Why there is none; in a stream alone."`
	Problems   []rule.Problem       `json:"problems,omitempty"`
	// Input says that the caller can mend the error.
	Input bool `json:"input,omitempty"`
}

// WhyRequest asks why a rule did not alert on a document.
type WhyRequest struct {
	Document json.RawMessage `json:"document,omitempty" doc:"The document as it is kept, or as Elasticsearch answers it with _index, _id and _source."`
	ID       string          `json:"id,omitempty" doc:"The document's _id; with it alone the document is read from the rule's source."`
	Index    string          `json:"index,omitempty" doc:"The document's _index, where several hold the id."`
	Content  string          `json:"content,omitempty" doc:"The rule as it is being written, as YAML; the saved one without it."`
}

type forecasts struct {
	*Web
	o ForecastOptions
}

// Forecasts are the endpoints of what rules would have said.
func Forecasts(o ForecastOptions) Part {
	return func(w *Web) {
		s := &forecasts{w, o}
		w.add(Route{
			Method: "POST", Path: "/rules/backtests", Tag: "forecasts", Role: account.Viewer, Reads: true, Summary: "Say what a rule would have said",
			Text: "Judges old data as if the rule had run all the time: alerts, and Slack messages after dedupe, grouping and limits, by day and by key. " +
				"With Accept: application/x-ndjson the answer is a stream of lines with its progress. Ending the request ends the work.",
			Body: BacktestRequest{}, Answer: BacktestAnswer{}, Fails: []int{404}, Failure: RuleFailure{}, Handle: s.backtest,
		})
		w.add(Route{
			Method: "POST", Path: "/rules/{id}/why", Tag: "forecasts", Role: account.Viewer, Reads: true, Summary: "Say why a rule did not alert on a document",
			Text: "Walks with a document through the rule: clause by clause, pipe by pipe, value against threshold, what was judged, and what became of its alert.",
			Body: WhyRequest{}, Answer: forecast.Answer{}, Fails: []int{404}, Failure: RuleFailure{}, Handle: s.why,
		})
	}
}

// mostForecast bounds the body of a question about the past.
const mostForecast = 4 << 20

// parse reads a rule that is being written.
func (s *forecasts) parse(content, format, file, id string) (*rule.Rule, error) {
	parse := rule.Parse
	switch format {
	case "", "yaml":
	case "json":
		parse = rule.ParseJSON
	default:
		return nil, &forecast.InputError{Err: fmt.Errorf("format %q is neither yaml nor json", format)}
	}
	var tables map[string]*query.Table
	if s.o.Lookups != nil {
		tables = s.o.Lookups()
	}
	return parse([]byte(content), rule.ParseOptions{File: file, ID: id, Sources: s.o.Sources, Lookups: tables})
}

// saved is a rule that there is, of the pack too.
func (s *forecasts) saved(name string) (*rule.Rule, error) {
	if name == "" {
		return nil, &forecast.InputError{Err: errors.New("there is no rule: write rule or content")}
	}
	e, err := s.o.Rules.Find(name)
	var missing *rule.NotFoundError
	if errors.As(err, &missing) {
		packed, packErr := rule.FindInPack(name)
		if packErr != nil {
			return nil, err
		}
		e, err = packed, nil
	}
	if err == nil && e.Rule == nil {
		err = &rule.Problems{List: e.Problems}
	}
	return e.Rule, err
}

// ask reads what is asked.
func (s *forecasts) ask(ctx context.Context, in *BacktestRequest) (a forecast.Ask, before *rule.Rule, err error) {
	now := time.Now()
	moment := func(name, text, otherwise string) (time.Time, error) {
		if text == "" {
			text = otherwise
		}
		t, err := query.ParseMoment(text, now)
		switch {
		case err != nil:
			err = &forecast.InputError{Err: fmt.Errorf("%s %q: %w", name, text, err)}
		case t.Year() < 1990: // a number alone is seconds since 1970
			err = &forecast.InputError{Err: fmt.Errorf("%s %q is %s: for days back write -14d", name, text, t.Format(time.DateTime))}
		}
		return t, err
	}
	if a.From, err = moment("from", in.From, "-14d"); err != nil {
		return a, nil, err
	}
	if a.To, err = moment("to", in.To, "now"); err != nil {
		return a, nil, err
	}
	if in.Zone != "" {
		if a.Zone, err = time.LoadLocation(in.Zone); err != nil || in.Zone == "Local" {
			return a, nil, &forecast.InputError{Err: fmt.Errorf("time_zone %q is not a time zone: write a name such as UTC or Europe/Berlin", in.Zone)}
		}
	}
	if in.Content != "" {
		a.Rule, err = s.parse(in.Content, in.Format, in.File, in.Rule)
	} else {
		a.Rule, err = s.saved(in.Rule)
	}
	if err != nil || in.Before == nil {
		return a, nil, err
	}
	switch v := in.Before; {
	case v.Content != "":
		before, err = s.parse(v.Content, v.Format, "", in.Rule)
	case v.Version != 0:
		var kept rule.Version
		e, found := s.o.Rules.Find(v.Rule)
		id := v.Rule
		if found == nil {
			id = e.ID
		}
		if kept, err = s.o.Rules.VersionOf(ctx, id, v.Version); err == nil {
			before, err = s.parse(kept.Content, "", "", id)
		}
	default:
		before, err = s.saved(v.Rule)
	}
	return a, before, err
}

func (s *forecasts) backtest(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[BacktestRequest](rw, r, mostForecast)
	if !ok {
		return
	}
	a, before, err := s.ask(r.Context(), &in)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "application/x-ndjson") {
		s.stream(rw, r, a, before)
		return
	}
	out, err := s.run(r.Context(), a, before)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

func (s *forecasts) run(ctx context.Context, a forecast.Ask, before *rule.Rule) (out BacktestAnswer, err error) {
	if before == nil {
		out.Backtest, err = s.o.Forecaster.Backtest(ctx, a)
	} else if out.Difference, err = s.o.Forecaster.Compare(ctx, a, before); err == nil {
		out.Backtest = out.Difference.New
	}
	if err == nil && out.Backtest != nil && out.Backtest.Newest != nil {
		var shown MessagePreviewed
		shown, err = previewOf(MessagePreview{}, []alert.Alert{*out.Backtest.Newest})
		out.Message = &shown
	}
	return out, err
}

// progressEvery is how often a stream tells how far it is.
const progressEvery = 200 * time.Millisecond

// stream answers line by line. What fails after its beginning is its last line.
func (s *forecasts) stream(rw http.ResponseWriter, r *http.Request, a forecast.Ask, before *rule.Rule) {
	rw.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Accel-Buffering", "no")
	rw.WriteHeader(http.StatusOK)
	var mu sync.Mutex
	line := func(one BacktestAnswer) {
		mu.Lock()
		defer mu.Unlock()
		b, err := json.Marshal(one)
		if err != nil {
			b = []byte(`{"error":"the answer cannot be written as JSON"}`)
		}
		rw.Write(append(b, '\n'))              //nolint:errcheck // a reader that went away needs no answer
		http.NewResponseController(rw).Flush() //nolint:errcheck // see above
	}
	var told time.Time
	a.Progress = func(done float64) {
		if now := time.Now(); now.Sub(told) >= progressEvery {
			told = now
			line(BacktestAnswer{Progress: &done})
		}
	}
	start := 0.0
	line(BacktestAnswer{Progress: &start})
	out, err := s.run(r.Context(), a, before)
	if err == nil {
		line(out)
		return
	}
	if r.Context().Err() != nil {
		return
	}
	end := BacktestAnswer{Error: err.Error(), Input: mendable(err)}
	if !end.Input {
		s.log.Error("a request failed", "path", r.URL.Path, "error", err)
	}
	line(end)
}

// mendable reports whether the caller can mend an error.
func mendable(err error) bool {
	var (
		input *forecast.InputError
		wrong *query.Error
	)
	return errors.As(err, &input) || errors.As(err, &wrong)
}

// refuse answers for an error.
func (s *forecasts) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	if mendable(err) {
		fail(rw, http.StatusBadRequest, err.Error())
		return
	}
	(&rules{Web: s.Web, library: s.o.Rules}).refuse(rw, r, err)
}

func (s *forecasts) why(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[WhyRequest](rw, r, mostForecast)
	if !ok {
		return
	}
	var (
		one *rule.Rule
		err error
	)
	if in.Content != "" {
		one, err = s.parse(in.Content, "", "", r.PathValue("id"))
	} else {
		one, err = s.saved(r.PathValue("id"))
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out, err := s.o.Forecaster.Why(r.Context(), forecast.Question{Rule: one, Document: in.Document, ID: in.ID, Index: in.Index, Fate: s.fate})
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

// fate is what became of an alert.
func (s *forecasts) fate(ctx context.Context, id alert.ID) (forecast.Fate, bool, error) {
	entries, _, err := s.ledger.List(ctx, ledger.Filter{IDs: []string{string(id)}, Limit: 2})
	if err != nil {
		return forecast.Fate{}, false, err
	}
	for _, e := range entries {
		if e.Alert.ID == id {
			return forecast.Fate{ID: string(id), Fate: string(e.Fate), Reason: e.Reason, Steps: steps(e)}, true, nil
		}
	}
	return forecast.Fate{}, false, nil
}
