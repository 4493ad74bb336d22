package alert

import (
	"encoding/json"
	"fmt"
)

// Cause is the reason for a fate as data: what decided, and by what. The sentence for people stands beside
// it. Codes are part of the API and keep their meaning.
type Cause struct {
	Code   Code              `json:"code,omitempty"`
	Params map[string]string `json:"params,omitempty"`
}

// Code is what decided about an alert.
type Code string

// The codes, and the params they come with.
const (
	CauseWithdrawn         Code = "withdrawn"          // its condition was undone before it was said
	CauseHeld              Code = "held_by_rule"       // its source keeps it back
	CauseBuildingBlock     Code = "building_block"     //
	CauseClosed            Code = "closed"             // before it was said; by
	CauseSourceMaintenance Code = "source_maintenance" // windows: of its source
	CauseNotForwarded      Code = "not_forwarded"      // source, match
	CauseSwitchedOff       Code = "switched_off"       // id, by: forwarding of such alerts is switched off
	CauseException         Code = "exception"          // id, by, until
	CauseMaintenance       Code = "maintenance"        // window
	CauseSilence           Code = "silence"            // id, by, until
	CauseInhibited         Code = "inhibited"          // rule, alert: the one that inhibits it
	CauseNoChannel         Code = "no_channel"         // nothing can be said
	CauseGroupWait         Code = "group_wait"         // route, channel
	CauseQuietHours        Code = "quiet_hours"        // route, channel, hours, until
	CauseSent              Code = "sent"               // route, channel: said by a message of its group
	CauseAdded             Code = "added"              // route, channel: to the live message of its group
	CauseRateLimit         Code = "rate_limit"         // route, channel, limit: said in a digest
	CauseMorning           Code = "after_quiet_hours"  // route, channel, hours: said in a digest
	CauseMerged            Code = "merged"             // into
)

// NewCause makes a cause of a code and its params, name and value by turns; empty values are left out.
func NewCause(code Code, params ...string) Cause {
	c := Cause{Code: code}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] == "" {
			continue
		}
		if c.Params == nil {
			c.Params = map[string]string{}
		}
		c.Params[params[i]] = params[i+1]
	}
	return c
}

// Text is the cause as it is stored; ParseCause reads it.
func (c Cause) Text() string {
	if c.Code == "" {
		return ""
	}
	text, err := json.Marshal(c)
	if err != nil { // it holds nothing that JSON cannot
		return ""
	}
	return string(text)
}

// ParseCause reads what Text wrote; an empty text is no cause.
func ParseCause(text string) (c Cause, err error) {
	if text == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read the cause of a fate: %w", err)
	}
	return c, nil
}
