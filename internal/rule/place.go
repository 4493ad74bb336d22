package rule

import "tocsin/internal/yamltext"

// Place is a place in the text of a rule.
type Place = yamltext.Place

// Problem is one thing that is wrong, or probably not meant, with a rule.
type Problem = yamltext.Problem

// Problems is everything that is wrong with a rule. As an error it means that what the user wrote is
// wrong.
type Problems struct {
	// List is not empty, sorted by place, and holds nothing twice.
	List []Problem
}

// Error is one problem per line.
func (p *Problems) Error() string { return yamltext.Lines(p.List) }
