package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/ledger"
	"tocsin/internal/rule"
)

// ruleView is what the page of one rule shows.
type ruleView struct {
	ruleLine
	Rule     *rule.Rule // nil for one that never was right
	Content  string
	History  []ruleVersion
	Alerts   []Row
	Tests    []rule.TestResult
	Tested   bool
	Since    time.Time
	Worked   time.Time
	Gaps     []gap
	CanEdit  bool
	Threats  []alert.Threat
	Warnings []rule.Problem
}

// gap is a time whose windows were not judged.
type gap struct{ From, To time.Time }

// ruleVersion is a version with its changes in words.
type ruleVersion struct {
	rule.Version
	Lines   []diffLine
	Current bool
}

// diffLine is one line of the difference between two texts: " " is in both, "-" in the old, "+" in the new.
type diffLine struct{ Op, Text string }

// find answers when there is no such rule.
func (s *rulePages) find(rw http.ResponseWriter, r *http.Request) (rule.Entry, bool) {
	e, err := s.Library.Find(r.PathValue("id"))
	if err != nil {
		s.sorry(rw, r, http.StatusNotFound, "There is no such rule", err.Error())
		return e, false
	}
	return e, true
}

// shownAlerts is how many alerts the page of a rule lists.
const shownAlerts = 20

// one shows a rule, and after a POST what its tests give.
func (s *rulePages) one(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.find(rw, r)
	if !ok {
		return
	}
	now := time.Now().UTC()
	line, err := s.line(r.Context(), &e, now)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v := ruleView{ruleLine: line, Rule: e.Rule, Content: string(e.Content), CanEdit: mayEdit(r) && e.Origin == rule.FromDatabase}
	if e.Rule != nil {
		v.Threats, v.Warnings = alert.Threats(e.Rule.Attack), e.Rule.Warnings
	}
	if e.Runs() {
		standing, err := s.Standing(r.Context(), e.ID)
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		v.Since, v.Worked, v.Told = standing.Since, standing.Worked, standing.Warnings
		if !standing.Since.IsZero() {
			for _, g := range standing.Covered.Gaps(detect.Span{From: standing.Since.UnixMicro(), To: now.Add(-2 * e.Rule.Every).UnixMicro()}) {
				v.Gaps = append(v.Gaps, gap{time.UnixMicro(g.From).UTC(), time.UnixMicro(g.To).UTC()})
			}
			slices.Reverse(v.Gaps)
		}
	}
	entries, _, err := s.ledger.List(r.Context(), ledger.Filter{Rule: line.Name, Limit: shownAlerts})
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	for _, one := range entries {
		v.Alerts = append(v.Alerts, RowOf(one))
	}
	if e.Origin == rule.FromDatabase {
		if v.History, err = s.history(r, &e); err != nil {
			s.broken(rw, r, err)
			return
		}
	}
	if r.Method == http.MethodPost && e.Rule != nil {
		v.Tested = true
		if v.Tests, err = s.Tester.Run(r.Context(), &e); err != nil {
			s.sorry(rw, r, http.StatusBadRequest, "The tests could not be run", err.Error())
			return
		}
	}
	s.render(rw, r, http.StatusOK, "rule", v)
}

// history are the versions of a rule, newest first, each with what it changed.
func (s *rulePages) history(r *http.Request, e *rule.Entry) ([]ruleVersion, error) {
	all, err := s.Library.History(r.Context(), e.ID)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b rule.Version) int { return int(b.Version - a.Version) })
	out := make([]ruleVersion, len(all))
	for i, v := range all {
		whole, err := s.Library.VersionOf(r.Context(), e.ID, v.Version)
		if err != nil {
			return nil, err
		}
		out[i] = ruleVersion{Version: whole, Current: v.Version == e.Version}
		if i > 0 && whole.Content != "" {
			out[i-1].Lines = diff(whole.Content, out[i-1].Content)
		}
	}
	return out, nil
}

// editView is what the editor shows.
type editView struct {
	ID       string // empty for a new rule
	Name     string
	Content  string
	Base     int64
	Note     string
	Problems []rule.Problem
	Warnings []rule.Problem
	Checked  bool
	Conflict string
	Theirs   []diffLine // what somebody else changed meanwhile
	Sources  []string
	Channels []string
}

// known are the channels to complete.
func (s *rulePages) known() []string {
	if s.Channels == nil {
		return nil
	}
	return s.Channels()
}

// freshRule is what a new rule begins as.
const freshRule = `name: %s
search: %s
every: 5m
severity: medium
same_again_after: 1h
`

func (s *rulePages) fresh(rw http.ResponseWriter, r *http.Request) {
	search, name := r.URL.Query().Get("search"), "A name that says what it means"
	if search == "" {
		search = "event.outcome:failure | count by user.name | search count > 10"
	}
	content := fmt.Sprintf(freshRule, quotedYAML(name), quotedYAML(search))
	if source := r.URL.Query().Get("source"); source != "" {
		content += "source: " + quotedYAML(source) + "\n"
	}
	if from := r.URL.Query().Get("from"); from != "" { // a rule of the pack, or any other, as the beginning
		e, err := s.Library.Find(from)
		if err != nil {
			e, err = rule.FindInPack(from)
		}
		if err != nil {
			s.sorry(rw, r, http.StatusNotFound, "There is no such rule", err.Error())
			return
		}
		content = string(e.Content)
	}
	s.render(rw, r, http.StatusOK, "rule_edit", editView{Name: "New rule", Content: content, Sources: s.Sources, Channels: s.known()})
}

// quotedYAML writes a text as YAML reads it, whatever is in it: JSON is YAML.
func quotedYAML(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""` // a string is JSON
	}
	return strings.TrimSpace(b.String())
}

func (s *rulePages) edit(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.find(rw, r)
	if !ok {
		return
	}
	if e.Origin != rule.FromDatabase {
		s.sorry(rw, r, http.StatusConflict, "This rule is read-only here", (&rule.ReadOnlyError{ID: e.ID, File: e.File}).Error())
		return
	}
	s.render(rw, r, http.StatusOK, "rule_edit", editView{ID: e.ID, Name: e.Name(), Content: string(e.Content), Base: e.Version, Sources: s.Sources, Channels: s.known()})
}

// save checks a rule, and unless that was all that was asked for saves it. Whoever edits a version that is no longer
// the newest is shown what changed meanwhile.
func (s *rulePages) save(rw http.ResponseWriter, r *http.Request) {
	base, err := strconv.ParseInt(r.PostFormValue("base"), 10, 64)
	if err != nil {
		base = 0
	}
	v := editView{ID: r.PathValue("id"), Name: "New rule", Content: strings.ReplaceAll(r.PostFormValue("content"), "\r\n", "\n"), Base: base, Note: r.PostFormValue("note"), Sources: s.Sources, Channels: s.known()}
	c := rule.Change{ID: v.ID, Base: base, Who: who(r).Name, Note: v.Note}
	var files map[string][]byte
	if v.ID != "" {
		e, err := s.Library.Find(v.ID)
		if err == nil {
			v.Name = e.Name()
			files, err = e.Attached()
		}
		if err != nil {
			s.sorry(rw, r, http.StatusNotFound, "There is no such rule", err.Error())
			return
		}
	}
	v.Warnings, err = s.Library.Check([]byte(v.Content), false, "")
	if err == nil && r.PostFormValue("do") == "check" {
		v.Checked = true
		s.render(rw, r, http.StatusOK, "rule_edit", v)
		return
	}
	var e rule.Entry
	changed := false
	if err == nil {
		e, changed, err = s.Library.Apply(r.Context(), []byte(v.Content), false, files, c)
	}
	var (
		problems *rule.Problems
		conflict *rule.ConflictError
	)
	switch {
	case errors.As(err, &problems):
		v.Problems = problems.List
		s.render(rw, r, http.StatusUnprocessableEntity, "rule_edit", v)
	case errors.As(err, &conflict):
		v.Conflict = conflict.Error()
		if now, err := s.Library.Find(conflict.ID); err == nil {
			if seen, err := s.Library.VersionOf(r.Context(), conflict.ID, base); err == nil {
				v.Theirs = diff(seen.Content, string(now.Content))
			}
			v.ID, v.Base = now.ID, now.Version
		}
		s.render(rw, r, http.StatusConflict, "rule_edit", v)
	case err != nil:
		s.sorry(rw, r, http.StatusBadRequest, "The rule was not saved", err.Error())
	case !changed:
		s.done(rw, r, "/rules/"+url.PathEscape(e.ID), "Nothing differed, and nothing was saved.")
	default:
		s.done(rw, r, "/rules/"+url.PathEscape(e.ID), fmt.Sprintf("%s is saved as version %d.", e.Name(), e.Version))
	}
}

// undo saves an older version as the newest.
func (s *rulePages) undo(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.find(rw, r)
	if !ok {
		return
	}
	to, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err == nil {
		var old rule.Version
		if old, err = s.Library.VersionOf(r.Context(), e.ID, to); err == nil {
			var files map[string][]byte
			if files, err = e.Attached(); err == nil {
				_, _, err = s.Library.Apply(r.Context(), []byte(old.Content), false, files,
					rule.Change{ID: e.ID, Base: e.Version, Who: who(r).Name, Note: fmt.Sprintf("back to version %d", to)})
			}
		}
	}
	if err != nil {
		s.setFlash(rw, "bad", err.Error())
		http.Redirect(rw, r, "/rules/"+url.PathEscape(e.ID), http.StatusSeeOther)
		return
	}
	s.done(rw, r, "/rules/"+url.PathEscape(e.ID), fmt.Sprintf("%s is as it was in version %d.", e.Name(), to))
}

func (s *rulePages) remove(rw http.ResponseWriter, r *http.Request) {
	e, ok := s.find(rw, r)
	if !ok {
		return
	}
	if err := s.Library.Delete(r.Context(), e.ID, rule.Change{Base: rule.Any, Who: who(r).Name}); err != nil {
		s.setFlash(rw, "bad", err.Error())
		http.Redirect(rw, r, "/rules/"+url.PathEscape(e.ID), http.StatusSeeOther)
		return
	}
	s.done(rw, r, "/rules", e.Name()+" is deleted. Its alerts stay.")
}
