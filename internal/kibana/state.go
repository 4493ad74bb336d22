package kibana

import (
	"encoding/json"
	"fmt"
	"time"
)

const stateVersion = 1

// state is what a Source remembers between batches and over restarts. All its times are the
// cluster's, with the exception of Waiting.
type state struct {
	Version int `json:"version"`
	// Seq counts the states handed out. A Fetch that brings another one than the last shows that a
	// batch was not committed.
	Seq int64 `json:"seq"`
	// Waiting is since when, by our own clock, there has been no index yet; zero once there was one.
	Waiting time.Time `json:"waiting,omitzero"`
	// Begun says that Floor is decided.
	Begun bool `json:"begun,omitempty"`
	// Floor is the oldest time taken in; zero takes in everything.
	Floor time.Time `json:"floor,omitzero"`
	// Cursor is the newest time read up to, never beyond the cluster's own clock; zero before the first document.
	Cursor time.Time `json:"cursor,omitzero"`
	// Complete is when the last complete reading began, or the first one of all: changes in place from then
	// on are still to be read.
	Complete time.Time `json:"complete,omitzero"`
	// Swept is when the last sweep was.
	Swept time.Time `json:"swept,omitzero"`
	// Untimed says that documents were seen whose changes of status carry no time: see Parser.untimed.
	Untimed bool `json:"untimed,omitempty"`
}

func readState(raw json.RawMessage) (state, error) {
	s := state{Version: stateVersion}
	if len(raw) == 0 {
		return s, nil
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return s, fmt.Errorf("the stored state of the source is not readable: %w; restore data_dir from a backup, or start with an empty one", err)
	}
	if head.Version != stateVersion {
		return s, fmt.Errorf("the stored state of the source has version %d, this tocsin reads version %d: run the version of tocsin that wrote it or a newer one, or start with an empty data_dir", head.Version, stateVersion)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("the stored state of the source is not readable: %w; restore data_dir from a backup, or start with an empty one", err)
	}
	return s, nil
}

func (s state) encode() (json.RawMessage, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the state of the source: %w", err)
	}
	return raw, nil
}

// Floor is the time of the oldest alert that a Source with this state takes in; zero takes in all.
// ok is false before the first start was decided.
func Floor(stored json.RawMessage) (floor time.Time, ok bool, err error) {
	s, err := readState(stored)
	return s.Floor, s.Begun, err
}

// begin decides the floor at the first sight of an index.
func (s *state) begin(now time.Time, since time.Duration, all bool) {
	s.Begun, s.Swept = true, now
	if !all {
		s.Floor = now.Add(-since)
		// Who has waited for the index takes in all that was written since: our clock can only move
		// the floor back, never forward.
		if !s.Waiting.IsZero() && s.Waiting.Add(-since).Before(s.Floor) {
			s.Floor = s.Waiting.Add(-since).UTC()
		}
	}
	s.Waiting = time.Time{}
}

// bound takes back what a cluster whose clock stepped back would never reach.
func (s *state) bound(now time.Time) {
	for _, t := range []*time.Time{&s.Cursor, &s.Complete, &s.Swept} {
		if t.After(now) {
			*t = now
		}
	}
}
