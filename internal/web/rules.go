package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/detect"
	"tocsin/internal/duration"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// RuleRow is one rule as the API and the commands list it. Enabled is true, false or "shadow"; null for a rule
// that never was right.
type RuleRow struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Origin   rule.Origin    `json:"origin"`
	File     string         `json:"file,omitempty"`
	Version  int64          `json:"version,omitempty"`
	Revision string         `json:"revision"`
	Runs     bool           `json:"runs"`
	Enabled  any            `json:"enabled"`
	Severity string         `json:"severity,omitempty"`
	Every    string         `json:"every,omitempty"`
	Source   string         `json:"source,omitempty"`
	Kind     query.Kind     `json:"kind,omitempty"`
	Search   string         `json:"search,omitempty"`
	Attack   []string       `json:"attack,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
	Owner    string         `json:"owner,omitempty"`
	Channel  string         `json:"channel,omitempty" doc:"Where the rule wants its alerts said; without one the routes decide."`
	Tests    int            `json:"tests"`
	Changed  *time.Time     `json:"changed_at,omitempty"`
	Who      string         `json:"changed_by,omitempty"`
	Problems []rule.Problem `json:"problems,omitempty"`
	Error    string         `json:"error,omitempty" doc:"Why its runs fail, or why it cannot run; only in lists and of one rule."`
	Told     []string       `json:"told,omitempty" doc:"What its last run was told of its search, such as a field that is in no mapping; only in lists and of one rule."`
	Judged   int            `json:"judged,omitempty" doc:"Its alerts that people closed in the last 30 days; only in lists."`
	False    int            `json:"false_positives,omitempty" doc:"Those of them that they called false positives."`
	// Installed, of a rule of the pack, tells whether it is a rule of the database or a file.
	Installed *bool  `json:"installed,omitempty"`
	Noise     string `json:"noise,omitempty"`
}

// RuleRowOf is an entry as a row.
func RuleRowOf(e *rule.Entry) RuleRow {
	out := RuleRow{
		ID: e.ID, Name: e.Name(), Origin: e.Origin, File: e.File, Version: e.Version, Revision: e.Revision(), Runs: e.Runs() && e.Origin != rule.FromPack,
		Who: e.Who, Problems: e.Problems,
	}
	if !e.Changed.IsZero() {
		out.Changed = &e.Changed
	}
	if r := e.Rule; r != nil {
		out.Enabled = r.Enabled == rule.On
		if r.Enabled == rule.Shadow {
			out.Enabled = "shadow"
		}
		out.Severity, out.Every, out.Source, out.Search = r.Severity.Fixed.String(), duration.Format(r.Every), r.Source, r.Search
		out.Kind = r.Kind
		out.Attack, out.Tags, out.Owner, out.Channel, out.Tests, out.Noise = r.Attack, r.Tags, r.Owner, r.Channel, len(r.Tests), r.Noise
	}
	return out
}

// RuleList are rules.
type RuleList struct {
	Rules []RuleRow `json:"rules"`
}

// RuleTests is how the tests of a rule went.
type RuleTests struct {
	ID    string            `json:"id"`
	Name  string            `json:"name"`
	Tests []rule.TestResult `json:"tests"`
}

// RuleVersions are the versions of a rule.
type RuleVersions struct {
	Versions []rule.Version `json:"versions"`
}

// RuleChecked is what is wrong with a rule that is being written.
type RuleChecked struct {
	OK       bool           `json:"ok"`
	Problems []rule.Problem `json:"problems"`
	Warnings []rule.Problem `json:"warnings"`
}

// RuleDetail is one rule whole.
type RuleDetail struct {
	RuleRow
	// Content is the YAML as it was written; Rule is the same as JSON.
	Content string            `json:"content"`
	Rule    json.RawMessage   `json:"rule,omitempty"`
	Files   map[string][]byte `json:"files,omitempty"`
	// Warnings are what works and is probably not meant.
	Warnings []rule.Problem `json:"warnings,omitempty"`
	History  []rule.Version `json:"history,omitempty"`
}

// RuleChange is what a rule is changed with.
type RuleChange struct {
	// Content is the rule as YAML, or as JSON where Format is json. File is what places in problems name.
	Content string `json:"content,omitempty"`
	Format  string `json:"format,omitempty"`
	File    string `json:"file,omitempty"`
	// Files are what its tests read.
	Files map[string][]byte `json:"files,omitempty"`
	// Enabled is true, false or "shadow", for a change of that alone. Source is where a rule of the pack that
	// is enabled searches.
	Enabled any    `json:"enabled,omitempty"`
	Source  string `json:"source,omitempty"`
	// Base is the version the editor saw, 0 for a new rule; without it the rule is saved over whatever there is.
	Base *int64 `json:"base,omitempty"`
	Note string `json:"note,omitempty"`
}

// RuleChanged answers a change.
type RuleChanged struct {
	RuleRow
	// Same says that nothing differed, and there is no new version.
	Same     bool           `json:"unchanged,omitempty"`
	Warnings []rule.Problem `json:"warnings,omitempty"`
}

// RuleFailure is the body of an answer to a rule that is wrong.
type RuleFailure struct {
	Failure
	Problems []rule.Problem `json:"problems"`
}

// mostRule bounds the body of a change: a rule and the files of its tests, in base 64.
const mostRule = 16 << 20

// rules serves rules.
type rules struct {
	*Web
	library *rule.Library
	tester  *rule.Tester
	// runs tells how a rule's runs stand; nil where none runs.
	runs func(ctx context.Context, id string) (detect.Standing, error)
}

// routeRules adds the API of rules.
func (w *Web) routeRules(library *rule.Library, tester *rule.Tester, runs func(ctx context.Context, id string) (detect.Standing, error)) {
	s := &rules{w, library, tester, runs}
	const editor, viewer = account.Editor, account.Viewer
	for _, r := range []Route{
		{Method: "GET", Path: "/rules", Role: viewer, Summary: "List the rules", Answer: RuleList{}, Handle: s.list},
		{
			Method: "POST", Path: "/rules", Role: editor, Summary: "Make a rule, or change the one of the same id", Body: RuleChange{},
			Answer: RuleChanged{}, Fails: []int{404, 409}, Failure: RuleFailure{}, Handle: s.apply,
		},
		{Method: "GET", Path: "/rules/{id}", Role: viewer, Summary: "Show one rule whole", Answer: RuleDetail{}, Fails: []int{404}, Failure: RuleFailure{}, Handle: s.show},
		{
			Method: "PUT", Path: "/rules/{id}", Role: editor, Summary: "Change a rule", Body: RuleChange{}, Answer: RuleChanged{},
			Fails: []int{404, 409}, Failure: RuleFailure{}, Handle: s.apply,
		},
		{
			Method: "DELETE", Path: "/rules/{id}", Role: editor, Summary: "Delete a rule", Answer: RuleRow{}, Fails: []int{404, 409}, Failure: RuleFailure{},
			Query: []Query{
				{Name: "base", Kind: Integer, Text: "The version the caller saw; a newer one is not deleted."},
				{Name: "note", Text: "Why."},
			},
			Handle: s.delete,
		},
		{
			Method: "POST", Path: "/rules/{id}/state", Role: editor, Summary: "Turn a rule on, off or to shadow", Body: RuleChange{}, Answer: RuleChanged{},
			Fails: []int{404, 409}, Failure: RuleFailure{}, Handle: s.state,
		},
		{
			Method: "POST", Path: "/rules/{id}/test", Role: viewer, Reads: true, Summary: "Run the tests of a rule", Answer: RuleTests{}, Fails: []int{404},
			Failure: RuleFailure{}, Handle: s.test,
		},
		{Method: "GET", Path: "/rules/{id}/versions", Role: viewer, Summary: "List the versions of a rule", Answer: RuleVersions{}, Fails: []int{404}, Handle: s.versions},
		{
			Method: "GET", Path: "/rules/{id}/versions/{version}", Role: viewer, Summary: "Show one version of a rule", Answer: rule.Version{},
			Fails: []int{404}, Handle: s.version,
		},
		{
			Method: "POST", Path: "/rules-check", Role: viewer, Reads: true, Summary: "Say what is wrong with a rule, and save nothing", Body: RuleChange{}, Answer: RuleChecked{},
			Handle: s.check,
		},
		{Method: "GET", Path: "/rules-pack", Role: viewer, Summary: "List the rules of the starter pack", Answer: RuleList{}, Handle: s.pack},
		{Method: "GET", Path: "/rules-pack/{id}", Role: viewer, Summary: "Show one rule of the starter pack", Answer: RuleDetail{}, Fails: []int{404}, Handle: s.packed},
		{Method: "GET", Path: "/rule.schema.json", Role: viewer, Summary: "The JSON Schema of a rule", Content: "application/schema+json", Handle: ruleSchema},
	} {
		r.Tag = "rules"
		w.add(r)
	}
}

func ruleSchema(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/schema+json")
	rw.Write(rule.Schema()) //nolint:errcheck // a reader that went away needs no answer
}

// refuse answers for an error of the library.
func (s *rules) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	var (
		problems *rule.Problems
		missing  *rule.NotFoundError
		conflict *rule.ConflictError
		readOnly *rule.ReadOnlyError
	)
	switch {
	case errors.As(err, &problems):
		answer(rw, http.StatusBadRequest, RuleFailure{Failure{Error: problems.Error()}, problems.List})
	case errors.As(err, &missing):
		fail(rw, http.StatusNotFound, err.Error())
	case errors.As(err, &conflict):
		fail(rw, http.StatusConflict, conflict.Error())
	case errors.As(err, &readOnly):
		fail(rw, http.StatusBadRequest, readOnly.Error())
	default:
		s.broken(rw, r, err)
	}
}

func (s *rules) list(rw http.ResponseWriter, r *http.Request) {
	closed, wrong, err := s.judged(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	out := RuleList{[]RuleRow{}}
	for _, e := range s.library.All() {
		row := RuleRowOf(&e)
		row.Judged, row.False = closed[row.Name], wrong[row.Name]
		if err := s.stands(r.Context(), &row); err != nil {
			s.broken(rw, r, err)
			return
		}
		out.Rules = append(out.Rules, row)
	}
	answer(rw, http.StatusOK, out)
}

// stands fills in how a rule's runs stand.
func (s *rules) stands(ctx context.Context, row *RuleRow) error {
	if s.runs == nil || !row.Runs {
		return nil
	}
	standing, err := s.runs(ctx, row.ID)
	row.Told = standing.Warnings
	if row.Error = standing.Wrong; row.Error == "" {
		row.Error = standing.Error
	}
	return err
}

func (s *rules) show(rw http.ResponseWriter, r *http.Request) {
	e, err := s.library.Find(r.PathValue("id"))
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out, err := detailOf(&e)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	if err := s.stands(r.Context(), &out.RuleRow); err != nil {
		s.broken(rw, r, err)
		return
	}
	if e.Origin == rule.FromDatabase {
		if out.History, err = s.library.History(r.Context(), e.ID); err != nil {
			s.refuse(rw, r, err)
			return
		}
	}
	answer(rw, http.StatusOK, out)
}

func detailOf(e *rule.Entry) (RuleDetail, error) {
	out := RuleDetail{RuleRow: RuleRowOf(e), Content: string(e.Content)}
	if e.Rule == nil {
		return out, nil
	}
	out.Warnings = e.Rule.Warnings
	var err error
	if out.Rule, err = rule.JSON(e.Content); err != nil {
		return out, err
	}
	out.Files, err = e.Attached()
	return out, err
}

// change reads the body of a change.
func change(rw http.ResponseWriter, r *http.Request) (RuleChange, rule.Change, bool) {
	in, ok := body[RuleChange](rw, r, mostRule)
	if !ok {
		return in, rule.Change{}, false
	}
	c := rule.Change{ID: r.PathValue("id"), Base: rule.Any, Who: who(r).Name, Note: in.Note}
	if in.Base != nil {
		c.Base = *in.Base
	}
	return in, c, true
}

func (s *rules) apply(rw http.ResponseWriter, r *http.Request) {
	in, c, ok := change(rw, r)
	if !ok {
		return
	}
	if in.Format != "" && in.Format != "yaml" && in.Format != "json" {
		fail(rw, http.StatusBadRequest, fmt.Sprintf("format %q is neither yaml nor json", in.Format))
		return
	}
	e, changed, err := s.library.Apply(r.Context(), []byte(in.Content), in.Format == "json", in.Files, c)
	if err != nil {
		s.refuse(rw, r, named(err, in.File))
		return
	}
	noted(r, e.ID, in.Note)
	answer(rw, http.StatusOK, RuleChanged{RuleRow: RuleRowOf(&e), Same: !changed, Warnings: e.Rule.Warnings})
}

// named gives problems the file their author knows.
func named(err error, file string) error {
	var problems *rule.Problems
	if file == "" || !errors.As(err, &problems) {
		return err
	}
	out := &rule.Problems{}
	for _, p := range problems.List {
		p.Place.File = file
		out.List = append(out.List, p)
	}
	return out
}

func (s *rules) state(rw http.ResponseWriter, r *http.Request) {
	in, c, ok := change(rw, r)
	if !ok {
		return
	}
	state, err := rule.StateOf(in.Enabled)
	if err != nil {
		fail(rw, http.StatusBadRequest, err.Error())
		return
	}
	id := c.ID
	c.ID = ""
	e, changed, err := s.library.SetState(r.Context(), id, state, c)
	var missing *rule.NotFoundError
	if errors.As(err, &missing) {
		packed, packErr := rule.FindInPack(id)
		if packErr != nil {
			var inPack *rule.NotFoundError
			if errors.As(packErr, &inPack) {
				err = missing.Nearer(inPack)
			}
			s.refuse(rw, r, err)
			return
		}
		e, err = s.library.Install(r.Context(), packed, state, in.Source, c)
		changed = true
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, RuleChanged{RuleRow: RuleRowOf(&e), Same: !changed})
}

func (s *rules) delete(rw http.ResponseWriter, r *http.Request) {
	c := rule.Change{Base: rule.Any, Who: who(r).Name, Note: r.URL.Query().Get("note")}
	if base := r.URL.Query().Get("base"); base != "" {
		var err error
		if c.Base, err = strconv.ParseInt(base, 10, 64); err != nil {
			fail(rw, http.StatusBadRequest, fmt.Sprintf("base %q is not a version", base))
			return
		}
	}
	e, err := s.library.Find(r.PathValue("id"))
	if err == nil {
		err = s.library.Delete(r.Context(), e.ID, c)
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, RuleRowOf(&e))
}

func (s *rules) test(rw http.ResponseWriter, r *http.Request) {
	e, err := s.library.Find(r.PathValue("id"))
	if err == nil && e.Rule == nil {
		err = &rule.Problems{List: e.Problems}
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	results, err := s.tester.Run(r.Context(), &e)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, RuleTests{e.ID, e.Name(), results})
}

// check says what is wrong with a rule that is being written, and saves nothing.
func (s *rules) check(rw http.ResponseWriter, r *http.Request) {
	in, _, ok := change(rw, r)
	if !ok {
		return
	}
	warnings, err := s.library.Check([]byte(in.Content), in.Format == "json", in.File)
	out := RuleChecked{OK: err == nil, Problems: []rule.Problem{}, Warnings: append([]rule.Problem{}, warnings...)}
	var problems *rule.Problems
	if errors.As(err, &problems) {
		out.Problems = problems.List
	} else if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

func (s *rules) versions(rw http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if e, err := s.library.Find(id); err == nil {
		id = e.ID
	}
	found, err := s.library.History(r.Context(), id)
	if err == nil && len(found) == 0 {
		err = &rule.NotFoundError{Name: id}
	}
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, RuleVersions{found})
}

func (s *rules) version(rw http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("version"), 10, 64)
	if err != nil {
		fail(rw, http.StatusBadRequest, fmt.Sprintf("%q is not a version", r.PathValue("version")))
		return
	}
	id := r.PathValue("id")
	if e, err := s.library.Find(id); err == nil {
		id = e.ID
	}
	v, err := s.library.VersionOf(r.Context(), id, n)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, v)
}

func (s *rules) pack(rw http.ResponseWriter, _ *http.Request) {
	out := RuleList{[]RuleRow{}}
	for _, e := range rule.Pack() {
		row := RuleRowOf(&e)
		_, err := s.library.Find(e.ID)
		installed := err == nil
		row.Installed = &installed
		out.Rules = append(out.Rules, row)
	}
	answer(rw, http.StatusOK, out)
}

func (s *rules) packed(rw http.ResponseWriter, r *http.Request) {
	e, err := rule.FindInPack(r.PathValue("id"))
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	out, err := detailOf(&e)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}
