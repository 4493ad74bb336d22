package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/duration"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

// tuningTabs are the kinds of what is set about alerts, as the page has them.
var tuningTabs = []tuningTab{
	{policy.Silence, "/silences", "Silences", "silence", "Alerts that match are kept and not said, for a while.", "rule.name: \"Backup failed\" and host.name: db-*"},
	{policy.Exception, "/exceptions", "Exceptions", "exception", "Alerts that match are known to be nothing. They are kept, and not said.", "process.executable: \"/usr/bin/backup\" and user.name: backup"},
	{policy.Forwarding, "/forwarding", "Forwarding", "switch", "Which detections of Kibana are forwarded, by rule, tag, severity or KQL. The newest switch that matches decides, before the file's.", "tags: noisy"},
}

type tuningTab struct {
	Kind    policy.TuningKind
	Path    string
	Name    string
	One     string
	Text    string
	Example string
}

// tuningView is what the pages show.
type tuningView struct {
	Tab     tuningTab
	Tabs    []tuningTab
	Entries []tuning.Entry
	Over    []tuning.Entry // the newest that are over
	Draft   draftForm
	Wrong   string
	Field   string
	Preview *tuning.Preview
	CanEdit bool
}

// draftForm is the form as it was filled in.
type draftForm struct{ Match, Rule, Tag, Severity, From, Until, For, Why, Forward string }

type tuningPages struct{ *tunings }

// TuningPages adds the pages of silences, exceptions and switches.
func TuningPages(o TuningOptions) Part {
	return func(w *Web) {
		s := &tuningPages{&tunings{w, o}}
		for _, tab := range tuningTabs {
			w.page(Page{Method: "GET", Path: tab.Path, Role: account.Viewer, Handle: func(rw http.ResponseWriter, r *http.Request) { s.show(rw, r, tab) }})
			w.page(Page{Method: "POST", Path: tab.Path, Role: account.Editor, Handle: func(rw http.ResponseWriter, r *http.Request) { s.form(rw, r, tab) }})
		}
	}
}

const overShown = 20

func (s *tuningPages) view(r *http.Request, tab tuningTab) (tuningView, error) {
	v := tuningView{Tab: tab, Tabs: tuningTabs, CanEdit: mayEdit(r)}
	all, err := s.o.Book.List(r.Context(), tab.Kind, "")
	if err != nil {
		return v, err
	}
	for _, e := range all {
		if e.State != tuning.Expired {
			v.Entries = append(v.Entries, e)
		} else if len(v.Over) < overShown {
			v.Over = append(v.Over, e)
		}
	}
	return v, nil
}

func (s *tuningPages) show(rw http.ResponseWriter, r *http.Request, tab tuningTab) {
	v, err := s.view(r, tab)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v.Draft = draftForm{Match: r.URL.Query().Get("match"), For: "2h", Forward: "false"}
	s.render(rw, r, http.StatusOK, "silences", v)
}

// form ends a tuning, previews one or makes one.
func (s *tuningPages) form(rw http.ResponseWriter, r *http.Request, tab tuningTab) {
	if id := r.PostFormValue("expire"); id != "" {
		if _, err := s.o.Book.Expire(r.Context(), tab.Kind, id, who(r).Name, ""); err != nil {
			s.setFlash(rw, "bad", err.Error())
			http.Redirect(rw, r, tab.Path, http.StatusSeeOther)
			return
		}
		s.Web.done(rw, r, tab.Path, "It ended now.")
		return
	}
	v, err := s.view(r, tab)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	f := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	v.Draft = draftForm{f("match"), f("rule"), f("tag"), f("severity"), f("from"), f("until"), f("for"), f("why"), f("forward")}
	d, err := v.Draft.draft(tab.Kind)
	d.Who = who(r).Name
	now := time.Now().UTC()
	if err == nil && f("do") == "preview" {
		var p *tuning.Previewer
		if p, err = tuning.NewPreviewer(d, now.Add(-previewBack), now); err == nil {
			if err = s.ledger.Scan(r.Context(), now.Add(-previewBack), p.Take); err == nil {
				done := p.Done()
				v.Preview = &done
				s.render(rw, r, http.StatusOK, "silences", v)
				return
			}
		}
	}
	var made tuning.Entry
	if err == nil {
		made, err = s.o.Book.Add(r.Context(), d)
	}
	if err != nil {
		v.Field, v.Wrong = fieldOf(err, "match", "why", "from", "until")
		s.render(rw, r, http.StatusUnprocessableEntity, "silences", v)
		return
	}
	s.Web.done(rw, r, tab.Path, "The "+tab.One+" "+made.ID+" is made.")
}

// fieldOf is which field of a form an error is about, if it is one of those, and what to say there.
func fieldOf(err error, fields ...string) (field, said string) {
	var input *tuning.InputError
	if errors.As(err, &input) && slices.Contains(fields, input.Field) {
		if input.Line > 0 {
			return input.Field, fmt.Sprintf("line %d, column %d: %s", input.Line, input.Column, input.Text)
		}
		return input.Field, input.Text
	}
	return "", err.Error()
}

// draft reads the form.
func (f *draftForm) draft(kind policy.TuningKind) (tuning.Draft, error) {
	d := tuning.Draft{Kind: kind, Match: f.Match, Rule: f.Rule, Tag: f.Tag, Severity: f.Severity, Why: f.Why, Forward: f.Forward == "true"}
	at := func(name, text string) (time.Time, error) {
		if text == "" {
			return time.Time{}, nil
		}
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, &tuning.InputError{Field: name, Text: fmt.Sprintf("%q is not a time such as 2026-01-02T15:04, in UTC", text)}
	}
	var err error
	if d.From, err = at("from", f.From); err != nil {
		return d, err
	}
	if d.Until, err = at("until", f.Until); err != nil {
		return d, err
	}
	switch {
	case !d.Until.IsZero():
	case f.For == "forever":
		d.Forever = true
	case f.For != "":
		length, err := duration.Parse(f.For)
		if err != nil {
			return d, fmt.Errorf("for: %q %w", f.For, err)
		}
		from := d.From
		if from.IsZero() {
			from = time.Now()
		}
		d.Until = from.Add(length)
	}
	return d, nil
}
