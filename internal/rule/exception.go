package rule

import (
	"time"

	"tocsin/internal/query"
)

// Exception is what a rule does not alert on.
type Exception struct {
	// Match is KQL on the alert's fields, known to compile and not empty.
	Match string
	// Until is when it ends; the zero time is never.
	Until time.Time
	// Reason says why, and is never empty; Who made it may be.
	Reason string
	Who    string

	filter *query.Filter
}

// Expired reports whether the exception has ended.
func (e *Exception) Expired(now time.Time) bool { return !e.Until.IsZero() && !now.Before(e.Until) }

// Excepted is the first exception in force that matches an alert's fields, nil for none. Now is when the
// alert is made.
func (r *Rule) Excepted(fields map[string][]any, now time.Time) *Exception {
	for i := range r.Exceptions {
		if e := &r.Exceptions[i]; !e.Expired(now) && e.filter.Match(fields, now) {
			return e
		}
	}
	return nil
}
