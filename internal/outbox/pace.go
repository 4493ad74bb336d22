package outbox

import (
	"context"
	"sync"
	"time"

	"tocsin/internal/sleep"
)

// scarceEvery spaces the calls that Slack allows 50 of a minute in the whole workspace: updates and
// history (docs.slack.dev, rate limits, tier 3).
const scarceEvery = time.Minute / 50

// pacer spaces posts by channel and the scarce calls over all channels.
type pacer struct {
	every time.Duration // between two posts to one channel; 0 is no pacing at all

	mu         sync.Mutex
	next       map[string]time.Time
	nextScarce time.Time
}

// post waits until the channel may get its next post.
func (p *pacer) post(ctx context.Context, channel string) error {
	if p.every == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	at := p.next[channel]
	if at.Before(now) {
		at = now
	}
	p.next[channel] = at.Add(p.every)
	p.mu.Unlock()
	return sleep.For(ctx, at.Sub(now))
}

// after notes a post that another process made.
func (p *pacer) after(channel string, posted time.Time) {
	if now := time.Now(); posted.After(now) {
		posted = now
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[channel] = posted.Add(p.every)
}

// scarce waits until one more update or look into a history may be made.
func (p *pacer) scarce(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.nextScarce
	if at.Before(now) {
		at = now
	}
	p.nextScarce = at
	if p.every > 0 {
		p.nextScarce = at.Add(scarceEvery)
	}
	p.mu.Unlock()
	return sleep.For(ctx, at.Sub(now))
}

// slow keeps the scarce calls back until then.
func (p *pacer) slow(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.nextScarce) {
		p.nextScarce = until
	}
}

// everything names the hold on all sending.
const everything = ""

// holds says what must wait because the service said so, by channel; everything holds all of them.
type holds struct {
	mu   sync.Mutex
	at   map[string]time.Time
	slow map[string]time.Time // the channels told to slow down
}

func (h *holds) set(name string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until.After(h.at[name]) {
		h.at[name] = until
	}
}

// until is how long the name must still wait; 0 when it need not.
func (h *holds) until(name string, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, h.at[name].Sub(now), h.at[everything].Sub(now))
}

// limited holds a channel that was told to slow down. Where several are told so at once it is the
// workspace that is over its limit, and all wait.
func (h *holds) limited(channel string, until, now time.Time) {
	h.set(channel, until)
	if channel == everything {
		return
	}
	h.mu.Lock()
	h.slow[channel] = until
	others := 0
	for name, at := range h.slow {
		switch {
		case !at.After(now):
			delete(h.slow, name)
		case name != channel:
			others++
		}
	}
	h.mu.Unlock()
	if others > 0 {
		h.set(everything, until)
	}
}
