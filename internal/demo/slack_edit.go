package demo

// update is chat.update.
func (s *Slack) update(c *call) (map[string]any, *refusal) {
	d, bad := readDraft(c)
	if bad != nil {
		return nil, bad
	}
	if !d.says() {
		return nil, &refusal{code: "no_text"}
	}
	if chars(d.text) > textMost {
		return nil, &refusal{code: "msg_too_long"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, bad := s.meant(c, "ts", "cant_update_message")
	if bad != nil {
		return nil, bad
	}
	if m.channel.Archived {
		return nil, &refusal{code: "is_inactive"}
	}
	if !s.opts.Light {
		m.Edits = append(m.Edits, SlackEdit{Until: c.at, Text: m.Text, Blocks: m.Blocks, Attachments: m.Attachments})
	}
	m.EditCount++
	m.Changed = c.at
	s.edits++
	m.edited = m.edited || d.blocks == nil
	// A text without blocks takes the old blocks away; attachments stay until a list of them is given.
	if d.textGiven || d.blocks != nil {
		m.Text = d.text
		m.Blocks = notEmpty(d.blocks)
	}
	if d.attachments != nil {
		m.Attachments = notEmpty(d.attachments)
	}
	if s.opts.Light {
		m.Blocks, m.Attachments = nil, nil
	}
	if d.metadata != nil {
		m.Metadata = notEmptyObject(d.metadata)
		if key := c.key(); key != m.Key {
			m.Key = key
			if key != "" {
				s.byKey[key] = append(s.byKey[key], m)
			}
		}
	}
	s.tell("edit", m)
	return map[string]any{"channel": m.ChannelID, "ts": m.TS, "text": m.Text, "message": s.view(m, true)}, nil
}

// delete is chat.delete.
func (s *Slack) delete(c *call) (map[string]any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, bad := s.meant(c, "ts", "cant_delete_message")
	if bad != nil {
		return nil, bad
	}
	s.remove(m)
	return map[string]any{"channel": m.ChannelID, "ts": m.TS}, nil
}

// Delete removes a message as a person in the channel would. It reports whether there was one.
func (s *Slack) Delete(channel, ts string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.find(trimHash(channel))
	if ch == nil {
		return false
	}
	m := s.lookup(ch, ts)
	if m == nil {
		return false
	}
	s.remove(m)
	return true
}

// Post says something as a person in the channel would: a message that is not the app's. It gives
// its ts, or nothing where there is no such channel.
func (s *Slack) Post(channel, person, text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.find(trimHash(channel))
	if ch == nil {
		return ""
	}
	m := s.say(ch, draft{text: text}, message{SlackMessage: SlackMessage{App: person, Via: "person", At: s.now()}})
	return m.TS
}

func (s *Slack) remove(m *message) {
	m.Deleted = s.now()
	if m.parent == nil {
		m.channel.alive--
	}
	s.tell("delete", m)
}

// meant gives the message a call names by channel id and ts, if it is the caller's own or refused is
// empty. The lock is held.
func (s *Slack) meant(c *call, name, refused string) (*message, *refusal) {
	ch, bad := s.channelByID(c)
	if bad != nil {
		return nil, bad
	}
	ts, bad := c.text(name)
	if bad != nil {
		return nil, bad
	}
	m := s.lookup(ch, ts)
	if m == nil {
		return nil, &refusal{code: "message_not_found"}
	}
	if refused != "" && (m.App != c.token.App || m.Via != "chat.postMessage") {
		return nil, &refusal{code: refused}
	}
	return m, nil
}

// channelByID gives the channel a call names. Here a name will not do: Slack wants the id. The lock is
// held.
func (s *Slack) channelByID(c *call) (*channel, *refusal) {
	id, bad := c.text("channel")
	if bad != nil {
		return nil, bad
	}
	ch := s.find(id)
	if ch == nil || ch.ID != id || ch.Private && ch.Outside {
		return nil, &refusal{code: "channel_not_found"}
	}
	return ch, nil
}

// addReaction is reactions.add.
func (s *Slack) addReaction(c *call) (map[string]any, *refusal) {
	name, bad := c.text("name")
	if bad != nil {
		return nil, bad
	}
	if !emojiName.MatchString(name) {
		return nil, &refusal{code: "invalid_name"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, bad := s.meant(c, "timestamp", "")
	if bad != nil {
		return nil, bad
	}
	if m.emoji[name] {
		return nil, &refusal{code: "already_reacted"}
	}
	if m.emoji == nil {
		m.emoji = map[string]bool{}
	}
	m.emoji[name] = true
	s.tell("react", m)
	return map[string]any{}, nil
}
