package demo

import (
	"net/http"
	"time"
)

// tier is how often a method may be called.
type tier int

const (
	tierFree tier = iota
	tierPost      // the channel's own limit, then the workspace's
	tier2
	tier3
	tier4
)

// SlackLimits say how much is taken. A zero figure is no limit.
type SlackLimits struct {
	// PostEvery is the time one message to a channel, or through a webhook, uses up; PostBurst how many
	// may come at once after a quiet time (at least 1).
	PostEvery time.Duration
	PostBurst int
	// PostsPerMinute is over all channels.
	PostsPerMinute int
	// Tier2, Tier3 and Tier4 are calls a minute of each method, over the whole workspace.
	Tier2, Tier3, Tier4 int
	// HistoryPage caps the messages of one page of history whatever limit asks for.
	HistoryPage int
}

// SlackRealLimits are the limits Slack documents for an app of one's own workspace; the ceiling over
// all channels is "several hundred" there.
func SlackRealLimits() SlackLimits {
	return SlackLimits{PostEvery: time.Second, PostBurst: 3, PostsPerMinute: 300, Tier2: 20, Tier3: 50, Tier4: 100}
}

// window counts what was taken: until is when all of it is used up again (a leaking bucket), or when
// the minute of count ends.
type window struct {
	until time.Time
	count int
}

// admit counts a call against its tier, and refuses it where that is used up. A call refused costs
// nothing.
func (s *Slack) admit(c *call, t tier) *refusal {
	l := s.opts.Limits
	perMinute := 0
	switch t {
	case tier2:
		perMinute = l.Tier2
	case tier3:
		perMinute = l.Tier3
	case tier4:
		perMinute = l.Tier4
	case tierPost:
		return s.admitPost(c, c.channelAsked())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := s.minute(c.token, c.method, perMinute, c.at); wait > 0 {
		return rateLimited(wait)
	}
	return nil
}

// admitPost counts a post to a channel named as the caller named it, or to a webhook by its path.
func (s *Slack) admitPost(c *call, to string) *refusal {
	l := s.opts.Limits
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.find(trimHash(to)); ch != nil {
		to = ch.ID
	}
	if wait := s.minute(c.token, "post", l.PostsPerMinute, c.at); wait > 0 {
		return rateLimited(wait)
	}
	if l.PostEvery <= 0 {
		return nil
	}
	w := s.windows["to "+to]
	if w == nil {
		w = &window{}
		s.windows["to "+to] = w
	}
	start := w.until
	if start.Before(c.at) {
		start = c.at
	}
	// A burst of n may run ahead of the clock by the time of n-1 messages.
	ahead := l.PostEvery * time.Duration(max(l.PostBurst, 1)-1)
	if wait := start.Sub(c.at) - ahead; wait > 0 {
		return rateLimited(wait)
	}
	w.until = start.Add(l.PostEvery)
	return nil
}

// minute counts one call in windows of a minute. The lock is held.
func (s *Slack) minute(t *SlackToken, name string, most int, now time.Time) time.Duration {
	if most <= 0 {
		return 0
	}
	if t != nil {
		name = t.App + " " + name
	}
	w := s.windows[name]
	if w == nil {
		w = &window{}
		s.windows[name] = w
	}
	if !now.Before(w.until) {
		w.until, w.count = now.Add(time.Minute), 0
	}
	if w.count >= most {
		return w.until.Sub(now)
	}
	w.count++
	return 0
}

// rateLimited refuses for a time, in whole seconds rounded up.
func rateLimited(wait time.Duration) *refusal {
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	return &refusal{code: "ratelimited", status: http.StatusTooManyRequests, retryAfter: seconds}
}
