// Package notice owns what will be said: one message to one channel, the alerts it names and counts,
// the receipt of having said it, and the ways saying it can fail. It neither stores nor renders
// nor sends.
package notice

import (
	"cmp"
	"slices"
	"time"

	"tocsin/internal/alert"
)

// Key names a notice for ever. It travels in the message's metadata, so that a message found in a
// channel's history can be told to be ours; it says nothing about the alerts.
type Key string

// Kind tells how a notice is laid out.
type Kind string

// The kinds.
const (
	KindAlert   Kind = "alert"   // one alert, or the alerts of one group; with Tops, a storm
	KindDigest  Kind = "digest"  // alerts of several groups that a channel's rate limit held back
	KindSummary Kind = "summary" // a scheduled digest: Notice.Summary
	KindHealth  Kind = "health"  // trouble of ours or its end: Notice.Health
)

// NamedMost is how many alerts one message names; the rest it counts.
const NamedMost = 20

// Notice is one message, whole: a Sender needs nothing else to say it. A later Revision of the same
// Key replaces the message in place.
type Notice struct {
	Key      Key            `json:"key"`
	Revision int            `json:"revision"` // 1 when first said, then counting up
	Channel  string         `json:"channel"`  // as the route names it: "#alerts" or an id
	Kind     Kind           `json:"kind"`
	Severity alert.Severity `json:"severity"` // the highest of all alerts it stands for
	Items    []Item         `json:"items"`    // the alerts it names, first to last, at most NamedMost
	Count    int            `json:"count"`    // all alerts it stands for, named or not
	Tallies  []Tally        `json:"tallies,omitempty"`
	GroupBy  []alert.Fact   `json:"group_by,omitempty"` // the group's fields and values
	Since    time.Time      `json:"since,omitzero"`     // first and last time of all alerts it stands for
	Until    time.Time      `json:"until,omitzero"`
	Note     string         `json:"note,omitempty"`   // a line for the reader: why it is a digest, where it was meant to go
	Prefix   string         `json:"prefix,omitempty"` // stands before everything else, such as "[demo]"
	Repeat   bool           `json:"repeat,omitempty"` // said before; the condition is still open

	// Tops make it the live message of a storm: instead of a list of its alerts it shows the fields that
	// most of them share.
	Tops []Top `json:"tops,omitempty"`
	// Standing counts all alerts it stands for by what became of them. The zero Standing is counted from
	// Items.
	Standing Standing `json:"standing,omitzero"`
	// Escalation says that nobody acknowledged in time, and whom to mention.
	Escalation *Escalation `json:"escalation,omitempty"`
	// Summary is what a scheduled digest says.
	Summary *Summary `json:"summary,omitempty"`
	// Health is the trouble that a notice of KindHealth tells of.
	Health *Health `json:"health,omitempty"`
	// Template is the route's own text of the message, as written; "" for none. Fill makes Body of it.
	Template string `json:"template,omitempty"`
	// Body is what Template made: its own text, with every value from an alert between two marks. It
	// stands in place of the reason and the list of alerts. Empty for none.
	Body string `json:"body,omitempty"`
	// BodyError is why Template made none: the message is laid out as usual, and says so.
	BodyError string `json:"body_error,omitempty"`
	// Thread holds what is too long for the message: the alerts that are new in this revision, for a reply to it
	// where the service has threads. Best effort: a revision that is never said says no reply.
	Thread []Item `json:"thread,omitempty"`
	// ThreadMore is how many more are new.
	ThreadMore int `json:"thread_more,omitempty"`

	// Rate is how much its channel may get; the zero Rate is no limit.
	Rate Rate `json:"rate,omitzero"`
	// Plain asks for text alone, shortened: the service refused the full layout.
	Plain bool `json:"plain,omitempty"`
}

// Rate is a number of messages in a time.
type Rate struct {
	Count int           `json:"count"`
	Per   time.Duration `json:"per"`
}

// Item is one alert as a message names it.
type Item struct {
	Alert    alert.ID       `json:"alert"`
	Rule     string         `json:"rule"`
	RuleURL  string         `json:"rule_url,omitempty"`
	Severity alert.Severity `json:"severity"`
	Risk     float64        `json:"risk,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Host     string         `json:"host,omitempty"`
	User     string         `json:"user,omitempty"`
	Time     time.Time      `json:"time"`
	Count    int            `json:"count,omitempty"` // events or suppressed alerts it stands for
	Attack   []alert.Threat `json:"attack,omitempty"`
	Facts    []alert.Fact   `json:"facts,omitempty"`
	Status   alert.Status   `json:"status,omitempty"`
	URL      string         `json:"url,omitempty"`
	Late     bool           `json:"late,omitempty"`

	First   time.Time `json:"first,omitzero"` // of the events it is made of; zero where it is one event
	Last    time.Time `json:"last,omitzero"`
	Owner   string    `json:"owner,omitempty"`   // who looks after the rule
	Runbook string    `json:"runbook,omitempty"` // a link to what to do
	Table   *Table    `json:"table,omitempty"`   // the rows of a run
	Chart   *Chart    `json:"chart,omitempty"`   // its measure over time

	// State says what became of its condition, and StateAt when; Keep has it keep the values that fired.
	State   State     `json:"state,omitempty"`
	StateAt time.Time `json:"state_at,omitzero"`
	// StateWhy says why it is no longer followed; empty otherwise.
	StateWhy string    `json:"state_why,omitempty"`
	By       string    `json:"by,omitempty"`   // who acknowledged or closed it
	ByAt     time.Time `json:"by_at,omitzero"` // and when
}

// Tally counts the alerts of one rule within a notice.
type Tally struct {
	Rule     string         `json:"rule"`
	Severity alert.Severity `json:"severity"`
	Count    int            `json:"count"`
}

// SortTallies orders tallies worst first: by severity, then count, then name.
func SortTallies(t []Tally) {
	slices.SortFunc(t, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule))
	})
}

// Receipt says where a notice was said.
type Receipt struct {
	Channel string    `json:"channel"`      // the service's own id of the channel; as asked when it tells none
	TS      string    `json:"ts,omitempty"` // the message's id; "" where the service tells none (webhooks)
	At      time.Time `json:"at"`           // by the service's clock where it tells it
	// Revision is the notice's revision that a message found in a history says; 0 where it is not told.
	Revision int `json:"revision,omitempty"`
}
