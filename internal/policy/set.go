package policy

import (
	"fmt"
	"time"

	"tocsin/internal/query"
)

// TuningKind is what a tuning does.
type TuningKind string

// The kinds.
const (
	Silence    TuningKind = "silence"    // alerts are kept, and nobody is told for a while
	Exception  TuningKind = "exception"  // alerts that are known and none
	Forwarding TuningKind = "forwarding" // detections of others that are forwarded or not
)

// Tuning is something a person set about alerts.
type Tuning struct {
	ID    string
	Kind  TuningKind
	Match *query.Filter // nil matches everything
	From  time.Time
	Until time.Time // zero is for ever
	Off   bool      // of Forwarding: not forwarded
	Who   string
	Why   string
}

// open reports whether it holds at now.
func (t *Tuning) open(now time.Time) bool {
	return !now.Before(t.From) && (t.Until.IsZero() || now.Before(t.Until))
}

func (t *Tuning) until() string {
	if t.Until.IsZero() {
		return ""
	}
	return clock(t.Until)
}

// sentence says what holds an alert back, for people.
func (t *Tuning) sentence() string {
	s := string(t.Kind) + " " + t.ID
	if t.Kind == Forwarding {
		s = "its forwarding is switched off (" + t.ID + ")"
	}
	if t.Who != "" {
		s += " by " + t.Who
	}
	if !t.Until.IsZero() {
		s += " until " + clock(t.Until)
	}
	if t.Why != "" {
		s += ": " + t.Why
	}
	if t.Match != nil {
		s += fmt.Sprintf(" (%s)", t.Match)
	}
	return s
}

// Set is all that people set, ready to be asked. It does not change, and may be used by several goroutines.
// Of several tunings of one kind that match, the first decides.
type Set struct {
	kinds map[TuningKind]*tunings
	turns []time.Time // when something begins or ends
}

type tunings struct {
	list  []Tuning
	index *index
}

// NewSet makes the set.
func NewSet(list []Tuning) *Set {
	s := &Set{kinds: map[TuningKind]*tunings{}}
	for _, t := range list {
		of := s.kinds[t.Kind]
		if of == nil {
			of = &tunings{}
			s.kinds[t.Kind] = of
		}
		of.list = append(of.list, t)
		s.turns = append(s.turns, t.From, t.Until)
	}
	for _, of := range s.kinds {
		filters := make([]*query.Filter, len(of.list))
		for i := range of.list {
			filters[i] = of.list[i].Match
		}
		of.index = newIndex(filters)
	}
	return s
}

// first is the first tuning of the kind that holds for the alert now; nil for none.
func (s *Set) first(f *fields, kind TuningKind) *Tuning {
	of := s.kinds[kind]
	if of == nil {
		return nil
	}
	i := of.index.first(f, func(i int) bool { return of.list[i].open(f.now) })
	if i < 0 {
		return nil
	}
	return &of.list[i]
}

// Next is when something of it begins or ends after now; zero for never.
func (s *Set) Next(now time.Time) (next time.Time) {
	for _, t := range s.turns {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// Turned reports whether something of it began or ended after the first time and up to the second.
func (s *Set) Turned(after, now time.Time) bool {
	for _, t := range s.turns {
		if t.After(after) && !t.After(now) {
			return true
		}
	}
	return false
}
