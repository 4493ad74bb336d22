package query

import "tocsin/internal/query/pipe"

// Commands are the names of all commands of the language, sorted.
func Commands() []string { return pipe.Commands() }

// Aggregates are the names of all aggregates, sorted.
func Aggregates() []string { return pipe.AggregateNames() }

// Functions are the names of all functions, sorted; FunctionExample is how one is written.
func Functions() []string { return pipe.FunctionNames() }

// FunctionExample is how a function is written, "" for a name of none.
func FunctionExample(name string) string { return pipe.FunctionExample(name) }
