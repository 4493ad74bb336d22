package demo

import "slices"

// What a workspace that runs for days keeps of each message's past, and of its log of requests.
const (
	forgetEdits    = 30
	forgetRequests = 1000
)

// Forget leaves of each channel the newest messages, so many of them, with their latest edits. To whoever asks, what is
// forgotten never was; the counts stay.
func (s *Slack) Forget(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.channels {
		if n := len(ch.messages) - most; n > 0 {
			for _, m := range ch.messages[:n] {
				s.forget(m)
			}
			ch.messages = slices.Clone(ch.messages[n:])
		}
		for _, m := range ch.messages {
			m.Edits = slices.Clone(tail(m.Edits, forgetEdits))
		}
	}
	s.requests = slices.Clone(tail(s.requests, forgetRequests))
}

// forget takes a message out of what it is found by. The lock is held.
func (s *Slack) forget(m *message) {
	delete(s.byTS, m.id)
	same := func(other *message) bool { return other == m }
	if left := slices.DeleteFunc(slices.Clone(s.byKey[m.Key]), same); len(left) > 0 {
		s.byKey[m.Key] = left
	} else {
		delete(s.byKey, m.Key)
	}
	if s.byClient[m.ClientMsgID] == m {
		delete(s.byClient, m.ClientMsgID)
	}
	if m.parent != nil {
		m.parent.replies = slices.DeleteFunc(m.parent.replies, same)
	}
	for _, reply := range m.replies {
		reply.parent = nil
	}
}
