// Package forecast owns what a rule would have said: it judges old data as detect would have, decides about the
// alerts as policy would have, and sums up the alerts and the messages; and it tells of a document why a rule
// did not alert. It keeps nothing, says nothing to anyone, and knows sources only as detect's.
package forecast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/detect"
	"tocsin/internal/policy"
	"tocsin/internal/query"
)

// Options say what rules search and how alerts are said.
type Options struct {
	Sources []detect.Source
	// Lookups gives the tables that searches may name; nil for none.
	Lookups func() map[string]*query.Table
	// Policy gives what decides about alerts now, and all that people set which a rule is to be judged with.
	Policy func(ctx context.Context) (*policy.Policy, error)
	// Imagined gives that with a channel where nothing can be said yet, for what would be said; nil is Policy. Unsaid
	// tells the channels that are not there yet; nil is none.
	Imagined func(ctx context.Context) (*policy.Policy, error)
	Unsaid   func(channel string) bool
	// Replay makes a source of documents in memory, each the JSON of one.
	Replay func(documents []string) query.Backend
	// Find reads the documents of an id that a source holds in some indices, or with none in its own; nil finds none.
	Find func(ctx context.Context, source string, indices []string, id string) ([]detect.Document, error)
	// Detect runs the rules, and tells Why what they found; nil where none runs.
	Detect *detect.Detector
	// Now is the wall clock; nil is the system's.
	Now func() time.Time
}

// Fate is what became of an alert, and its way in sentences.
type Fate struct {
	ID     string   `json:"id"`
	Fate   string   `json:"fate"`
	Reason string   `json:"reason"`
	Steps  []string `json:"steps"`
}

// Forecaster tells what rules would have said. It is safe for concurrent use.
type Forecaster struct {
	options Options
	sources map[string]*detect.Source
}

// New checks the options.
func New(o Options) (*Forecaster, error) {
	if o.Policy == nil || o.Replay == nil {
		return nil, errors.New("forecast: Policy and Replay are required")
	}
	if o.Lookups == nil {
		o.Lookups = func() map[string]*query.Table { return nil }
	}
	if o.Imagined == nil {
		o.Imagined = o.Policy
	}
	if o.Unsaid == nil {
		o.Unsaid = func(string) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Forecaster{options: o, sources: map[string]*detect.Source{}}
	for i := range o.Sources {
		f.sources[o.Sources[i].Name] = &o.Sources[i]
	}
	return f, nil
}

// InputError is a mistake of the one who asks: its text says what to do.
type InputError struct{ Err error }

// Error implements error.
func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap implements errors.
func (e *InputError) Unwrap() error { return e.Err }

func wrong(format string, args ...any) error { return &InputError{fmt.Errorf(format, args...)} }

// source is the one a rule searches: by its name, or the only one there is.
func (f *Forecaster) source(name string) (*detect.Source, error) {
	if name == "" && len(f.options.Sources) == 1 {
		return &f.options.Sources[0], nil
	}
	if s := f.sources[name]; s != nil {
		return s, nil
	}
	if name == "" {
		return nil, wrong("the rule names no source, and there are %d: write source: in it", len(f.options.Sources))
	}
	return nil, wrong("there is no source %q", name)
}
