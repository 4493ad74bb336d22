// Package alert owns one alert: what was seen, its key, severity and fields, the batch it came in,
// what was decided about it and the fate that follows. It reads no source and decides nothing itself.
package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ID names an alert for ever: the same document of the same source always has the same ID,
// whichever index it was read from.
type ID string

// NewID derives the ID from the name of the source and the source's own id of the alert (the
// document's _id). Two indices that hold one _id hold one alert: Kibana's migrations copy
// documents with their ids.
func NewID(source, sourceID string) ID {
	sum := sha256.Sum256([]byte(source + "\x00" + sourceID))
	return ID(hex.EncodeToString(sum[:16]))
}

// Rule is the rule that made an alert, as the alert tells it. Empty strings are unknown.
type Rule struct {
	Name        string   `json:"name,omitempty"`
	ID          string   `json:"id,omitempty"`   // the stable signature id, equal in every space and cluster
	UUID        string   `json:"uuid,omitempty"` // the id of the rule object in its space
	Type        string   `json:"type,omitempty"` // query, eql, threshold, new_terms, ...
	Description string   `json:"description,omitempty"`
	Version     string   `json:"version,omitempty"`
	URL         string   `json:"url,omitempty"`
	References  []string `json:"references,omitempty"`
	Owner       string   `json:"owner,omitempty"`   // who looks after the rule
	Runbook     string   `json:"runbook,omitempty"` // a link to what to do about its alerts
	Guide       string   `json:"guide,omitempty"`   // the same as text
	// Channel is where the rule wants its alerts said; empty leaves it to the routes.
	Channel string `json:"channel,omitempty"`
	// GroupBy are the fields by which the rule has its alerts grouped, "..." alone for not at all; nil leaves it
	// to the route.
	GroupBy []string `json:"group_by,omitempty"`
	// Fields are those of the alert that its message shows, in the rule's order; nil leaves it to habit.
	Fields []string `json:"fields,omitempty"`
}

// Threat is one ATT&CK tactic and, where the rule names one, one technique under it. A
// subtechnique stands as a Threat of its own with its full id (T1110.001).
type Threat struct {
	TacticID      string `json:"tactic_id,omitempty"`
	TacticName    string `json:"tactic_name,omitempty"`
	TechniqueID   string `json:"technique_id,omitempty"`
	TechniqueName string `json:"technique_name,omitempty"`
}

// Status is what an analyst said of the alert in its source.
type Status string

// The statuses of Kibana 8; the in-progress of 7.x reads as acknowledged.
const (
	StatusOpen         Status = "open"
	StatusAcknowledged Status = "acknowledged"
	StatusClosed       Status = "closed"
)

// Alert is one alert as its source tells it. It is a value: nothing changes an Alert once a source
// has handed it over. The slices and the Document are shared and must not be written to.
type Alert struct {
	ID       ID        `json:"id"`
	Source   string    `json:"source"`         // the name of the source that read it
	SourceID string    `json:"source_id"`      // the document's _id
	Index    string    `json:"-"`              // where it was last read; information only, never part of the key or the content
	Time     time.Time `json:"time"`           // when the source wrote it (@timestamp)
	Updated  time.Time `json:"updated"`        // the newest time of change the source tells; Time when it tells none
	Event    time.Time `json:"event,omitzero"` // when what it is about happened; zero when unknown

	Rule     Rule     `json:"rule"`
	Severity Severity `json:"severity"`
	Risk     float64  `json:"risk,omitempty"` // 0 to 100, though attack discovery exceeds it; 0 is unknown
	Reason   string   `json:"reason,omitempty"`
	Status   Status   `json:"status,omitempty"`
	Host     string   `json:"host,omitempty"` // host.name, the first of several
	User     string   `json:"user,omitempty"` // user.name, the first of several
	Tags     []string `json:"tags,omitempty"` // the rule's tags
	Threat   []Threat `json:"threat,omitempty"`
	URL      string   `json:"url,omitempty"` // opens the alert where it came from

	// Count is how many events or suppressed alerts it stands for; 0 and 1 mean one.
	Count int `json:"count,omitempty"`
	// Facts are the few labelled values a person needs beside host and user: group keys of a
	// threshold, new terms, suppression terms. In order of importance.
	Facts []Fact `json:"facts,omitempty"`

	BuildingBlock bool     `json:"building_block,omitempty"`
	Maintenance   []string `json:"maintenance,omitempty"` // ids of the maintenance windows that were open in the source
	Late          bool     `json:"-"`                     // found by a sweep, after its time had been read; no content
	Ongoing       bool     `json:"ongoing,omitempty"`     // a condition that can end (threshold, missing, spike), not an event

	// First and Last are the times of the first and last event it is made of; zero where it is one event.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Ended is when its condition ended; zero while it holds and for what cannot end.
	Ended time.Time `json:"ended,omitzero"`
	// Unfollowed says why nobody looks any more whether its condition holds, such as "its rule was paused": then Ended is
	// when that began. It is empty for a condition that ended.
	Unfollowed string `json:"unfollowed,omitempty"`
	// Held says that its source keeps it back; nil leaves that to policy.
	Held *Held `json:"held,omitempty"`
	// Again counts how often its source wants it said once more, for what it is about still goes on.
	Again int `json:"again,omitempty"`
	// MergedInto is the alert of the same source that this one turned out to be part of; empty for none.
	MergedInto ID `json:"merged_into,omitempty"`
	// Withdrawn says that its condition turned out not to hold.
	Withdrawn bool `json:"withdrawn,omitempty"`

	// Document is the alert as read, without the parts no one filters by; nil when there is none.
	// It is kept apart from the rest wherever alerts are stored.
	Document json.RawMessage `json:"-"`
}

// Held is why a source keeps an alert back: the fate it has instead of being said (Excluded, Silenced,
// Suppressed or Shadow), and a sentence for people.
type Held struct {
	As     Fate   `json:"as"`
	Reason string `json:"reason"`
}

// Fact is a labelled value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Encode writes the alert without its document, and a digest of its whole content. A repeat with an
// equal digest changes nothing. Index and Late are in neither: a copy in another index is the same alert.
func (a *Alert) Encode() (head []byte, revision string, err error) {
	head, err = json.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	h := sha256.New()
	h.Write(head)
	h.Write(a.Document)
	return head, hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Techniques are the ids of the ATT&CK techniques, without repeats, in the rule's order.
func (a *Alert) Techniques() []string {
	return a.threats(func(t Threat) string { return t.TechniqueID })
}

// Tactics are the names of the ATT&CK tactics, without repeats, in the rule's order.
func (a *Alert) Tactics() []string {
	return a.threats(func(t Threat) string { return t.TacticName })
}

func (a *Alert) threats(of func(Threat) string) []string {
	var out []string
	for _, t := range a.Threat {
		if v := of(t); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Batch is what a source hands over at once. Intake commits it whole or not at all.
type Batch struct {
	Source string
	Alerts []Alert
	// State is the source's own memory after this batch, opaque to everyone else. It is stored with
	// the alerts in one transaction and handed back by the next Fetch. Nil leaves the stored one.
	State json.RawMessage
	// More says that a further batch is ready now; without it the source is asked again after its poll interval.
	More bool
	// Idle says why there is nothing to read although nothing failed, such as an index that is not there
	// yet; nil while there is something.
	Idle error
	// Lag is how far behind the source's newest alert this batch ends; 0 when it has caught up.
	Lag time.Duration
}

// Ask is what a source is given with each request for a batch.
type Ask struct {
	// State is what the source's last committed batch carried; nil on the first start.
	State json.RawMessage
	// Live are the source's own ids of alerts named by messages that can still change, newest first:
	// where a source tells no time of change, it reads these again.
	Live []string
	// Missing tells which of the source's own ids the ledger does not hold, in the order given.
	Missing func(ctx context.Context, sourceIDs []string) ([]string, error)
}

// Fate is what became of an alert. Each alert has exactly one at a time.
type Fate string

// The fates, in the order people are shown them.
const (
	Sent       Fate = "sent"       // named alone or first in a said message
	Grouped    Fate = "grouped"    // said as a member of another alert's message or of a digest
	Pending    Fate = "pending"    // waiting, queued, in doubt or retrying
	Silenced   Fate = "silenced"   // by a silence, a maintenance window or inhibition
	Suppressed Fate = "suppressed" // same again too soon
	Excluded   Fate = "excluded"   // tuned off, an exception, a building block, closed
	Shadow     Fate = "shadow"     // its rule is in shadow mode
	Failed     Fate = "failed"     // given up
)

// Fates lists every fate in display order.
var Fates = []Fate{Sent, Grouped, Pending, Silenced, Suppressed, Excluded, Shadow, Failed}

// Severity orders how bad an alert is.
type Severity int8

// The severities, lowest first.
const (
	SeverityUnknown Severity = iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{"unknown", "low", "medium", "high", "critical"}

func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return severityNames[0]
	}
	return severityNames[s]
}

// ParseSeverity reads a severity's name in any case; what it does not know is SeverityUnknown.
func ParseSeverity(name string) Severity {
	if i := slices.Index(severityNames[:], strings.ToLower(strings.TrimSpace(name))); i > 0 {
		return Severity(i)
	}
	return SeverityUnknown
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = ParseSeverity(string(b))
	return nil
}
