package slack

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// clock follows Slack's. What it is told is always a moment that has passed there: the Date of an
// answer is cut to the second, and the ts of a message is older than the answer. Our own clock only
// measures how long ago that was, so that it may step as it likes.
type clock struct {
	mu    sync.Mutex
	at    time.Time // Slack's
	heard time.Time // ours, with its monotonic reading
}

// lag is how much a new reading may lie behind without meaning that Slack's clock was set back: the
// Date's second and an answer under way.
const lag = 15 * time.Second

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time {
	if c.at.IsZero() {
		return time.Time{}
	}
	return c.at.Add(max(0, time.Since(c.heard))).UTC()
}

func (c *clock) hear(at time.Time) {
	if at.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.nowLocked(); !now.IsZero() && at.Before(now) && now.Sub(at) < lag {
		return // still the better of two lower bounds
	}
	c.at, c.heard = at, time.Now()
}

// parseTS reads a message's ts, seconds and microseconds; zero when it is none.
func parseTS(ts string) time.Time {
	sec, frac, _ := strings.Cut(ts, ".")
	s, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || len(frac) > 6 {
		return time.Time{}
	}
	us, err := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(s, us*1000).UTC()
}

// formatTS writes a moment as Slack does.
func formatTS(t time.Time) string {
	us := t.UnixMicro()
	return strconv.FormatInt(us/1e6, 10) + "." + strconv.FormatInt(us%1e6+1e6, 10)[1:]
}
