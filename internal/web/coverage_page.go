package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/rule"
)

// coverageView is ATT&CK's matrix as far as rules and alerts cover it.
type coverageView struct {
	Tactics []tacticColumn
	Covered int // techniques that a rule that runs looks for
	All     int // techniques there are, without subtechniques
	Pack    int // more that rules of the starter pack would cover
}

// tacticColumn is one tactic with its techniques that anything is known of.
type tacticColumn struct {
	alert.Tactic
	Techniques []techniqueCell
	All        int
}

// techniqueCell is one technique, with its subtechniques counted in.
type techniqueCell struct {
	ID, Name string
	Rules    []ruleName // those that run
	Pack     int        // rules of the pack that are not installed
	Alerts   int        // of the last 30 days, Kibana's too
}

type ruleName struct{ ID, Name string }

// CoveragePage adds the map of what rules cover of ATT&CK.
func CoveragePage(library *rule.Library) Part {
	return func(w *Web) {
		w.page(Page{Method: "GET", Path: "/coverage", Role: account.Viewer, Handle: func(rw http.ResponseWriter, r *http.Request) {
			v, err := w.attackCoverage(r, library)
			if err != nil {
				w.broken(rw, r, err)
				return
			}
			w.render(rw, r, http.StatusOK, "coverage", v)
		}})
	}
}

// family is the technique that a subtechnique belongs to.
func family(id string) string {
	parent, _, _ := strings.Cut(id, ".")
	return parent
}

// mostCounted bounds the alerts that are counted.
const mostCounted = 20_000

func (w *Web) attackCoverage(r *http.Request, library *rule.Library) (coverageView, error) {
	cells := map[string]*techniqueCell{}
	cell := func(id string) *techniqueCell {
		id = family(id)
		if c := cells[id]; c != nil {
			return c
		}
		t, ok := alert.LookupTechnique(id)
		if !ok {
			return &techniqueCell{}
		}
		c := &techniqueCell{ID: id, Name: t.Name}
		cells[id] = c
		return c
	}
	installed := map[string]bool{}
	for _, e := range library.All() {
		installed[e.ID] = true
		if !e.Runs() {
			continue
		}
		for _, id := range e.Rule.Attack {
			c, name := cell(id), ruleName{e.ID, e.Name()}
			if !slices.Contains(c.Rules, name) {
				c.Rules = append(c.Rules, name)
			}
		}
	}
	for _, e := range rule.Pack() {
		if installed[e.ID] {
			continue
		}
		families := map[string]bool{}
		for _, id := range e.Rule.Attack {
			families[family(id)] = true
		}
		for id := range families {
			cell(id).Pack++
		}
	}
	entries, _, err := w.ledger.List(r.Context(), ledger.Filter{Since: time.Now().Add(-similarBack), Limit: mostCounted})
	if err != nil {
		return coverageView{}, err
	}
	for _, e := range entries {
		families := map[string]bool{}
		for _, t := range e.Alert.Threat {
			if t.TechniqueID != "" {
				families[family(t.TechniqueID)] = true
			}
		}
		for id := range families {
			cell(id).Alerts++
		}
	}
	return matrix(cells), nil
}

// matrix puts techniques under their tactics: those covered first, then those that alerts speak of, then the pack's.
func matrix(cells map[string]*techniqueCell) coverageView {
	v := coverageView{}
	columns := map[string]*tacticColumn{}
	for _, t := range alert.Tactics {
		columns[t.ID] = &tacticColumn{Tactic: t}
	}
	for _, id := range alert.TechniqueIDs() {
		if strings.Contains(id, ".") {
			continue
		}
		v.All++
		c := cells[id]
		if c != nil && len(c.Rules) > 0 {
			v.Covered++
		} else if c != nil && c.Pack > 0 {
			v.Pack++
		}
		t, _ := alert.LookupTechnique(id)
		for _, tactic := range t.Tactics {
			column := columns[tactic.ID]
			column.All++
			if c != nil {
				column.Techniques = append(column.Techniques, *c)
			}
		}
	}
	weight := func(c techniqueCell) int {
		switch {
		case len(c.Rules) > 0:
			return 0
		case c.Alerts > 0:
			return 1
		}
		return 2
	}
	for _, t := range alert.Tactics {
		column := columns[t.ID]
		slices.SortStableFunc(column.Techniques, func(a, b techniqueCell) int { return weight(a) - weight(b) })
		v.Tactics = append(v.Tactics, *column)
	}
	return v
}
