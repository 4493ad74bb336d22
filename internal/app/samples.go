package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tocsin/internal/demo"
)

// samplesFor is for how long made-up logs go on after those of the past were loaded.
const samplesFor = time.Hour

// Samples are made-up logs that somebody asked for in the browser. They outlive the App that began them.
type Samples struct {
	wanted chan struct{}

	mu    sync.Mutex
	logs  *demo.Logs // nil before they were asked for, and when they are over
	until time.Time
	past  bool // what is of the past is loaded
	said  string
}

func newSamples() *Samples { return &Samples{wanted: make(chan struct{}, 1)} }

// ask says how far they are, and begins them where that is wanted.
func (s *Samples) ask(start bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if start && s.logs == nil {
		now := time.Now()
		s.logs, s.until, s.past = demo.NewLogs(uint64(now.UnixNano()), now), now.Add(samplesFor), false
		s.said = "Sample data is being loaded."
		select {
		case s.wanted <- struct{}{}:
		default:
		}
	}
	return s.said
}

func (s *Samples) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = text
}

// run loads them into the engine once somebody asks, and goes on with what happens from then on, for an hour. What
// goes wrong is said on the page and ends nothing else.
func (s *Samples) run(ctx context.Context, e *engine) error {
	if e == nil {
		return nil
	}
	for {
		s.mu.Lock()
		going := s.logs != nil
		s.mu.Unlock()
		if !going {
			select {
			case <-ctx.Done():
				return nil
			case <-s.wanted:
			}
		}
		err := s.load(ctx, e)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if err != nil {
			s.say(fmt.Sprintf("Sample data could not be loaded: %v.", err))
		}
		s.mu.Lock()
		s.logs = nil
		s.mu.Unlock()
	}
}

func (s *Samples) load(ctx context.Context, e *engine) error {
	store, err := e.get(ctx)
	if err != nil {
		return err
	}
	ship, err := newShipper(store)
	if err != nil {
		return err
	}
	if !s.past {
		if err := ship.ship(ctx, s.logs.History(), true); err != nil {
			return err
		}
		s.past = true
	}
	s.say("Sample data is loaded, and more comes in for an hour.")
	tick := time.NewTicker(demoShip)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			if now.After(s.until) {
				s.say("Sample data is loaded.")
				return nil
			}
			if err := ship.ship(ctx, s.logs.Until(now), false); err != nil {
				return err
			}
		}
	}
}
