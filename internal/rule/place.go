package rule

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/internal/yamltext"
)

// Place is a place in the text of a rule.
type Place = yamltext.Place

// Problem is one thing that is wrong, or probably not meant, with a rule. Text says what and what to do.
type Problem struct {
	Place Place  `json:"place"`
	Text  string `json:"text"`
}

// String is "file:line:column: text".
func (p Problem) String() string {
	if at := p.Place.String(); at != "" {
		return at + ": " + p.Text
	}
	return p.Text
}

// Problems is everything that is wrong with a rule. As an error it means that what the user wrote is
// wrong.
type Problems struct {
	// List is not empty, sorted by place, and holds nothing twice.
	List []Problem
}

// Error is one problem per line.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, problem := range p.List {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts problems in the order of their places, each once.
func sorted(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
	seen := map[Problem]bool{}
	return slices.DeleteFunc(list, func(p Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}
