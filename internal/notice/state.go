package notice

import (
	"time"

	"tocsin/internal/alert"
)

// State tells what became of an alert's condition.
type State string

// The states. An alert that is an event, and one whose condition still holds, has none.
const (
	StateFiring    State = ""
	StateResolved  State = "resolved"  // the condition ended
	StateWithdrawn State = "withdrawn" // what came late undid it
	StateMerged    State = "merged"    // it turned out to be part of another alert
	// StateUnfollowed is of a condition of which nobody knows whether it holds: its rule no longer runs.
	StateUnfollowed State = "unfollowed"
)

// Outcome is what became of the alert, in a few words; empty where nothing has. Who did it is By.
func (i Item) Outcome() string {
	switch {
	case i.State == StateResolved:
		return "Resolved"
	case i.State == StateUnfollowed:
		return "No longer followed"
	case i.State == StateWithdrawn:
		return "Withdrawn"
	case i.State == StateMerged:
		return "Part of a longer alert"
	case i.Status == alert.StatusClosed:
		return "Closed"
	}
	return ""
}

// Over reports whether nobody has to look at the alert any more.
func (i *Item) Over() bool { return i.State != StateFiring || i.Status == alert.StatusClosed }

// Standing counts alerts by what became of them; each is counted once. A closed one is closed, whatever
// its condition.
type Standing struct {
	Open         int `json:"open,omitempty"`
	Acknowledged int `json:"acknowledged,omitempty"`
	Closed       int `json:"closed,omitempty"`
	Resolved     int `json:"resolved,omitempty"`  // those no longer followed too
	Withdrawn    int `json:"withdrawn,omitempty"` // merged ones too
}

// Over reports whether none is left to look at.
func (s Standing) Over() bool { return s != Standing{} && s.Open == 0 && s.Acknowledged == 0 }

// Stands counts what became of the notice's alerts. Those that it does not name count as open where nobody
// counted them.
func (n *Notice) Stands() Standing {
	if n.Standing != (Standing{}) {
		return n.Standing
	}
	var s Standing
	for i := range n.Items {
		switch it := &n.Items[i]; {
		case it.Status == alert.StatusClosed:
			s.Closed++
		case it.State == StateResolved, it.State == StateUnfollowed:
			s.Resolved++
		case it.State != StateFiring:
			s.Withdrawn++
		case it.Status == alert.StatusAcknowledged:
			s.Acknowledged++
		default:
			s.Open++
		}
	}
	s.Open += max(0, n.Count-len(n.Items))
	return s
}

// Keep has each item that is over say what it said while it fired: the last values that an earlier
// revision gave it stand, only what became of it is new. It changes now.
func Keep(before, now []Item) {
	fired := make(map[alert.ID]*Item, len(before))
	for i := range before {
		fired[before[i].Alert] = &before[i]
	}
	for i := range now {
		it := &now[i]
		was := fired[it.Alert]
		if was == nil || it.State == StateFiring {
			continue
		}
		kept := *was
		kept.Status, kept.By, kept.ByAt, kept.State, kept.StateAt, kept.Last = it.Status, it.By, it.ByAt, it.State, it.StateAt, it.Last
		kept.StateWhy = it.StateWhy
		*it = kept
	}
}

// Top is one field of a storm's alerts, or a digest's: its most frequent values.
type Top struct {
	Field    string  `json:"field"`          // such as host.name
	Values   []Share `json:"values"`         // most frequent first, as many as are to be shown (five will do)
	Distinct int     `json:"distinct"`       // how many values there are in all
	Over     int     `json:"over,omitempty"` // how many alerts have the field; 0 is all of them
}

// Share is a value and how often it stands there.
type Share struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Escalation is why a notice asks for somebody.
type Escalation struct {
	// Mentions are whom to ring at: "@here", "@channel", "@everyone", or the id of a user (U..., W...)
	// or of a user group (S...), also as Slack writes them (<@U...>, <!subteam^S...>). A name without an id
	// is shown and rings at nobody.
	Mentions []string      `json:"mentions,omitempty"`
	Step     int           `json:"step,omitempty"`  // 1 is the first
	After    time.Duration `json:"after,omitempty"` // for how long nobody acknowledged
	From     string        `json:"from,omitempty"`  // the channel where it was said first; "" where it is this one
	Link     string        `json:"link,omitempty"`  // to that message, where it is known
	// Answer is what ended it, and By and At who did it and when, as far as that is known. An escalation that has one
	// asks for nobody any more.
	Answer Answer    `json:"answer,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Answer is what ended an escalation.
type Answer string

// The answers.
const (
	Unanswered         Answer = ""
	AnswerAcknowledged Answer = "acknowledged"
	AnswerClosed       Answer = "closed"
	AnswerOver         Answer = "over" // all of it ended by itself
)

// Table is rows of a search.
type Table struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Total   int        `json:"total"` // how many rows there are in all
}

// Chart is a measure over time.
type Chart struct {
	Title     string   `json:"title,omitempty"`     // what is measured: "count"
	Points    []Point  `json:"points"`              // oldest first
	Threshold *float64 `json:"threshold,omitempty"` // the bound of the rule; nil for none
	Below     bool     `json:"below,omitempty"`     // it fires below the bound
	Inclusive bool     `json:"inclusive,omitempty"` // and at the bound itself
	Fired     *Point   `json:"fired,omitempty"`     // what the alert tells of; nil where it tells of all
}

// Point is the measure of one window.
type Point struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
}

// Beyond reports whether a value is on the side of the bound on which the rule fires.
func (c *Chart) Beyond(value float64) bool {
	switch {
	case c.Threshold == nil:
		return false
	case value == *c.Threshold:
		return c.Inclusive
	}
	return value < *c.Threshold == c.Below
}
