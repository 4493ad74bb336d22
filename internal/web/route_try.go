package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// RoutesOptions say what tries routes.
type RoutesOptions struct {
	// Explain says which routes an alert takes.
	Explain func(context.Context, *alert.Alert) (policy.Explanation, error)
	Policy  *policy.Policy
	Rules   *rule.Library // nil for none
	// Place is where a key stands in the file.
	Place func(key string) config.Place
}

// RouteTest names what to try routes with; exactly one of its parts.
type RouteTest struct {
	Alert    string          `json:"alert,omitempty" doc:"The id of an alert that was seen, the id of its document, or the beginning of either."`
	Rule     string          `json:"rule,omitempty" doc:"The name of a rule: its newest alert, else what its alerts would be."`
	Document json.RawMessage `json:"document,omitempty" doc:"An alert: a detection as Kibana stores it, or fields such as severity and host.name."`
}

// RouteTested is which routes an alert takes, and why.
type RouteTested struct {
	Alert alert.ID `json:"alert,omitempty"` // the one that was seen
	Rule  string   `json:"rule,omitempty"`
	About string   `json:"about"` // what was tried, in words
	policy.Explanation
	Places   map[string]string `json:"places,omitempty" doc:"Where the routes that were asked stand in the file."`
	Warnings []RouteWarning    `json:"warnings,omitempty"`
}

// RouteWarning is a field in a match that is probably misspelt.
type RouteWarning struct {
	Where  string `json:"where"` // the match, and where in the file it stands
	Line   int    `json:"line"`  // in the match
	Column int    `json:"column"`
	Text   string `json:"text"`
}

const mostRouteTest = 4 << 20

// sampledMost is how many of the newest alerts tell which fields there are.
const sampledMost = 100

type routes struct {
	*Web
	o RoutesOptions
}

// Routing is the endpoint that tries routes.
func Routing(o RoutesOptions) Part {
	return func(w *Web) {
		s := &routes{w, o}
		w.add(Route{
			Method: "POST", Path: "/routes/test", Tag: "routes", Role: account.Viewer, Summary: "Say which routes an alert takes, and why", Reads: true,
			Body: RouteTest{}, Answer: RouteTested{}, Fails: []int{404}, Handle: s.test,
		})
	}
}

func (s *routes) test(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[RouteTest](rw, r, mostRouteTest)
	if !ok {
		return
	}
	given := 0
	for _, is := range []bool{in.Alert != "", in.Rule != "", len(in.Document) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		fail(rw, http.StatusBadRequest, "write exactly one of alert, rule and document")
		return
	}
	a, about, ok := s.subject(rw, r, in)
	if !ok {
		return
	}
	e, err := s.o.Explain(r.Context(), a)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	out := RouteTested{Rule: a.Rule.Name, About: about, Explanation: e, Places: map[string]string{}}
	if in.Alert != "" || a.SourceID != "" && in.Rule != "" {
		out.Alert = a.ID
	}
	for _, step := range e.Steps {
		if p := s.o.Place(step.Path); p.Line > 0 {
			out.Places[step.Path] = p.String()
		}
	}
	if out.Warnings, err = s.warnings(r.Context(), a); err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

// subject is the alert to try. Where there is none, it has answered.
func (s *routes) subject(rw http.ResponseWriter, r *http.Request, in RouteTest) (*alert.Alert, string, bool) {
	switch {
	case in.Alert != "":
		r.SetPathValue("id", in.Alert)
		e, ok := s.find(rw, r)
		if !ok {
			return nil, "", false
		}
		return s.whole(rw, r, e, "alert "+string(e.Alert.ID)+" as it was seen")
	case in.Rule != "":
		return s.ofRule(rw, r, in.Rule)
	default:
		a, err := policy.Sample(in.Document)
		if err != nil {
			fail(rw, http.StatusBadRequest, err.Error())
			return nil, "", false
		}
		return a, "the alert that was given", true
	}
}

func (s *routes) whole(rw http.ResponseWriter, r *http.Request, e ledger.Entry, about string) (*alert.Alert, string, bool) {
	doc, err := s.ledger.Document(r.Context(), e.Alert.ID)
	if err != nil {
		s.broken(rw, r, err)
		return nil, "", false
	}
	e.Alert.Document = doc
	return &e.Alert, about, true
}

// ofRule is the newest alert of a rule, else one as the rule would make it.
func (s *routes) ofRule(rw http.ResponseWriter, r *http.Request, name string) (*alert.Alert, string, bool) {
	entries, _, err := s.ledger.List(r.Context(), ledger.Filter{Rule: name, Limit: 1})
	if err != nil {
		s.broken(rw, r, err)
		return nil, "", false
	}
	if len(entries) == 1 {
		return s.whole(rw, r, entries[0], "the newest alert of the rule "+name+", "+string(entries[0].Alert.ID))
	}
	if s.o.Rules != nil {
		for _, e := range s.o.Rules.All() {
			if e.Rule != nil && (e.Rule.Name == name || e.ID == name) {
				a := &alert.Alert{
					Source: e.Rule.Source, Rule: e.Rule.InAlerts(), Severity: e.Rule.Severity.Fixed, Tags: e.Rule.Tags,
				}
				for _, id := range e.Rule.Attack {
					a.Threat = append(a.Threat, alert.Threat{TechniqueID: id})
				}
				return a, "an alert as the rule " + e.Rule.Name + " would make it, without the fields of an event", true
			}
		}
	}
	fail(rw, http.StatusNotFound, fmt.Sprintf("no rule called %q has made an alert, and there is none of ours: give an alert instead", name))
	return nil, "", false
}

// warnings are the fields of all matches that are probably misspelt: neither this alert nor the newest others have
// them, and one of a name like it is known.
func (s *routes) warnings(ctx context.Context, a *alert.Alert) ([]RouteWarning, error) {
	known := map[string]bool{}
	note := func(a *alert.Alert) error {
		fields, err := a.Fields()
		for name := range fields {
			known[name] = true
		}
		return err
	}
	if err := note(a); err != nil {
		return nil, err
	}
	entries, _, err := s.ledger.List(ctx, ledger.Filter{Limit: sampledMost, Documents: true})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if err := note(&entries[i].Alert); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []RouteWarning
	for where, f := range s.o.Policy.Filters() {
		place := where
		if p := s.o.Place(where); p.Line > 0 {
			place += " (" + p.String() + ")"
		}
		for _, w := range misspelt(f, names) {
			line, column := w.Position()
			out = append(out, RouteWarning{Where: place, Line: line, Column: column, Text: w.Message})
		}
	}
	slices.SortFunc(out, func(a, b RouteWarning) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out, nil
}

func misspelt(f *query.Filter, names []string) (out []query.Warning) {
	for _, w := range f.Warnings(append(slices.Clip(config.AlertFields), names...)...) {
		name := w.Text[w.Start:w.End]
		if near := config.Misspelt(name, names...); near != "" {
			w.Message = fmt.Sprintf("no alert has the field %s: did you mean %s?", name, near)
			out = append(out, w)
		}
	}
	return out
}
