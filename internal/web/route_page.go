package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
)

// routeLine is one route of the tree as the page shows it.
type routeLine struct {
	config.Route
	Path  string
	Depth []struct{} // as many as it is deep
	Place string     // where it stands in the file
	Hit   string     // of a try: "takes", "asked" or ""
}

// routesView is what the page of routes shows.
type routesView struct {
	Routes   []routeLine
	Config   *config.Config
	Subject  string
	Document string
	Tried    *RouteTested
	Wrong    string
	Latest   []Row
}

type routePages struct {
	*routes
	config *config.Config
}

// RoutePages adds the page of routes: the tree, what else decides by the calendar, and a try of an alert.
func RoutePages(o RoutesOptions, cfg *config.Config) Part {
	return func(w *Web) {
		s := &routePages{&routes{w, o}, cfg}
		w.page(Page{Method: "GET", Path: "/routes", Role: account.Viewer, Handle: s.show})
		w.page(Page{Method: "POST", Path: "/routes", Role: account.Viewer, Handle: s.show})
	}
}

// show shows the tree, and after a form which way an alert takes through it.
func (s *routePages) show(rw http.ResponseWriter, r *http.Request) {
	v := routesView{Config: s.config, Subject: strings.TrimSpace(r.FormValue("alert")), Document: strings.TrimSpace(r.PostFormValue("document"))}
	s.flatten(&v, s.config.Route, "route", 0)
	entries, _, err := s.ledger.List(r.Context(), ledger.Filter{Limit: 10})
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	for _, e := range entries {
		v.Latest = append(v.Latest, RowOf(e))
	}
	a, about, err := s.asked(r, &v)
	switch {
	case err != nil:
		v.Wrong = err.Error()
	case a != nil:
		e, err := s.o.Explain(r.Context(), a)
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		v.Tried = &RouteTested{Rule: a.Rule.Name, About: about, Explanation: e}
		if v.Tried.Warnings, err = s.warnings(r.Context(), a); err != nil {
			s.broken(rw, r, err)
			return
		}
		for i := range v.Routes {
			for _, step := range e.Steps {
				if step.Path == v.Routes[i].Path {
					v.Routes[i].Hit = "asked"
				}
			}
			for _, t := range e.Taken {
				if t.Path == v.Routes[i].Path {
					v.Routes[i].Hit = "takes"
				}
			}
		}
	}
	s.render(rw, r, http.StatusOK, "routes", v)
}

// asked is the alert that is tried; nil where none is.
func (s *routePages) asked(r *http.Request, v *routesView) (*alert.Alert, string, error) {
	switch {
	case v.Document != "":
		a, err := policy.Sample(json.RawMessage(v.Document))
		return a, "the alert that was given", err
	case v.Subject != "":
		entries, _, err := s.ledger.List(r.Context(), ledger.Filter{IDs: []string{v.Subject}, Limit: 1, Documents: true})
		if err != nil || len(entries) == 0 {
			if err == nil {
				v.Wrong = "No alert is called so."
			}
			return nil, "", err
		}
		a := &entries[0].Alert
		return a, "the alert of " + a.Rule.Name + " at " + a.Time.UTC().Format(time.RFC3339), nil
	}
	return nil, "", nil
}

func (s *routePages) flatten(v *routesView, r config.Route, path string, depth int) {
	line := routeLine{Route: r, Path: path, Depth: make([]struct{}, depth)}
	if s.o.Place != nil {
		if p := s.o.Place(path); p.Line > 0 {
			line.Place = p.String()
		}
	}
	v.Routes = append(v.Routes, line)
	for i, child := range r.Routes {
		s.flatten(v, child, path+".routes["+strconv.Itoa(i)+"]", depth+1)
	}
}
