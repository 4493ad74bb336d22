package config

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/internal/yamltext"
)

// Place is a place in a configuration file.
type Place = yamltext.Place

// Problem is one thing that is wrong, or unwise, with a configuration. Text says what is wrong
// and what to do, and holds no secret.
type Problem struct {
	Place Place
	Text  string
}

// String is "file:line:column: text".
func (p Problem) String() string {
	if p.Place == (Place{}) {
		return p.Text
	}
	return p.Place.String() + ": " + p.Text
}

// Problems is everything that is wrong with a configuration. As an error it means that the
// user's input is wrong: a command prints it and exits with 2.
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
		return cmp.Or(cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
	seen := map[Problem]bool{}
	return slices.DeleteFunc(list, func(p Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}
