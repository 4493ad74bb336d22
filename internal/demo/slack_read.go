package demo

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var emojiName = regexp.MustCompile(`^[a-z0-9_+'-]{1,100}$`)

// view is a message as the Web API gives it. The lock is held.
func (s *Slack) view(m *message, metadata bool) map[string]any {
	v := map[string]any{
		"type": "message", "ts": m.TS, "text": m.Text, "team": teamID,
		"bot_id": botID(m.App), "app_id": "A" + botID(m.App)[1:],
	}
	switch {
	case m.Via == "person":
		delete(v, "bot_id")
		delete(v, "app_id")
		v["user"] = "U" + botID(m.App)[1:]
	case m.hook:
		v["subtype"] = "bot_message"
	default:
		v["user"] = "U" + botID(m.App)[1:]
		v["bot_profile"] = map[string]any{"id": botID(m.App), "name": m.App, "app_id": "A" + botID(m.App)[1:], "team_id": teamID, "deleted": false}
	}
	if m.Blocks != nil {
		v["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		v["attachments"] = m.Attachments
	}
	if m.Metadata != nil {
		v["metadata"] = m.Metadata
		if !metadata {
			var kind struct {
				Type string `json:"event_type"`
			}
			_ = json.Unmarshal(m.Metadata, &kind) // judged when it was stored
			v["metadata"] = map[string]any{"event_type": kind.Type}
		}
	}
	if m.edited {
		v["edited"] = map[string]any{"user": v["user"], "ts": strconv.FormatInt(m.Changed.Unix(), 10) + ".000000"}
	}
	if m.parent != nil {
		v["thread_ts"], v["parent_user_id"] = m.parent.TS, "U"+botID(m.parent.App)[1:]
		if m.Broadcast {
			v["subtype"] = "thread_broadcast"
		}
	}
	if live := liveReplies(m); len(live) > 0 {
		v["thread_ts"], v["reply_count"], v["latest_reply"] = m.TS, len(live), live[len(live)-1].TS
	}
	return v
}

func liveReplies(m *message) []*message {
	return slices.DeleteFunc(slices.Clone(m.replies), func(r *message) bool { return !r.Deleted.IsZero() })
}

const teamID = "T0DEMO"

func botID(app string) string { return "B" + channelID(app)[1:] }

// span is the part of a history that is asked for, in µs, both ends included.
type span struct{ from, to int64 }

// readSpan reads oldest, latest and inclusive.
func readSpan(c *call) (span, bool, *refusal) {
	inclusive, bad := c.flag("inclusive")
	if bad != nil {
		return span{}, false, bad
	}
	out := span{0, math.MaxInt64}
	bounded := false
	for _, end := range []string{"oldest", "latest"} {
		text, bad := c.text(end)
		if bad != nil {
			return out, false, bad
		}
		if text == "" || end == "latest" && text == "now" {
			continue
		}
		us, ok := parseMoment(text)
		if !ok {
			return out, false, &refusal{code: "invalid_ts_" + end}
		}
		switch {
		case end == "oldest" && inclusive:
			out.from = us
		case end == "oldest":
			out.from = us + 1
		case inclusive:
			out.to = us
			bounded = true
		default:
			out.to = us - 1
			bounded = true
		}
	}
	return out, bounded, nil
}

// parseMoment reads a time in a request: a ts, or seconds with any number of decimals.
func parseMoment(s string) (int64, bool) {
	sec, frac, _ := strings.Cut(s, ".")
	if len(frac) > 9 || len(sec) == 0 || len(sec) > 11 {
		return 0, false
	}
	n, err := strconv.ParseUint(sec+(frac + "000000")[:6], 10, 63)
	return int64(n), err == nil
}

// cursor writes and reads the opaque place of the next page.
func cursor(id int64) string {
	return base64.StdEncoding.EncodeToString([]byte("next_ts:" + strconv.FormatInt(id, 10)))
}

func readCursor(c *call) (int64, bool, *refusal) {
	text, bad := c.text("cursor")
	if bad != nil || text == "" {
		return 0, false, bad
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	digits, ok := strings.CutPrefix(string(raw), "next_ts:")
	id, parseErr := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || parseErr != nil {
		return 0, false, &refusal{code: "invalid_cursor"}
	}
	return id, true, nil
}

// readable gives the channel a read is for, if the caller may read it. The lock is held.
func (s *Slack) readable(c *call, what string, member bool) (*channel, *refusal) {
	ch, bad := s.channelByID(c)
	if bad != nil {
		return nil, bad
	}
	scope := "channels:" + what
	if ch.Private {
		scope = "groups:" + what
	}
	if bad := c.need(scope); bad != nil {
		return nil, bad
	}
	if member && ch.Outside {
		return nil, &refusal{code: "not_in_channel"}
	}
	return ch, nil
}

// pageSize reads limit.
func (s *Slack) pageSize(c *call, otherwise int) (int, *refusal) {
	n, bad := c.number("limit", otherwise)
	if bad != nil {
		return 0, bad
	}
	if n < 1 || n > 1000 {
		return 0, &refusal{code: "invalid_limit"}
	}
	if most := s.opts.Limits.HistoryPage; most > 0 {
		n = min(n, most)
	}
	return n, nil
}

// history is conversations.history: newest first, without the replies of threads.
func (s *Slack) history(c *call) (map[string]any, *refusal) {
	asked, latestGiven, bad := readSpan(c)
	if bad != nil {
		return nil, bad
	}
	size, bad := s.pageSize(c, 100)
	if bad != nil {
		return nil, bad
	}
	metadata, bad := c.flag("include_all_metadata")
	if bad != nil {
		return nil, bad
	}
	at, more, bad := readCursor(c)
	if bad != nil {
		return nil, bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.readable(c, "history", true)
	if bad != nil {
		return nil, bad
	}
	forward := s.opts.ForwardPages && asked.from > 0 && !latestGiven
	if more && forward {
		asked.from = max(asked.from, at)
	} else if more {
		asked.to = min(asked.to, at)
	}
	page, next := ch.page(asked, size, forward)
	views := make([]any, len(page))
	for i, m := range page {
		views[i] = s.view(m, metadata)
	}
	body := map[string]any{"messages": views, "has_more": next != 0, "pin_count": 0}
	if next != 0 {
		body["response_metadata"] = map[string]any{"next_cursor": cursor(next)}
	}
	return body, nil
}

// page gives the messages of a span, newest first, and where the next page begins (0: nowhere).
func (ch *channel) page(asked span, size int, forward bool) ([]*message, int64) {
	low := ch.after(asked.from)
	high := len(ch.messages)
	if asked.to < math.MaxInt64 {
		high = ch.after(asked.to + 1)
	}
	var out []*message
	shown := func(m *message) bool { return m.Deleted.IsZero() && (m.parent == nil || m.Broadcast) }
	if forward {
		for _, m := range ch.messages[min(low, high):high] {
			if !shown(m) {
				continue
			}
			if len(out) == size {
				slices.Reverse(out)
				return out, m.id
			}
			out = append(out, m)
		}
		slices.Reverse(out)
		return out, 0
	}
	for i := high - 1; i >= low; i-- {
		m := ch.messages[i]
		if !shown(m) {
			continue
		}
		if len(out) == size {
			return out, m.id
		}
		out = append(out, m)
	}
	return out, 0
}

// replies is conversations.replies: a thread's first message, then its replies, oldest first.
func (s *Slack) replies(c *call) (map[string]any, *refusal) {
	asked, _, bad := readSpan(c)
	if bad != nil {
		return nil, bad
	}
	size, bad := s.pageSize(c, 1000)
	if bad != nil {
		return nil, bad
	}
	metadata, bad := c.flag("include_all_metadata")
	if bad != nil {
		return nil, bad
	}
	at, more, bad := readCursor(c)
	if bad != nil {
		return nil, bad
	}
	ts, bad := c.text("ts")
	if bad != nil {
		return nil, bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.readable(c, "history", true)
	if bad != nil {
		return nil, bad
	}
	m := s.lookup(ch, ts)
	if m == nil {
		return nil, &refusal{code: "thread_not_found"}
	}
	if m.parent != nil {
		m = m.parent
	}
	views := []any{s.view(m, metadata)}
	for _, r := range liveReplies(m) {
		switch {
		case r.id < asked.from || r.id > asked.to || more && r.id < at:
			continue
		case len(views) > size:
			return map[string]any{
				"messages": views, "has_more": true,
				"response_metadata": map[string]any{"next_cursor": cursor(r.id)},
			}, nil
		}
		views = append(views, s.view(r, metadata))
	}
	return map[string]any{"messages": views, "has_more": false}, nil
}

func (ch *channel) view() map[string]any {
	return map[string]any{
		"id": ch.ID, "name": ch.Name, "name_normalized": ch.Name, "is_channel": !ch.Private, "is_group": false,
		"is_private": ch.Private, "is_archived": ch.Archived, "is_member": !ch.Outside, "is_general": false,
		"context_team_id": teamID,
	}
}

// info is conversations.info.
func (s *Slack) info(c *call) (map[string]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.readable(c, "read", false)
	if bad != nil {
		return nil, bad
	}
	return map[string]any{"channel": ch.view()}, nil
}

// join is conversations.join.
func (s *Slack) join(c *call) (map[string]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.channelByID(c)
	switch {
	case bad != nil:
		return nil, bad
	case ch.Private:
		return nil, &refusal{code: "method_not_supported_for_channel_type"}
	case ch.Archived:
		return nil, &refusal{code: "is_archived"}
	}
	body := map[string]any{}
	if !ch.Outside {
		body["warning"] = "already_in_channel"
	}
	ch.Outside = false
	body["channel"] = ch.view()
	s.touch()
	return body, nil
}

// list is conversations.list. Its cursor is the number of the next channel.
func (s *Slack) list(c *call) (map[string]any, *refusal) {
	kinds, bad := c.text("types")
	if bad != nil {
		return nil, bad
	}
	if kinds == "" {
		kinds = "public_channel"
	}
	var public, private bool
	for kind := range strings.SplitSeq(kinds, ",") {
		switch strings.TrimSpace(kind) {
		case "public_channel":
			public = true
			bad = c.need("channels:read")
		case "private_channel":
			private = true
			bad = c.need("groups:read")
		case "im", "mpim":
		default:
			bad = &refusal{code: "invalid_types"}
		}
		if bad != nil {
			return nil, bad
		}
	}
	noArchived, bad := c.flag("exclude_archived")
	if bad != nil {
		return nil, bad
	}
	size, bad := s.pageSize(c, 100)
	if bad != nil {
		return nil, bad
	}
	from, _, bad := readCursor(c)
	if bad != nil {
		return nil, bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	views := []any{}
	next := ""
	for i, ch := range s.channels {
		wanted := ch.Private && private && !ch.Outside || !ch.Private && public
		if int64(i) < from || !wanted || noArchived && ch.Archived {
			continue
		}
		if len(views) == size {
			next = cursor(int64(i))
			break
		}
		views = append(views, ch.view())
	}
	return map[string]any{"channels": views, "response_metadata": map[string]any{"next_cursor": next}}, nil
}

// apiTest is api.test.
func (s *Slack) apiTest(*call) (map[string]any, *refusal) { return map[string]any{}, nil }

// authTest is auth.test.
func (s *Slack) authTest(c *call) (map[string]any, *refusal) {
	return map[string]any{
		"url": "https://demo.slack.example/", "team": s.opts.Team, "team_id": teamID, "user": strings.ToLower(c.token.App),
		"user_id": "U" + botID(c.token.App)[1:], "bot_id": botID(c.token.App), "is_enterprise_install": false,
	}, nil
}

// userInfo is users.info: it knows the apps and nobody else.
func (s *Slack) userInfo(c *call) (map[string]any, *refusal) {
	id, bad := c.text("user")
	if bad != nil {
		return nil, bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if "U"+botID(t.App)[1:] == id {
			return map[string]any{"user": map[string]any{"id": id, "team_id": teamID, "name": strings.ToLower(t.App), "real_name": t.App, "is_bot": true, "deleted": false}}, nil
		}
	}
	return nil, &refusal{code: "user_not_found"}
}
