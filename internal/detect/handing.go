package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/store"
)

// SourceName is what intake knows all rules by.
const SourceName = "detect"

// handed is the result of a run on its way into the database.
type handed struct {
	result result
	alerts []alert.Alert
	// done is closed once it is there.
	done chan struct{}
}

// handing is where results wait for intake.
type handing struct {
	ready chan struct{} // has something when waiting is not empty

	mu      sync.Mutex
	waiting []*handed
	// under are the results of the batch given last, until it is known to be in the database.
	under  []*handed
	serial int64
}

// mark is detect's state as intake keeps it: the number of the last batch that is in the database.
type mark struct {
	Serial int64 `json:"serial"`
}

// Name is SourceName.
func (d *Detector) Name() string { return SourceName }

// Poll is short: Fetch itself waits for something to give.
func (d *Detector) Poll() time.Duration { return time.Millisecond }

// idle is how long Fetch waits for something to give.
const idle = time.Minute

// Fetch gives what rules found since the last batch that was taken in, and that batch again if it was not.
func (d *Detector) Fetch(ctx context.Context, ask alert.Ask) (alert.Batch, error) {
	var last mark
	if ask.State != nil {
		if err := json.Unmarshal(ask.State, &last); err != nil {
			return alert.Batch{}, fmt.Errorf("read the state of rules: %w", err)
		}
	}
	h := &d.handing
	h.mu.Lock()
	if h.under != nil && last.Serial >= h.serial {
		for _, one := range h.under {
			close(one.done)
		}
		h.under = nil
	}
	h.serial = max(h.serial, last.Serial)
	empty := h.under == nil && len(h.waiting) == 0
	h.mu.Unlock()
	if empty {
		t := time.NewTimer(idle)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return alert.Batch{}, ctx.Err()
		case <-t.C:
		case <-h.ready:
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.under == nil {
		if len(h.waiting) == 0 {
			return alert.Batch{Source: SourceName}, nil
		}
		h.under, h.waiting = h.waiting, nil
		h.serial++
	}
	b := alert.Batch{Source: SourceName, More: true}
	for _, one := range h.under {
		b.Alerts = append(b.Alerts, one.alerts...)
	}
	var err error
	b.State, err = json.Marshal(mark{h.serial})
	return b, err
}

// Keep writes what the runs of a batch remember.
func (d *Detector) Keep(tx *store.Tx, b alert.Batch) error {
	if b.State == nil {
		return nil
	}
	d.handing.mu.Lock()
	defer d.handing.mu.Unlock()
	for _, one := range d.handing.under {
		if err := one.result.write(tx); err != nil {
			return fmt.Errorf("rule %s: %w", one.result.rule, err)
		}
	}
	return nil
}

// hand gives a result to intake and waits until it is in the database.
func (d *Detector) hand(ctx context.Context, r result, alerts []alert.Alert) error {
	one := &handed{result: r, alerts: alerts, done: make(chan struct{})}
	h := &d.handing
	h.mu.Lock()
	h.waiting = append(h.waiting, one)
	h.mu.Unlock()
	select {
	case h.ready <- struct{}{}:
	default:
	}
	select {
	case <-one.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
