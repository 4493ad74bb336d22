package notice

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknown means no answer came: the notice may have been said or not. It must never be said again
// blindly.
var ErrUnknown = errors.New("no answer: may have been said or not")

// ErrNoHistory means the service cannot tell what was said: it has no history, or we may not read it.
var ErrNoHistory = errors.New("history cannot be read")

// ErrGone means a message to be edited is no longer there, or can no longer be edited.
var ErrGone = errors.New("message is gone or can no longer be edited")

// Scope tells what a failure holds up.
type Scope string

// The scopes, from narrow to wide.
const (
	ScopeMessage Scope = "message" // this notice only
	ScopeChannel Scope = "channel" // everything for its channel
	ScopeService Scope = "service" // everything
)

// RetryError means nothing was stored and the same may be tried again after a while.
type RetryError struct {
	After time.Duration // how long to wait at least; 0 leaves it to the caller's backoff
	Scope Scope         // what has to wait
	Code  string        // the service's word for it
	Err   error         // the cause, or nil
	// Doubtful says that the service is known to break the promise that nothing was stored: look
	// before saying it again, where looking is possible.
	Doubtful bool
}

func (e *RetryError) Error() string {
	s := fmt.Sprintf("not now (%s)", e.Code)
	if e.After > 0 {
		s += fmt.Sprintf(", again in %s", e.After)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *RetryError) Unwrap() error { return e.Err }

// RejectedError means the service refused and will refuse again until a person changes something.
type RejectedError struct {
	Scope Scope  // what is refused: this message, its channel, or everything we send
	Code  string // the service's word for it
	Hint  string // what to do about it, a sentence
}

func (e *RejectedError) Error() string {
	s := "refused (" + e.Code + ")"
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}
