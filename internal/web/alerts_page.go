package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/tuning"
)

type alertPages struct {
	*Web
	TuningOptions
}

// AlertPages adds the list of alerts, the page of one, and what people do about it there.
func AlertPages(o TuningOptions) Part {
	return func(w *Web) {
		s := &alertPages{w, o}
		s.addTimeline()
		w.page(Page{Method: "GET", Path: "/alerts", Role: account.Viewer, Handle: s.list})
		w.page(Page{Method: "GET", Path: "/alerts/{id}", Role: account.Viewer, Handle: s.one})
		w.page(Page{Method: "POST", Path: "/alerts/{id}", Role: account.Editor, Handle: s.handle})
		w.page(Page{Method: "GET", Path: "/alerts/{id}/exception", Role: account.Editor, Handle: s.exception})
		w.page(Page{Method: "POST", Path: "/alerts/{id}/exception", Role: account.Editor, Handle: s.except})
	}
}

// The bounds of the list: how many are shown, and how many are looked at for a filter before the page asks whether
// to go on.
const (
	listed = 50
	sought = 5000
)

// alertsView is what the list shows.
type alertsView struct {
	Alerts []Row
	Filter string
	Wrong  string
	Fate   string
	Counts []count
	Seen   int
	Before int64 // of the next page; 0 on the last
	Older  bool  // it is not the page of the newest
	Sought int   // how many were looked at where the filter found fewer than a page
}

func (s *alertPages) list(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := alertsView{Filter: q.Get("q"), Fate: q.Get("fate")}
	var f ledger.Filter
	if slices.Contains(alert.Fates, alert.Fate(v.Fate)) {
		f.Fates = []alert.Fate{alert.Fate(v.Fate)}
	}
	if _, err := fmt.Sscan(q.Get("before"), &f.Before); err != nil {
		f.Before = 0
	}
	v.Older = f.Before > 0
	counts, err := s.counts(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v.Seen = counts.Seen
	for _, fate := range alert.Fates {
		if counts.ByFate[fate] > 0 {
			v.Counts = append(v.Counts, count{fate, counts.ByFate[fate]})
		}
	}
	var filter *query.Filter
	if strings.TrimSpace(v.Filter) != "" {
		if filter, err = query.CompileFilter(v.Filter); err != nil {
			v.Wrong = err.Error()
		}
	}
	if v.Alerts, v.Before, v.Sought, err = s.search(r.Context(), f, filter, listed); err != nil {
		s.broken(rw, r, err)
		return
	}
	s.render(rw, r, http.StatusOK, "alerts", v)
}

// search gives the newest alerts that a filter matches, at most so many, and where to go on.
func (s *alertPages) search(ctx context.Context, f ledger.Filter, filter *query.Filter, most int) (rows []Row, before int64, looked int, err error) {
	now := time.Now()
	f.Limit = most
	if filter != nil {
		f.Limit, f.Documents = 200, true
	}
	for {
		entries, next, err := s.ledger.List(ctx, f)
		if err != nil {
			return nil, 0, looked, err
		}
		for i, e := range entries {
			looked++
			if filter != nil {
				fields, err := e.Alert.Fields()
				if err != nil {
					return nil, 0, looked, err
				}
				if !filter.Match(fields, now) {
					continue
				}
			}
			rows = append(rows, handledRow(e))
			if len(rows) == most && (i < len(entries)-1 || next != 0) {
				return rows, e.Seq, looked, nil
			}
		}
		if next == 0 || looked >= sought {
			return rows, next, looked, nil
		}
		f.Before = next
	}
}

// handledRow is an alert whose status says what was done about it here, where that is more than its source knows.
func handledRow(e ledger.Entry) Row {
	row := RowOf(e)
	switch e.Handled {
	case ledger.Acknowledged:
		row.Status = alert.StatusAcknowledged
	case ledger.Closed:
		row.Status = alert.StatusClosed
	case ledger.Unhandled:
	}
	return row
}

// alertView is what the page of one alert shows.
type alertView struct {
	Row
	Alert    alert.Alert
	Facts    []alert.Fact // without those that say the host or the user once more
	Document string
	Samples  []carried
	Steps    []string
	Copies   []ledger.Copy
	Moments  []Moment
	Handled  ledger.Handled
	Verdict  string
	Similar  []Row
	CanEdit  bool
	Own      bool // of a rule of ours
	RuleID   string
}

// carried is a document that an alert was made of.
type carried struct {
	Index, ID string
	Time      string
	Text      string
}

// similarBack is how far back similar alerts are looked for.
const similarBack = 30 * 24 * time.Hour

func (s *alertPages) entry(rw http.ResponseWriter, r *http.Request) (ledger.Entry, bool) {
	e, err := s.named(r.Context(), r.PathValue("id"))
	var missing *notFoundError
	switch {
	case errors.As(err, &missing):
		s.sorry(rw, r, http.StatusNotFound, "There is no such alert", "The address may be of another installation, or the alert older than what is kept.")
	case err != nil:
		s.broken(rw, r, err)
	}
	return e, err == nil
}

func (s *alertPages) one(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(rw, r)
	if !ok {
		return
	}
	v := alertView{Row: handledRow(e), Alert: e.Alert, Steps: steps(e), Handled: e.Handled, Verdict: e.Verdict, CanEdit: mayEdit(r), Own: e.Alert.Index == ""}
	v.Facts = slices.DeleteFunc(slices.Clone(e.Alert.Facts), func(f alert.Fact) bool {
		return f.Name == "host.name" && f.Value == v.Host || f.Name == "user.name" && f.Value == v.User
	})
	if v.Own {
		v.RuleID = e.Alert.Rule.ID
	}
	doc, err := s.ledger.Document(r.Context(), e.Alert.ID)
	if err == nil {
		v.Moments, err = s.timeline(r.Context(), &e)
	}
	if err == nil && e.Copies != nil {
		v.Copies, err = s.ledger.Copies(r.Context(), e.Seq)
	}
	if err == nil {
		v.Similar, err = s.similar(r.Context(), &e)
	}
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v.Document, v.Samples = pretty(doc), samplesOf(doc)
	s.render(rw, r, http.StatusOK, "alert", v)
}

// similar are the other alerts of the same rule about the same host or user, or about the same key.
func (s *alertPages) similar(ctx context.Context, e *ledger.Entry) ([]Row, error) {
	entries, _, err := s.ledger.List(ctx, ledger.Filter{Rule: e.Alert.Rule.Name, Since: e.Alert.Time.Add(-similarBack), Limit: 500})
	if err != nil {
		return nil, err
	}
	var out []Row
	for _, o := range entries {
		a, b := &o.Alert, &e.Alert
		if a.ID == b.ID || !(b.Host != "" && a.Host == b.Host || b.User != "" && a.User == b.User || len(b.Facts) > 0 && slices.Equal(a.Facts, b.Facts)) {
			continue
		}
		if out = append(out, RowOf(o)); len(out) == 10 {
			break
		}
	}
	return out, nil
}

// pretty is JSON for people to read; as it stands where it is none.
func pretty(doc json.RawMessage) string {
	var b bytes.Buffer
	if len(doc) == 0 || json.Indent(&b, doc, "", "  ") != nil {
		return string(doc)
	}
	return b.String()
}

// samplesOf are the documents that an alert of ours carries.
func samplesOf(doc json.RawMessage) []carried {
	var in struct {
		Tocsin struct {
			Samples []struct {
				Index  string          `json:"_index"`
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			} `json:"samples"`
		} `json:"tocsin"`
	}
	if json.Unmarshal(doc, &in) != nil {
		return nil
	}
	var out []carried
	for _, one := range in.Tocsin.Samples {
		var at struct {
			Time string `json:"@timestamp"`
		}
		if json.Unmarshal(one.Source, &at) != nil {
			at.Time = ""
		}
		out = append(out, carried{one.Index, one.ID, at.Time, pretty(one.Source)})
	}
	return out
}

// handle takes in a button of the page of an alert.
func (s *alertPages) handle(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(rw, r)
	if !ok {
		return
	}
	here := "/alerts/" + url.PathEscape(string(e.Alert.ID))
	do, verdict, _ := strings.Cut(r.PostFormValue("do"), ":")
	a := tuning.Acknowledgement{Alert: e.Alert.ID, Action: tuning.Action(do), Who: who(r).Name, Why: r.PostFormValue("why"), Verdict: tuning.Verdict(verdict)}
	said := map[tuning.Action]string{
		tuning.Acknowledge: "Acknowledged: nothing of it repeats or escalates.", tuning.Close: "Closed.", tuning.Reopen: "Open again.",
	}[a.Action]
	if said == "" || a.Verdict != "" && !slices.Contains(tuning.Verdicts, a.Verdict) {
		s.sorry(rw, r, http.StatusBadRequest, "Nothing was done", "The form asked for something that cannot be done about an alert.")
		return
	}
	if err := s.Handle(r.Context(), a); err != nil {
		s.broken(rw, r, err)
		return
	}
	if a.Verdict == tuning.FalsePositive {
		s.done(rw, r, here+"/exception", "Closed as a false positive. These exceptions would keep it from coming again.")
		return
	}
	s.done(rw, r, here, said)
}

// exceptionView is what the page that proposes an exception shows.
type exceptionView struct {
	Row
	Proposals []proposal
	Match     string
	Why       string
	For       string
	Wrong     string
	Field     string // that is wrong; empty where it is none
	Preview   *tuning.Preview
}

// proposal is an exception that could be made, and what it would have hidden.
type proposal struct {
	Match   string
	Preview tuning.Preview
}

// mostProposals is how many exceptions are proposed.
const mostProposals = 8

// exception proposes the smallest exceptions that an alert falls under: its rule and one, then two, of the values it
// is about; first those that would have hidden least.
func (s *alertPages) exception(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(rw, r)
	if !ok {
		return
	}
	v := exceptionView{Row: RowOf(e), For: "90d"}
	var err error
	if v.Proposals, err = s.proposals(r.Context(), &e); err != nil {
		s.broken(rw, r, err)
		return
	}
	if len(v.Proposals) > 0 {
		v.Match = v.Proposals[0].Match
	}
	s.render(rw, r, http.StatusOK, "exception", v)
}

func (s *alertPages) proposals(ctx context.Context, e *ledger.Entry) ([]proposal, error) {
	a := e.Alert
	var err error
	if a.Document, err = s.ledger.Document(ctx, a.ID); err != nil {
		return nil, err
	}
	fields, err := a.Fields()
	if err != nil {
		return nil, err
	}
	var clauses []string
	add := func(name, value string) {
		if c := name + ": " + query.QuoteValue(value); value != "" && !slices.Contains(clauses, c) {
			clauses = append(clauses, c)
		}
	}
	for _, f := range a.Facts {
		if len(fields[f.Name]) == 1 {
			add(f.Name, f.Value)
		}
	}
	for _, name := range []string{"user.name", "host.name", "source.ip", "process.name", "process.executable", "destination.ip", "url.path"} {
		if values := fields[name]; len(values) == 1 {
			add(name, alert.Text(values[0]))
		}
	}
	clauses = clauses[:min(len(clauses), 6)]
	var matches []string
	for i, c := range clauses {
		matches = append(matches, c)
		for _, d := range clauses[i+1:] {
			matches = append(matches, c+" and "+d)
		}
	}
	now := time.Now().UTC()
	since := now.Add(-similarBack)
	var (
		previews []*tuning.Previewer
		kept     []string
	)
	for _, m := range matches {
		p, err := tuning.NewPreviewer(tuning.Draft{Kind: policy.Exception, Match: m, Rule: a.Rule.Name}, since, now)
		if err != nil {
			continue // a value that KQL cannot say
		}
		previews, kept = append(previews, p), append(kept, m)
	}
	err = s.ledger.Scan(ctx, since, func(a *alert.Alert, f alert.Fate) error {
		fields, err := a.Fields()
		if err != nil {
			return err
		}
		for _, p := range previews {
			p.TakeFields(a, fields, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []proposal
	for i, p := range previews {
		out = append(out, proposal{kept[i], p.Done()})
	}
	slices.SortStableFunc(out, func(a, b proposal) int {
		if n := a.Preview.Matched - b.Preview.Matched; n != 0 {
			return n
		}
		return len(a.Match) - len(b.Match)
	})
	return out[:min(len(out), mostProposals)], nil
}

// except makes an exception.
func (s *alertPages) except(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(rw, r)
	if !ok {
		return
	}
	v := exceptionView{Row: RowOf(e), Match: r.PostFormValue("match"), Why: r.PostFormValue("why"), For: r.PostFormValue("for")}
	d := tuning.Draft{Kind: policy.Exception, Match: v.Match, Rule: e.Alert.Rule.Name, Who: who(r).Name, Why: v.Why}
	if v.For == "forever" {
		d.Forever = true
	} else if days, ok := strings.CutSuffix(v.For, "d"); ok {
		var n int
		if _, err := fmt.Sscan(days, &n); err == nil {
			d.Until = time.Now().AddDate(0, 0, n)
		}
	}
	if r.PostFormValue("do") == "preview" {
		now := time.Now().UTC()
		p, err := tuning.NewPreviewer(d, now.Add(-similarBack), now)
		if err == nil {
			err = s.ledger.Scan(r.Context(), now.Add(-similarBack), p.Take)
		}
		if err != nil {
			v.Field, v.Wrong = fieldOf(err, "match", "why")
		} else {
			done := p.Done()
			v.Preview = &done
		}
		s.render(rw, r, http.StatusOK, "exception", v)
		return
	}
	made, err := s.Book.Add(r.Context(), d)
	if err != nil {
		v.Field, v.Wrong = fieldOf(err, "match", "why")
		s.render(rw, r, http.StatusUnprocessableEntity, "exception", v)
		return
	}
	s.done(rw, r, "/alerts/"+url.PathEscape(string(e.Alert.ID)), "The exception "+made.ID+" holds from now on.")
}
