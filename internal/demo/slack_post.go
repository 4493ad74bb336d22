package demo

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// What Slack takes of text.
const (
	textMost      = 4000  // longer texts are split into several messages; edits are refused
	textTruncated = 40000 // longer texts are cut
	metadataMost  = 8000  // Slack does not publish its figure
)

// draft is the content of a message to be stored.
type draft struct {
	text        string
	blocks      json.RawMessage // nil: not given
	attachments json.RawMessage
	metadata    json.RawMessage
	textGiven   bool
	truncated   bool
}

// chars counts characters as strictly as any of the ways Slack might: in UTF-16 units, so that one
// outside the basic plane counts twice.
func chars(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// split cuts a text into pieces of at most n characters, at a line end or a space where one is near.
func split(s string, n int) []string {
	var out []string
	for chars(s) > n {
		end, count, soft := 0, 0, 0
		for i, r := range s {
			count += max(utf16.RuneLen(r), 1)
			if count > n {
				break
			}
			end = i + len(string(r))
			if (r == '\n' || r == ' ') && count > n-200 {
				soft = end
			}
		}
		if soft > 0 {
			end = soft
		}
		out = append(out, s[:end])
		s = s[end:]
	}
	return append(out, s)
}

// cutTo shortens a text to n characters.
func cutTo(s string, n int) string {
	count := 0
	for i, r := range s {
		count += max(utf16.RuneLen(r), 1)
		if count > n {
			return s[:i]
		}
	}
	return s
}

// readDraft reads and judges the content of a message.
func readDraft(c *call) (draft, *refusal) {
	var d draft
	var bad *refusal
	if d.text, bad = c.text("text"); bad != nil {
		return d, bad
	}
	_, d.textGiven = c.args["text"]
	for _, name := range []string{"unfurl_links", "unfurl_media", "link_names", "mrkdwn", "reply_broadcast"} {
		if _, bad := c.flag(name); bad != nil {
			return d, bad
		}
	}
	parse, bad := c.text("parse")
	if bad != nil {
		return d, bad
	}
	if parse != "" && parse != "none" && parse != "full" && parse != "client" {
		return d, wrongArg("parse", "must be none or full")
	}
	if as, _ := c.flag("as_user"); as {
		return d, &refusal{code: "as_user_not_supported"}
	}
	markdown, bad := c.text("markdown_text")
	if bad != nil {
		return d, bad
	}
	if markdown != "" {
		if _, blocks := c.args["blocks"]; d.textGiven || blocks {
			return d, &refusal{code: "markdown_text_conflict"}
		}
		if chars(markdown) > 12000 {
			return d, &refusal{code: "msg_too_long"}
		}
		d.text, d.textGiven = markdown, true
	}
	if d, bad = readLayout(c, d); bad != nil {
		return d, bad
	}
	return d, nil
}

// readLayout reads blocks, attachments and metadata.
func readLayout(c *call, d draft) (draft, *refusal) {
	var ok bool
	if d.blocks, ok = c.value("blocks"); !ok {
		return d, &refusal{code: "invalid_blocks_format"}
	}
	if d.attachments, ok = c.value("attachments"); !ok {
		return d, &refusal{code: "invalid_attachments"}
	}
	if bad := checkLayout(d.blocks, d.attachments); bad != nil {
		return d, bad
	}
	if d.metadata, ok = c.value("metadata"); !ok {
		return d, &refusal{code: "invalid_metadata_format"}
	}
	return d, checkMetadata(d.metadata)
}

// says reports whether there is anything to show.
func (d draft) says() bool {
	return strings.TrimSpace(d.text) != "" || !emptyList(d.blocks) || !emptyList(d.attachments)
}

func emptyList(raw json.RawMessage) bool {
	s := strings.TrimSpace(string(raw))
	return s == "" || strings.TrimSpace(strings.Trim(s, "[]")) == ""
}

func checkMetadata(raw json.RawMessage) *refusal {
	if raw == nil {
		return nil
	}
	if len(raw) > metadataMost {
		return &refusal{code: "metadata_too_large"}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return &refusal{code: "invalid_metadata_format"}
	}
	if len(fields) == 0 {
		return nil // an empty object removes metadata
	}
	var kind string
	var payload map[string]any
	if json.Unmarshal(fields["event_type"], &kind) != nil || kind == "" || json.Unmarshal(fields["event_payload"], &payload) != nil || payload == nil {
		return &refusal{code: "invalid_metadata_schema", messages: []string{"[ERROR] event_type and event_payload are required [json-pointer:/metadata]"}}
	}
	return nil
}

func trimHash(name string) string { return strings.TrimPrefix(name, "#") }

// target gives the channel a post is for, or why it cannot go there. The lock is held.
func (s *Slack) target(c *call, name string) (*channel, *refusal) {
	ch := s.find(trimHash(name))
	switch {
	case ch == nil, ch.Private && ch.Outside:
		return nil, &refusal{code: "channel_not_found"}
	case ch.Archived:
		return nil, &refusal{code: "is_archived"}
	case ch.Outside && (c.need("chat:write.public") != nil):
		return nil, &refusal{code: "not_in_channel"}
	case ch.Error != "":
		return nil, &refusal{code: ch.Error}
	}
	return ch, nil
}

// postMessage is chat.postMessage.
func (s *Slack) postMessage(c *call) (map[string]any, *refusal) {
	name, bad := c.text("channel")
	if bad != nil {
		return nil, bad
	}
	if name == "" {
		return nil, &refusal{code: "invalid_arguments", messages: []string{"[ERROR] missing required field: channel"}}
	}
	for _, custom := range []string{"username", "icon_emoji", "icon_url"} {
		if _, given := c.args[custom]; given {
			if bad := c.need("chat:write.customize"); bad != nil {
				return nil, bad
			}
		}
	}
	d, bad := readDraft(c)
	if bad != nil {
		return nil, bad
	}
	if !d.says() {
		return nil, &refusal{code: "no_text"}
	}
	if chars(d.text) > textTruncated {
		d.text, d.truncated = cutTo(d.text, textTruncated), true
	}
	thread, bad := c.text("thread_ts")
	if bad != nil {
		return nil, bad
	}
	client, bad := c.text("client_msg_id")
	if bad != nil {
		return nil, bad
	}
	broadcast, _ := c.flag("reply_broadcast")

	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.target(c, name)
	if bad != nil {
		return nil, bad
	}
	parent, bad := s.thread(ch, thread)
	if bad != nil {
		return nil, bad
	}
	if first := s.byClient[client]; s.opts.Dedupe && client != "" && first != nil {
		return map[string]any{"channel": first.ChannelID, "ts": first.TS, "message": s.view(first, true), "is_duplicate": true}, nil
	}
	first := s.say(ch, d, message{
		SlackMessage: SlackMessage{App: c.token.App, Via: c.method, At: c.at, Broadcast: broadcast && parent != nil, ClientMsgID: client, Key: c.key()},
		parent:       parent,
	})
	body := map[string]any{"channel": ch.ID, "ts": first.TS, "message": s.view(first, true)}
	if d.truncated {
		body["warning"] = "message_truncated"
	}
	return body, nil
}

// thread finds the message a reply is for. The lock is held.
func (s *Slack) thread(ch *channel, ts string) (*message, *refusal) {
	if ts == "" {
		return nil, nil
	}
	if _, ok := parseTS(ts); !ok {
		return nil, &refusal{code: "invalid_thread_ts"}
	}
	m := s.lookup(ch, ts)
	switch {
	case m == nil:
		return nil, &refusal{code: "thread_not_found"}
	case m.parent != nil:
		return nil, &refusal{code: "cannot_reply_to_message"}
	}
	return m, nil
}

// say stores a draft as one message, or as several where its text is too long for one; each of them
// repeats the blocks. It gives the first. The lock is held.
func (s *Slack) say(ch *channel, d draft, like message) *message {
	like.Blocks, like.Attachments, like.Metadata = notEmpty(d.blocks), notEmpty(d.attachments), notEmptyObject(d.metadata)
	like.Parts = 1
	parts := split(d.text, textMost)
	like.Parts = len(parts)
	var first *message
	for i, text := range parts {
		m := like
		m.Text, m.Part = text, i+1
		s.store(ch, &m)
		if first == nil {
			first = &m
		}
	}
	return first
}

func notEmpty(raw json.RawMessage) json.RawMessage {
	if emptyList(raw) {
		return nil
	}
	return raw
}

func notEmptyObject(raw json.RawMessage) json.RawMessage {
	if strings.TrimSpace(strings.Trim(strings.TrimSpace(string(raw)), "{}")) == "" {
		return nil
	}
	return raw
}
