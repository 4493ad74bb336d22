package query

import (
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// Commands are the names of all commands of the language, sorted.
func Commands() []string { return pipe.Commands() }

// Aggregates are the names of all aggregates, sorted.
func Aggregates() []string { return pipe.AggregateNames() }

// Functions are the names of all functions, sorted; FunctionExample is how one is written.
func Functions() []string { return pipe.FunctionNames() }

// FunctionExample is how a function is written, "" for a name of none.
func FunctionExample(name string) string { return pipe.FunctionExample(name) }

// ParseMoment reads a time as searches take it: now, -15m, -1d@d, 2024-07-01T10:00:00Z, seconds since 1970.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	m, err := pipe.ParseMoment(text)
	if err != nil {
		return time.Time{}, err
	}
	return m.At(now), nil
}

// FieldBegins is the filter for values of a field that begin with a text, and FieldIs for those that are one.
func FieldBegins(field, text string) string { return kql.Escape(field) + ":" + kql.Escape(text) + "*" }

// FieldIs is the filter for a field that has a value.
func FieldIs(field, value string) string { return kql.Escape(field) + ":" + kql.Quote(value) }

// FieldName is a field's name as pipes take it.
func FieldName(name string) string { return pipe.Field{Name: name}.String() }

// QuoteValue is a value in quotes, as filters take it.
func QuoteValue(value string) string { return kql.Quote(value) }

// FilterName is a field's name as filters take it.
func FilterName(name string) string { return kql.Escape(name) }
