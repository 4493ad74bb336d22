package notice

import (
	"time"

	"tocsin/internal/alert"
)

// Period is how often a scheduled digest is said.
type Period string

// The periods.
const (
	Hourly Period = "hourly"
	Daily  Period = "daily"
	Weekly Period = "weekly"
)

// Summary is what a scheduled digest says of a stretch of time. Empty parts are left out. Lists are in the
// order they are to be read, and may be longer than a message shows.
type Summary struct {
	Period Period    `json:"period"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Seen   int       `json:"seen"`             // alerts
	Before int       `json:"before,omitempty"` // alerts of the period before, to compare; 0 is unknown
	Fates  []FateOf  `json:"fates,omitempty"`  // what became of them, in display order

	Rules  []RuleOf `json:"rules,omitempty"`  // by rule, worst first
	Tops   []Top    `json:"tops,omitempty"`   // hosts, users
	Held   []Held   `json:"held,omitempty"`   // what was held back, and why
	Never  []string `json:"never,omitempty"`  // rules that did not fire
	Silent []Silent `json:"silent,omitempty"` // sources that brought nothing
	// False and Judged are how many alerts were closed as false positives, of those closed at all.
	False  int    `json:"false,omitempty"`
	Judged int    `json:"judged,omitempty"`
	Tune   []Tune `json:"tune,omitempty"` // rules to tune, three will do
	// Waited are alerts that quiet hours kept for this digest; they are also the notice's Items.
	Waited int    `json:"waited,omitempty"`
	URL    string `json:"url,omitempty"` // opens the same in the browser
}

// FateOf is how many alerts have a fate.
type FateOf struct {
	Fate  alert.Fate `json:"fate"`
	Count int        `json:"count"`
}

// RuleOf is what one rule did.
type RuleOf struct {
	Rule     string         `json:"rule"`
	URL      string         `json:"url,omitempty"`
	Severity alert.Severity `json:"severity"`
	Count    int            `json:"count"`           // alerts
	Said     int            `json:"said,omitempty"`  // of them said
	False    int            `json:"false,omitempty"` // of them closed as false positives
	Before   int            `json:"before,omitempty"`
}

// Held is how much was held back for one reason.
type Held struct {
	Fate   alert.Fate `json:"fate"`
	Reason string     `json:"reason"` // a sentence: "silence of web-01 until 18:00 by ann: patching"
	Count  int        `json:"count"`
}

// Silent is a source that brought nothing.
type Silent struct {
	Source string    `json:"source"`
	Since  time.Time `json:"since,omitzero"` // of its last event; zero where there was none
}

// Tune is a rule worth a change.
type Tune struct {
	Rule   string `json:"rule"`
	URL    string `json:"url,omitempty"`
	Reason string `json:"reason"` // what speaks for it: "41 of 52 alerts closed as false positives"
	Try    string `json:"try,omitempty"`
}

// Health is trouble of a part of ours, or its end.
type Health struct {
	Part  string    `json:"part"`           // what has it: "source siem", "rule SSH brute force"
	Text  string    `json:"text"`           // a sentence
	Hint  string    `json:"hint,omitempty"` // what to do about it
	Since time.Time `json:"since,omitzero"`
	Ended time.Time `json:"ended,omitzero"` // zero while it lasts
}
