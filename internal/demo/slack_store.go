package demo

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// message is one message as it is stored.
type message struct {
	SlackMessage
	id      int64 // the ts in µs
	channel *channel
	parent  *message   // the thread it replies in
	replies []*message // oldest first
	emoji   map[string]bool
	edited  bool // Slack's own mark, which edits with blocks do not get
	hook    bool // said through a webhook
}

// SlackMessage is a message as tests and the page see it.
type SlackMessage struct {
	Channel     string          `json:"channel"` // the channel's name
	ChannelID   string          `json:"channel_id"`
	TS          string          `json:"ts"`
	ThreadTS    string          `json:"thread_ts,omitempty"` // the parent's ts, for a reply
	Broadcast   bool            `json:"broadcast,omitempty"` // a reply shown in the channel too
	App         string          `json:"app"`
	Via         string          `json:"via"` // chat.postMessage or webhook
	At          time.Time       `json:"at"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Key         string          `json:"key,omitempty"` // the delivery_key of its metadata
	ClientMsgID string          `json:"client_msg_id,omitempty"`
	Part        int             `json:"part"`  // from 1: a text too long for one message becomes several
	Parts       int             `json:"parts"` // 1 for a message that was not split
	EditCount   int             `json:"edit_count"`
	Edits       []SlackEdit     `json:"edits,omitempty"` // what it was before each edit, oldest first
	Changed     time.Time       `json:"changed,omitzero"`
	Deleted     time.Time       `json:"deleted,omitzero"`
	Reactions   []string        `json:"reactions,omitempty"`
	Replies     int             `json:"replies,omitempty"`
	Files       []SlackFile     `json:"files,omitempty"`
}

// SlackEdit is what a message was until an edit replaced it.
type SlackEdit struct {
	Until       time.Time       `json:"until"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
}

// SlackEvent tells of a change.
type SlackEvent struct {
	Kind    string // "post", "edit", "delete" or "react"
	Message SlackMessage
}

// SlackRequest is one request in the log.
type SlackRequest struct {
	N       int
	At      time.Time
	Method  string
	Channel string // as asked
	Key     string
	Token   string // the app's name; empty before the token was known
	Status  int    // 0 where no answer was written
	Error   string // as answered, or as it would have been
	TS      string
	Fault   SlackFaultKind
	Stored  bool
}

// SlackCounts are the totals since the start.
type SlackCounts struct {
	Posts    int `json:"posts"` // messages stored, each part of a split one and each reply counted
	Edits    int `json:"edits"`
	Requests int `json:"requests"`
}

// formatTS writes a ts as Slack does: seconds, a dot, six digits.
func formatTS(us int64) string {
	b := make([]byte, 0, 20)
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	frac := us % 1e6
	for unit := int64(1e5); unit > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit%10))
	}
	return string(b)
}

// parseTS reads a message's ts, which is exact to the digit.
func parseTS(ts string) (int64, bool) {
	sec, frac, dot := strings.Cut(ts, ".")
	if !dot || len(frac) != 6 || len(sec) == 0 || len(sec) > 11 {
		return 0, false
	}
	n, err := strconv.ParseUint(sec+frac, 10, 63)
	return int64(n), err == nil
}

// nextTS gives a ts that is larger than all before. The lock is held.
func (s *Slack) nextTS() int64 {
	s.lastTS = max(s.lastTS+1, s.now().UnixMicro())
	return s.lastTS
}

// store keeps a new message. The lock is held.
func (s *Slack) store(ch *channel, m *message) {
	m.id = s.nextTS()
	m.TS = formatTS(m.id)
	m.channel = ch
	m.Channel, m.ChannelID = ch.Name, ch.ID
	if s.opts.Light {
		m.Blocks, m.Attachments = nil, nil
	}
	ch.messages = append(ch.messages, m)
	s.byTS[m.id] = m
	if m.Key != "" {
		s.byKey[m.Key] = append(s.byKey[m.Key], m)
	}
	if m.ClientMsgID != "" && s.byClient[m.ClientMsgID] == nil {
		s.byClient[m.ClientMsgID] = m
	}
	if m.parent != nil {
		m.ThreadTS = m.parent.TS
		m.parent.replies = append(m.parent.replies, m)
	} else {
		ch.alive++
	}
	s.posts++
	s.tell("post", m)
}

func (s *Slack) tell(kind string, m *message) {
	s.touch()
	if s.opts.OnMessage != nil {
		s.opts.OnMessage(SlackEvent{Kind: kind, Message: m.snapshot()})
	}
}

// snapshot copies a message for those outside. The lock is held.
func (m *message) snapshot() SlackMessage {
	out := m.SlackMessage
	out.Edits = slices.Clone(m.Edits)
	out.Reactions = slices.Sorted(maps.Keys(m.emoji))
	out.Replies = len(m.replies)
	return out
}

// lookup gives a live message of a channel by its ts. The lock is held.
func (s *Slack) lookup(ch *channel, ts string) *message {
	id, ok := parseTS(ts)
	if !ok {
		return nil
	}
	m := s.byTS[id]
	if m == nil || m.channel != ch || !m.Deleted.IsZero() {
		return nil
	}
	return m
}

// after gives the index of the first message of a channel whose ts is at least id.
func (ch *channel) after(id int64) int {
	i, _ := slices.BinarySearchFunc(ch.messages, id, func(m *message, id int64) int { return cmp.Compare(m.id, id) })
	return i
}

// Messages gives everything ever stored in a channel (by name or id; empty: all channels), oldest
// first: replies, parts and deleted messages included.
func (s *Slack) Messages(channel string) []SlackMessage {
	channel = strings.TrimPrefix(channel, "#")
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []SlackMessage
	for _, ch := range s.channels {
		if channel == "" || ch.Name == channel || ch.ID == channel {
			for _, m := range ch.messages {
				out = append(out, m.snapshot())
			}
		}
	}
	if channel == "" {
		slices.SortFunc(out, func(a, b SlackMessage) int { return cmp.Compare(len(a.TS), len(b.TS))*2 + cmp.Compare(a.TS, b.TS) })
	}
	return out
}

// ByKey gives every message that was stored with a delivery key, oldest first. More than one is a
// message said twice.
func (s *Slack) ByKey(key string) []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []SlackMessage
	for _, m := range s.byKey[key] {
		out = append(out, m.snapshot())
	}
	return out
}

// Keys gives every delivery key seen and how many messages were stored with it.
func (s *Slack) Keys() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.byKey))
	for key, messages := range s.byKey {
		out[key] = len(messages)
	}
	return out
}

// Requests gives the log of requests in the order they were answered. It is empty with Light.
func (s *Slack) Requests() []SlackRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Counts gives the totals.
func (s *Slack) Counts() SlackCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SlackCounts{Posts: s.posts, Edits: s.edits, Requests: s.calls}
}

func (s *Slack) log(r SlackRequest) {
	if s.opts.Light {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}
