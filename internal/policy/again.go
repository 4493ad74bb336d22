package policy

import (
	"strconv"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// AgainKey names the notice that says an alert again for the n-th time. It is the same for ever.
func AgainKey(id alert.ID, n int) notice.Key {
	return notice.Key(key("again", string(id), strconv.Itoa(n)))
}

// Rate is the limit of the channel that the verdict names, for the route's messages.
func (v Verdict) Rate() Rate {
	if v.route == nil {
		return Rate{}
	}
	return v.route.Rate
}

// Again reports whether an alert that was said may be said again now: outside the quiet hours of its route and
// where its channel has room.
func (p *Policy) Again(now time.Time, v Verdict, t Traffic) bool {
	return v.route != nil && !v.quiet && t.room(now, v.route.Rate, true)
}
