package config

import "tocsin/internal/yamltext"

// Place is a place in a configuration file.
type Place = yamltext.Place

// Problem is one thing that is wrong, or probably not meant, with a configuration.
type Problem = yamltext.Problem

// Problems is everything that is wrong with a configuration. As an error it means that the
// user's input is wrong: a command prints it and exits with 2.
type Problems struct {
	// List is not empty, sorted by place, and holds nothing twice.
	List []Problem
}

// Error is one problem per line.
func (p *Problems) Error() string { return yamltext.Lines(p.List) }
