package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/wording"
)

// wordingView is what the page that words a rule's message shows.
type wordingView struct {
	ID, Name  string
	Text      string
	Base      int64
	Wrong     *TemplateWrong
	Line      string // the line that is wrong, and the place under it
	Mark      string
	Conflict  string
	Shown     template.HTML // the message, made by the reader of Block Kit, which escapes all that stands in it
	Of        alert.ID
	Other     bool // the alert shown is of another rule
	None      bool // no alert was seen yet
	Failed    *TemplateWrong
	Fields    []alert.Fact
	Functions []wording.Function
}

// fieldsOfEvery are the names every message of a rule can tell.
var fieldsOfEvery = []string{"rule.name", "severity", "risk_score", "count", "time", "first", "last", "tags", "owner", "runbook", "host.name", "user.name"}

// Every are the names every message can tell.
func (wordingView) Every() []string { return fieldsOfEvery }

func (s *messages) editable(rw http.ResponseWriter, r *http.Request) (rule.Entry, bool) {
	e, err := s.o.Rules.Find(r.PathValue("id"))
	switch {
	case err != nil:
		s.sorry(rw, r, http.StatusNotFound, "There is no such rule", err.Error())
	case e.Origin != rule.FromDatabase:
		s.sorry(rw, r, http.StatusConflict, "This rule is read-only here", (&rule.ReadOnlyError{ID: e.ID, File: e.File}).Error())
	default:
		return e, true
	}
	return e, false
}

func (s *messages) wordingPage(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.editable(rw, r)
	if !ok {
		return
	}
	v := wordingView{ID: e.ID, Name: e.Name(), Base: e.Version}
	if e.Rule != nil && e.Rule.Message != nil {
		v.Text = e.Rule.Message.String()
	}
	if err := s.fill(r, &v); err != nil {
		s.broken(rw, r, err)
		return
	}
	s.render(rw, r, http.StatusOK, "message", v)
}

// fill lays out the message of the rule's newest alert, else of the newest of all, with the text.
func (s *messages) fill(r *http.Request, v *wordingView) error {
	v.Functions = wording.Functions
	in := MessagePreview{Rule: v.Name}
	if v.Text != "" {
		if _, err := wording.Parse(v.Text); err != nil {
			v.Wrong = wrongTemplate(err)
			if lines := strings.Split(v.Text, "\n"); v.Wrong.Line > 0 && v.Wrong.Line <= len(lines) {
				v.Line, v.Mark = lines[v.Wrong.Line-1], strings.Repeat(" ", max(v.Wrong.Column-1, 0))+"^"
			}
		} else {
			in.Message = &v.Text
		}
	}
	alerts, err := s.shown(r.Context(), in)
	if err == nil && len(alerts) == 0 {
		in.Rule, v.Other = "", true
		alerts, err = s.shown(r.Context(), in)
	}
	if err != nil {
		return err
	}
	if len(alerts) == 0 {
		v.None, v.Other = true, false
		return nil
	}
	out, err := previewOf(in, alerts)
	v.Shown, v.Of, v.Fields, v.Failed = template.HTML(out.HTML), out.Alert, out.Fields, out.Failed //nolint:gosec // of blockkit, which escapes
	return err
}

// wordingForm shows a preview, or saves the text to the rule.
func (s *messages) wordingForm(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.editable(rw, r)
	if !ok {
		return
	}
	base, err := strconv.ParseInt(r.PostFormValue("base"), 10, 64)
	if err != nil {
		base = e.Version
	}
	text := strings.TrimRight(strings.ReplaceAll(r.PostFormValue("message"), "\r\n", "\n"), "\n")
	v := wordingView{ID: e.ID, Name: e.Name(), Text: text, Base: base}
	if err := s.fill(r, &v); err != nil {
		s.broken(rw, r, err)
		return
	}
	if r.PostFormValue("do") == "preview" || v.Wrong != nil {
		status := http.StatusOK
		if v.Wrong != nil {
			status = http.StatusUnprocessableEntity
		}
		s.render(rw, r, status, "message", v)
		return
	}
	changed, err := s.word(r, &e, text, base)
	var (
		conflict *rule.ConflictError
		problems *rule.Problems
	)
	switch {
	case errors.As(err, &conflict):
		v.Conflict, v.Base = conflict.Error(), e.Version
		s.render(rw, r, http.StatusConflict, "message", v)
	case errors.As(err, &problems):
		v.Wrong = &TemplateWrong{Error: problems.Error()}
		s.render(rw, r, http.StatusUnprocessableEntity, "message", v)
	case err != nil:
		s.broken(rw, r, err)
	case !changed:
		s.done(rw, r, "/rules/"+url.PathEscape(e.ID), "Nothing differed, and nothing was saved.")
	default:
		s.done(rw, r, "/rules/"+url.PathEscape(e.ID), "The message of "+e.Name()+" is saved.")
	}
}

// word saves a text as the message of a rule; an empty one leaves the sentence to the search.
func (s *messages) word(r *http.Request, e *rule.Entry, text string, base int64) (bool, error) {
	content, err := rule.WithMessage(e.Content, text)
	if err != nil {
		return false, err
	}
	files, err := e.Attached()
	if err != nil {
		return false, err
	}
	_, changed, err := s.o.Rules.Apply(r.Context(), content, false, files, rule.Change{ID: e.ID, Base: base, Who: who(r).Name, Note: "another message"})
	return changed, err
}
