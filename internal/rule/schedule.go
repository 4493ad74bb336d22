package rule

import (
	"slices"
	"strings"
	"time"
)

// Schedule limits when a rule runs and when it speaks.
type Schedule struct {
	// Runs are the times whose events are judged; nil is always. Events outside alert no one.
	Runs *Hours
	// Speaks are the times at which alerts may be said; nil is always. Alerts made outside are kept, and
	// silenced.
	Speaks *Hours
}

// Hours are the minutes of a week or a calendar that something is limited to.
type Hours struct {
	zone  *time.Location
	texts []string
	// covers say of a moment in zone whether it is one of the minutes.
	covers []func(time.Time) bool
}

// Contains reports whether a moment is within. Nil contains all.
func (h *Hours) Contains(t time.Time) bool {
	if h == nil {
		return true
	}
	t = t.In(h.zone)
	return slices.ContainsFunc(h.covers, func(covers func(time.Time) bool) bool { return covers(t) })
}

// String is how the rule writes it.
func (h *Hours) String() string { return strings.Join(h.texts, ", ") }

// Zone is the time zone of the hours.
func (h *Hours) Zone() *time.Location { return h.zone }
