package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/ledger"
)

// Row is one alert as the API and the commands list it.
type Row struct {
	ID        alert.ID       `json:"id"`
	SourceID  string         `json:"source_id"`
	Source    string         `json:"source"`
	Rule      string         `json:"rule"`
	Severity  alert.Severity `json:"severity"`
	Fate      alert.Fate     `json:"fate"`
	Reason    string         `json:"reason"`
	Channel   *string        `json:"channel"`
	MessageTS *string        `json:"message_ts"`
	Time      time.Time      `json:"time"`
	SeenAt    time.Time      `json:"seen_at"`
	Host      string         `json:"host,omitempty"`
	User      string         `json:"user,omitempty"`
	Status    alert.Status   `json:"status,omitempty"`
	Late      bool           `json:"late,omitempty"`
	URL       string         `json:"url,omitempty"`

	Count      int       `json:"count,omitempty"` // events it stands for
	First      time.Time `json:"first,omitzero"`  // of the events it is made of; absent where it is one event
	Last       time.Time `json:"last,omitzero"`
	MergedInto alert.ID  `json:"merged_into,omitempty"` // the alert that it turned out to be part of
	Withdrawn  bool      `json:"withdrawn,omitempty"`   // what came late undid it
	Ended      time.Time `json:"ended,omitzero"`        // when its condition ended
	Again      int       `json:"said_again,omitempty"`  // how often it was to be said once more, for it went on

	Cause     alert.Cause `json:"cause,omitzero"`       // the reason as data
	Copies    []CopyRow   `json:"copies,omitempty"`     // its sayings in the channels of other routes
	Handled   string      `json:"handled,omitempty"`    // acknowledged or closed, here
	HandledBy string      `json:"handled_by,omitempty"` // who did
	HandledAt time.Time   `json:"handled_at,omitzero"`  // when
	Verdict   string      `json:"verdict,omitempty"`    // what a closed one was
}

// RowOf is an entry as a row.
func RowOf(e ledger.Entry) Row {
	return Row{
		ID: e.Alert.ID, SourceID: e.Alert.SourceID, Source: e.Alert.Source, Rule: e.Alert.Rule.Name, Severity: e.Alert.Severity,
		Fate: e.Fate, Reason: e.Reason, Channel: orNull(e.Channel), MessageTS: orNull(e.TS), Time: e.Alert.Time, SeenAt: e.SeenAt,
		Host: e.Alert.Host, User: e.Alert.User, Status: e.Alert.Status, Late: e.Alert.Late, URL: e.Alert.URL,
		Count: e.Alert.Count, First: e.Alert.First, Last: e.Alert.Last, MergedInto: e.Alert.MergedInto, Withdrawn: e.Alert.Withdrawn,
		Ended: e.Alert.Ended, Again: e.Alert.Again,
		Cause: e.Cause, Copies: copyRows(e.Copies), Handled: handledWord(e.Handled), HandledBy: e.By, HandledAt: e.At, Verdict: e.Verdict,
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// List is a page of alerts, newest recorded first.
type List struct {
	Alerts []Row `json:"alerts"`
	Before int64 `json:"before,omitempty"` // asks for the next page; absent on the last
	ledger.Counts
}

// Detail is one alert whole.
type Detail struct {
	Row
	RuleInfo alert.Rule      `json:"rule_info"`
	Risk     float64         `json:"risk_score,omitempty"`
	Message  string          `json:"message,omitempty"` // the source's reason sentence
	Tags     []string        `json:"tags,omitempty"`
	Attack   []alert.Threat  `json:"attack,omitempty"`
	Facts    []alert.Fact    `json:"facts,omitempty"`
	Index    string          `json:"index,omitempty"`
	Notice   string          `json:"delivery_key,omitempty"`
	Document json.RawMessage `json:"document,omitempty"`
}

// Why is the way of one alert, step by step.
type Why struct {
	Row
	Steps []string `json:"steps"`
}

// routeAlerts adds the API of alerts.
func (w *Web) routeAlerts() {
	fates := make([]string, 0, len(alert.Fates))
	for _, f := range alert.Fates {
		fates = append(fates, string(f))
	}
	w.add(Route{
		Method: "GET", Path: "/alerts", Tag: "alerts", Role: account.Viewer, Summary: "List alerts, newest recorded first",
		Query: []Query{
			{Name: "limit", Kind: Integer, Text: "How many at most."},
			{Name: "before", Kind: Integer, Text: "The page before this place: before of the page last read."},
			{Name: "since", Kind: Time, Text: "Only alerts recorded since this time."},
			{Name: "fate", Text: "Only alerts of these fates, with commas between them: " + strings.Join(fates, ", ") + "."},
			{Name: "source", Text: "Only alerts of the source of this name."},
			{Name: "id", Repeated: true, Text: "Only alerts whose id or source's id begins so."},
		},
		Answer: List{}, Handle: w.alerts,
	})
	w.add(Route{
		Method: "GET", Path: "/alerts/{id}", Tag: "alerts", Role: account.Viewer, Summary: "Show one alert whole",
		Text: "The id may be the alert's, its document's, or the beginning of either.", Answer: Detail{}, Fails: []int{404}, Handle: w.alert,
	})
	w.add(Route{
		Method: "GET", Path: "/alerts/{id}/why", Tag: "alerts", Role: account.Viewer, Summary: "Tell the way of one alert and why it went so",
		Answer: Why{}, Fails: []int{404}, Handle: w.why,
	})
	w.add(Route{
		Method: "POST", Path: "/verify", Tag: "alerts", Role: account.Editor, Reads: true, Summary: "Compare the index, the ledger and Slack's history",
		Query:  []Query{{Name: "since", Kind: Time, Needed: true, Text: "What is compared begins here."}},
		Answer: check.Verification{}, Handle: w.runVerify,
	})
}

func (w *Web) alerts(rw http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	if err != nil {
		fail(rw, http.StatusBadRequest, err.Error())
		return
	}
	entries, before, err := w.ledger.List(r.Context(), f)
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	counts, err := w.ledger.Count(r.Context())
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	out := List{Alerts: make([]Row, 0, len(entries)), Before: before, Counts: counts}
	for _, e := range entries {
		out.Alerts = append(out.Alerts, RowOf(e))
	}
	answer(rw, http.StatusOK, out)
}

func filterOf(r *http.Request) (ledger.Filter, error) {
	q := r.URL.Query()
	var (
		f   ledger.Filter
		err error
	)
	for name, values := range q {
		value := values[len(values)-1]
		switch name {
		case "limit":
			if f.Limit, err = strconv.Atoi(value); err != nil || f.Limit < 0 {
				return f, fmt.Errorf("limit %q is not a number of alerts", value)
			}
		case "before":
			if f.Before, err = strconv.ParseInt(value, 10, 64); err != nil {
				return f, fmt.Errorf("before %q is not from an earlier page", value)
			}
		case "since":
			if f.Since, err = time.Parse(time.RFC3339, value); err != nil {
				return f, fmt.Errorf("since %q is not a time such as 2026-01-02T15:04:05Z", value)
			}
		case "fate":
			for _, one := range strings.Split(value, ",") {
				if !slices.Contains(alert.Fates, alert.Fate(one)) {
					return f, fmt.Errorf("no fate is called %q: the fates are %v", one, alert.Fates)
				}
				f.Fates = append(f.Fates, alert.Fate(one))
			}
		case "source":
			f.Source = value
		case "id":
			f.IDs = values
		default:
			return f, fmt.Errorf("no parameter is called %q: there are limit, before, since, fate, source and id", name)
		}
	}
	return f, nil
}

// find reads the one alert that an id, a source's id or the beginning of either names. Where there is none, it has
// answered.
func (w *Web) find(rw http.ResponseWriter, r *http.Request) (ledger.Entry, bool) {
	e, err := w.named(r.Context(), r.PathValue("id"))
	var missing *notFoundError
	switch {
	case errors.As(err, &missing):
		fail(rw, http.StatusNotFound, missing.text)
	case err != nil:
		w.broken(rw, r, err)
	}
	return e, err == nil
}

// named is the one alert that an id, a source's id or the beginning of either names; else a *notFoundError.
func (w *Web) named(ctx context.Context, id string) (ledger.Entry, error) {
	entries, _, err := w.ledger.List(ctx, ledger.Filter{IDs: []string{id}, Limit: 50})
	if err != nil {
		return ledger.Entry{}, err
	}
	for _, e := range entries {
		if string(e.Alert.ID) == id || len(entries) == 1 {
			return e, nil
		}
	}
	var exact []ledger.Entry
	for _, e := range entries {
		if e.Alert.SourceID == id {
			exact = append(exact, e)
		}
	}
	switch {
	case len(exact) == 1:
		return exact[0], nil
	case len(entries) == 0:
		return ledger.Entry{}, &notFoundError{fmt.Sprintf("no alert is called %q: `tocsin alerts list` shows what was seen", id)}
	}
	var ids []string
	for _, e := range entries[:min(5, len(entries))] {
		ids = append(ids, string(e.Alert.ID))
	}
	return ledger.Entry{}, &notFoundError{fmt.Sprintf("%q begins the ids of several alerts: write one out, such as %s", id, strings.Join(ids, ", "))}
}

func (w *Web) alert(rw http.ResponseWriter, r *http.Request) {
	e, ok := w.find(rw, r)
	if !ok {
		return
	}
	doc, err := w.ledger.Document(r.Context(), e.Alert.ID)
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, Detail{
		Row: RowOf(e), RuleInfo: e.Alert.Rule, Risk: e.Alert.Risk, Message: e.Alert.Reason, Tags: e.Alert.Tags, Attack: e.Alert.Threat,
		Facts: e.Alert.Facts, Index: e.Alert.Index, Notice: string(e.Notice), Document: doc,
	})
}

func (w *Web) why(rw http.ResponseWriter, r *http.Request) {
	e, ok := w.find(rw, r)
	if !ok {
		return
	}
	answer(rw, http.StatusOK, Why{Row: RowOf(e), Steps: steps(e)})
}

// steps tells an alert's way in sentences, first to last.
func steps(e ledger.Entry) []string {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	late := ""
	if e.Alert.Late {
		late = ", late: its time had been read before, and a sweep found it"
	}
	var out []string
	if e.Alert.Index == "" { // a rule of ours
		out = append(out, fmt.Sprintf("%s  what the rule %q looks for began", at(e.Alert.Time), e.Alert.Rule.Name),
			fmt.Sprintf("%s  Tocsin found it in %s%s", at(e.SeenAt), e.Alert.Source, late))
	} else {
		out = append(out, fmt.Sprintf("%s  the rule %q wrote it to %s", at(e.Alert.Time), e.Alert.Rule.Name, e.Alert.Index),
			fmt.Sprintf("%s  Tocsin read it from %s%s", at(e.SeenAt), e.Alert.Source, late))
	}
	switch {
	case e.Decision != ledger.Forward:
		out = append(out, fmt.Sprintf("not sent (%s): %s", e.Fate, e.Reason))
	case e.Notice == "":
		out = append(out, "waits in its group: "+e.Reason)
	default:
		out = append(out, "decided: "+e.Reason)
		switch e.Fate {
		case alert.Sent, alert.Grouped:
			said := "said in " + e.Channel
			if e.TS != "" {
				said += " as message " + e.TS
			}
			out = append(out, said)
		case alert.Failed:
			out = append(out, fmt.Sprintf("given up after %d tries", e.Attempts))
		default:
			out = append(out, fmt.Sprintf("not said yet (tries so far: %d)", e.Attempts))
		}
	}
	switch a := e.Alert; {
	case a.MergedInto != "":
		out = append(out, "it turned out to be part of the longer alert "+string(a.MergedInto))
	case a.Withdrawn:
		out = append(out, "withdrawn: what came late undid its condition")
	case a.Unfollowed != "":
		out = append(out, at(a.Ended)+"  no longer followed: "+a.Unfollowed)
	case !a.Ended.IsZero():
		out = append(out, at(a.Ended)+"  its condition ended")
	}
	if n := e.Alert.Again; n > 0 {
		out = append(out, fmt.Sprintf("it still went on: to be said again %d times so far", n))
	}
	for _, c := range e.Copies {
		out = append(out, fmt.Sprintf("its copy for %s by %s is %s: %s", c.Channel, c.Path, c.Fate, c.Reason))
	}
	if e.Handled != ledger.Unhandled {
		done := fmt.Sprintf("%s  %s by %s", at(e.At), handledWord(e.Handled), e.By)
		if e.Verdict != "" {
			done += ": " + strings.ReplaceAll(e.Verdict, "_", " ")
		}
		out = append(out, done)
	}
	return append(out, "fate: "+string(e.Fate))
}

func handledWord(h ledger.Handled) string {
	switch h {
	case ledger.Acknowledged:
		return "acknowledged"
	case ledger.Closed:
		return "closed"
	default:
		return ""
	}
}

// CopyRow is one more saying of an alert, in another channel.
type CopyRow struct {
	Channel   string     `json:"channel"`
	Route     string     `json:"route"`
	Fate      alert.Fate `json:"fate"`
	Reason    string     `json:"reason"`
	MessageTS *string    `json:"message_ts"`
}

func copyRows(copies []ledger.Copy) []CopyRow {
	var out []CopyRow
	for _, c := range copies {
		out = append(out, CopyRow{c.Channel, c.Path, c.Fate, c.Reason, orNull(c.TS)})
	}
	return out
}

func (w *Web) runVerify(rw http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	if err != nil {
		fail(rw, http.StatusBadRequest, "since must be a time such as 2026-01-02T15:04:05Z")
		return
	}
	found, err := w.verify(r.Context(), since)
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, found)
}

// Failure is the body of an answer that is not what was asked for.
type Failure struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // no body of ours holds what JSON cannot
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // a reader that went away needs no answer
}

func fail(w http.ResponseWriter, status int, text string) { answer(w, status, Failure{Error: text}) }

// broken answers for an error that is not the caller's.
func (w *Web) broken(rw http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && !errors.Is(r.Context().Err(), http.ErrAbortHandler) {
		return
	}
	w.log.Error("a request failed", "path", r.URL.Path, "error", err)
	if wantsPage(r) && !strings.HasPrefix(r.URL.Path, "/api/") {
		w.sorry(rw, r, http.StatusInternalServerError, "That did not work", err.Error())
		return
	}
	fail(rw, http.StatusInternalServerError, err.Error())
}
