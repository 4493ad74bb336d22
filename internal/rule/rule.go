// Package rule owns what a rule is: its search, schedule, message, exceptions, tests and versions, as YAML,
// as JSON, as files and in the database. It runs no rule against a source and says nothing to anyone;
// detect does.
package rule

import (
	"errors"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/wording"
)

// Rule is one rule, whole and valid: defaults are filled in. It is not changed after Parse, and safe for
// concurrent use.
type Rule struct {
	// ID names the rule for ever; alerts are counted by it. A rule that gives none has the ID of
	// ParseOptions.
	ID          string
	Name        string
	Description string

	// Search is the query as it was written; Compile reads it.
	Search string
	// Kind is how the rows of the search are judged, By are the columns that name a key; nil where there are
	// none.
	Kind query.Kind
	By   []string
	// Source is the name of a source; empty is the only one there is.
	Source string
	// Indices are the index patterns searched; nil are the source's.
	Indices []string

	// Every is how often the rule runs.
	Every time.Duration
	// Window is what an aggregation without a window of its own looks at, and what a range-wise rule
	// judges at each tick.
	Window   time.Duration
	Lookback Lookback
	// TimestampField is the time field of the rule; empty is the source's.
	TimestampField string
	// TimestampFallback is the time field of documents that lack TimestampField; empty for none.
	TimestampFallback string

	Severity Severity
	Risk     Risk

	MessagePer MessagePer
	// DedupeBy are the fields whose values make two alerts the same; nil are the by-fields of the search.
	DedupeBy []string
	// SameAgainAfter is how long alerts that are the same start nothing, in event time; 0 is off. Where the rule
	// does not say, it is Window for a range-wise search, else 0.
	SameAgainAfter time.Duration
	// SameAgainOff says that the rule turns it off itself.
	SameAgainOff bool
	// Channel is where the rule's alerts are said unless a route sends them elsewhere; empty is the default of the
	// routes.
	Channel string
	// GroupBy are the fields by which the rule's alerts are put into messages; nil leaves it to the route.
	GroupBy []string
	// Fields are those of an alert that its message shows; nil leaves it to habit.
	Fields []string
	// MaxAlerts is the most alerts of one run.
	MaxAlerts int

	Exceptions []Exception
	// Attack are the ids of ATT&CK techniques, such as T1110.001.
	Attack     []string
	Tags       []string
	Owner      string
	References []string
	// Runbook is a link, Guide a text: what to do about an alert.
	Runbook string
	Guide   string
	// Noise tells how often the rule speaks where nothing is wrong, and what to do about it.
	Noise string
	// Message makes the sentence of an alert; nil leaves it to whoever makes the alert.
	Message  *Message
	Schedule Schedule
	// Kibana is the rule of Kibana that this one is the same as; nil for a rule of its own.
	Kibana  *Kibana
	Enabled State
	Tests   []Test

	// Warnings are what works but is probably not meant, in the order of the text.
	Warnings []Problem
}

// InAlerts is the rule as its alerts name it, all but its version.
func (r *Rule) InAlerts() alert.Rule {
	return alert.Rule{
		Name: r.Name, ID: r.ID, Type: string(r.Kind), Description: r.Description, References: r.References, Owner: r.Owner, Runbook: r.Runbook,
		Guide: r.Guide, Channel: r.Channel, GroupBy: r.GroupBy, Fields: r.Fields,
	}
}

// StateOf is the state that JSON says: true, false or "shadow".
func StateOf(enabled any) (State, error) {
	switch enabled {
	case true:
		return On, nil
	case false:
		return Off, nil
	case string(Shadow):
		return Shadow, nil
	}
	return "", errors.New(`enabled must be true, false or "shadow"`)
}

// State says whether a rule runs.
type State string

// The states of a rule.
const (
	On State = "true"
	// Off is a rule that does not run.
	Off State = "false"
	// Shadow is a rule that runs and whose alerts are kept, and said to no one.
	Shadow State = "shadow"
)

// Runs reports whether the rule is run at all.
func (s State) Runs() bool { return s != Off }

// MessagePer says what makes one alert.
type MessagePer string

// One alert for each row of a run, or one for all rows of a run.
const (
	PerRow MessagePer = "row"
	PerRun MessagePer = "run"
)

// Lookback is the overlap read again on each run. It never widens the window.
type Lookback struct {
	// Auto is the measured ingest delay; Fixed is then zero.
	Auto  bool
	Fixed time.Duration
}

// Severity is fixed, or taken from a field of the alert.
type Severity struct {
	// Fixed is the severity, and where there is a Field the one of alerts whose field says nothing.
	Fixed alert.Severity
	// Field is the field that tells the severity; empty for none.
	Field string
	// Values maps the field's values, as text, to severities. Nil: the field names severities itself.
	Values map[string]alert.Severity
}

// Of is the severity of an alert with these fields. Of several values the highest counts.
func (s Severity) Of(fields map[string][]any) alert.Severity {
	best := alert.SeverityUnknown
	if s.Field != "" {
		for _, v := range fields[s.Field] {
			if s.Values != nil {
				best = max(best, s.Values[alert.Text(v)])
			} else {
				best = max(best, alert.ParseSeverity(alert.Text(v)))
			}
		}
	}
	if best == alert.SeverityUnknown {
		return s.Fixed
	}
	return best
}

// Risk is a score from 0 to 100, fixed or taken from a field of the alert.
type Risk struct {
	// Fixed is the score, and where there is a Field the one of alerts whose field holds no score.
	Fixed float64
	Field string
}

// Of is the score of an alert with these fields. Of several values the highest from 0 to 100 counts.
func (r Risk) Of(fields map[string][]any) float64 {
	best, found := 0.0, false
	if r.Field != "" {
		for _, v := range fields[r.Field] {
			if n, ok := wording.Number(v); ok && n >= 0 && n <= 100 {
				best, found = max(best, n), true
			}
		}
	}
	if !found {
		return r.Fixed
	}
	return best
}

// Test is a rule's own test: what comes in, and the alerts expected of it.
type Test struct {
	Name string
	// Events is the file the documents are in, as the rule names it; empty where they stand in the rule.
	Events string
	// Documents are the documents as NDJSON where they stand in the rule; nil with Events.
	Documents []byte
	// Now is when the test runs; zero is just after the newest document.
	Now time.Time
	// Alerts is how many alerts are expected.
	Alerts int
	// Keys, when not nil, tells for each alert expected some of its fields, in any order; len(Keys) is Alerts.
	Keys []map[string]any
}

// Compile reads the search again for a run that begins at o.Now. The rule's window and time field are
// filled in where o leaves them out. The error of a search that was fine when the rule was parsed is a
// lookup table that has gone since.
func (r *Rule) Compile(o query.Options) (*query.Query, error) {
	if o.Window == 0 {
		o.Window = r.Window
	}
	if o.TimeField == "" {
		o.TimeField = r.TimestampField
	}
	return query.Compile(r.Search, o)
}
