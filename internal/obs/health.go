package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is how a part, or the whole, is.
type State string

// The states. The whole is Down when a required part is, Degraded when any other part is, else OK.
const (
	OK       State = "ok"
	Degraded State = "degraded"
	Down     State = "down"
)

// Part is one thing that can work or not: the database, a source, Slack.
type Part struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Since time.Time `json:"since"` // when it came into this state, UTC
	// Error is the newest error and Hint what to do about it; empty when the part works.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// Report is how everything is, at one moment.
type Report struct {
	Status State  `json:"status"`
	Parts  []Part `json:"parts"` // by name; those that work too
}

// HealthOptions are what a Health needs.
type HealthOptions struct {
	Log *slog.Logger
	// Metrics is where tocsin_part_ok is registered; nil for nowhere.
	Metrics prometheus.Registerer
	// Required are the parts without which nothing works. They are down until they are cleared
	// for the first time.
	Required []string
}

// Health knows which parts work. A part that is not required is degradable: without it the
// program goes on, and catches up later. Health logs when a failure begins and when it ends, not
// each retry in between. It is safe for concurrent use and starts no goroutine.
type Health struct {
	log *slog.Logger

	mu    sync.Mutex
	parts map[string]*part
}

type part struct {
	required bool
	failing  bool
	// started is false for a required part not yet cleared: nothing has failed so far.
	started bool
	// since keeps its monotonic reading, so that a step of the clock changes no duration.
	since time.Time
	err   string
	hint  string
	// told are the hints logged during this failure.
	told []string
}

// NewHealth makes a Health.
func NewHealth(o HealthOptions) (*Health, error) {
	if o.Log == nil {
		return nil, errors.New("health needs a logger")
	}
	h := &Health{log: o.Log, parts: map[string]*part{}}
	for _, name := range o.Required {
		h.parts[name] = &part{required: true, failing: true, since: time.Now(), err: "has not started yet"}
	}
	if o.Metrics != nil {
		if err := o.Metrics.Register(health{h}); err != nil {
			return nil, fmt.Errorf("register the health of parts: %w", err)
		}
	}
	return h, nil
}

// Set notes that a part fails with err, and hint, a sentence on what to do, the same for the same
// cause. A nil err is Clear. The beginning of a failure is logged as one warning; later calls
// update what the report shows, and are logged again only when the hint is one not yet seen in
// this failure, as that is another cause.
func (h *Health) Set(name string, err error, hint string) {
	if err == nil {
		h.Clear(name)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.part(name)
	begins := !p.failing || !p.started
	if begins {
		p.failing, p.started, p.since, p.told = true, true, time.Now(), nil
	}
	p.err, p.hint = err.Error(), hint
	if begins || !slices.Contains(p.told, hint) {
		p.told = append(p.told, hint)
		attrs := []slog.Attr{slog.String("part", name), slog.String("error", p.err)}
		if hint != "" {
			attrs = append(attrs, slog.String("hint", hint))
		}
		if p.required {
			h.log.LogAttrs(context.Background(), slog.LevelWarn, "part down", attrs...)
		} else {
			h.log.LogAttrs(context.Background(), slog.LevelWarn, "part degraded", attrs...)
		}
	}
}

// Clear notes that a part works. The end of a failure is logged with how long it lasted.
func (h *Health) Clear(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.part(name)
	if !p.failing {
		return
	}
	now := time.Now()
	if p.started {
		h.log.LogAttrs(context.Background(), slog.LevelInfo, "part recovered",
			slog.String("part", name), slog.String("after", now.Sub(p.since).Round(time.Millisecond).String()))
	}
	p.failing, p.started, p.since, p.err, p.hint, p.told = false, true, now, "", "", nil
}

// Remove forgets a part that is there no longer, such as a deleted connection. A required part
// stays.
func (h *Health) Remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.parts[name]; p != nil && !p.required {
		delete(h.parts, name)
	}
}

// part finds or makes a part that works. h.mu is held.
func (h *Health) part(name string) *part {
	p := h.parts[name]
	if p == nil {
		p = &part{started: true, since: time.Now()}
		h.parts[name] = p
	}
	return p
}

// Report tells how everything is.
func (h *Health) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := Report{Status: OK, Parts: make([]Part, 0, len(h.parts))}
	for name, p := range h.parts {
		v := Part{Name: name, State: OK, Since: p.since.UTC(), Error: p.err, Hint: p.hint}
		switch {
		case p.failing && p.required:
			v.State, r.Status = Down, Down
		case p.failing:
			v.State = Degraded
			if r.Status == OK {
				r.Status = Degraded
			}
		}
		r.Parts = append(r.Parts, v)
	}
	slices.SortFunc(r.Parts, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	return r
}
