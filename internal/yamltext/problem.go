package yamltext

import (
	"cmp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or probably not meant, with a text. Text says what and what to do, and
// holds no secret.
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

// Lines is one problem per line.
func Lines(list []Problem) string {
	lines := make([]string, len(list))
	for i, problem := range list {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted puts problems in the order of their places, each once.
func Sorted(list []Problem) []Problem {
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
