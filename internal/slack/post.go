package slack

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"

	"tocsin/internal/notice"
)

const (
	methodPost    = "chat.postMessage"
	methodUpdate  = "chat.update"
	methodHistory = "conversations.history"
	methodReplies = "conversations.replies"
	methodList    = "conversations.list"
	methodInfo    = "conversations.info"
	methodJoin    = "conversations.join"
	methodAuth    = "auth.test"
	methodWebhook = "webhook"
)

// spentMost bounds how many keys are remembered whose client_msg_id is used up.
const spentMost = 1000

// metadata is what a message carries unseen. Every app in the workspace can read it, so it names
// nothing but the notice.
type metadata struct {
	Type    string `json:"event_type"`
	Payload struct {
		Key      notice.Key `json:"delivery_key"`
		Revision int        `json:"revision"`
	} `json:"event_payload"`
}

// message is the body of chat.postMessage and of a webhook.
type message struct {
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"`
	Blocks      []block      `json:"blocks,omitempty"`
	Attachments []attachment `json:"attachments,omitempty"`
	Metadata    *metadata    `json:"metadata,omitempty"`
	ClientMsgID string       `json:"client_msg_id,omitempty"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	LinkNames   bool         `json:"link_names"`
	Parse       string       `json:"parse"` // "none": bare URLs and names in text stay text
}

// edit is the body of chat.update. The lists are always there: one left out would leave the old one.
type edit struct {
	Channel     string       `json:"channel"`
	TS          string       `json:"ts"`
	Text        string       `json:"text"`
	Blocks      []block      `json:"blocks"`
	Attachments []attachment `json:"attachments"`
	Metadata    *metadata    `json:"metadata"`
	LinkNames   bool         `json:"link_names"`
	Parse       string       `json:"parse"`
}

// posted is a success of chat.postMessage and chat.update.
type posted struct {
	Channel   string `json:"channel"`
	TS        string `json:"ts"`
	Duplicate bool   `json:"is_duplicate"`
	Message   struct {
		BotID string `json:"bot_id"`
		User  string `json:"user"`
	} `json:"message"`
}

// Post says a notice, in one try. Its error is notice.ErrUnknown, *notice.RetryError or
// *notice.RejectedError. Only when Slack answers that the app is not in a public channel, which stores
// nothing, the app joins it and posts once more.
func (s *Sender) Post(ctx context.Context, n notice.Notice) (notice.Receipt, error) {
	n.Channel = cmp.Or(n.Channel, s.channel)
	looks := render(n, s.prefix)
	m := message{Channel: n.Channel, Text: looks.text, Blocks: looks.blocks, Attachments: looks.attachments, Parse: "none"}
	if s.webhook != "" {
		return s.postWebhook(ctx, m)
	}
	m.Metadata = metadataOf(n)
	m.ClientMsgID = s.clientMsgID(n.Key)
	p, err := s.tell(ctx, m)
	var refused *failure
	if errors.As(err, &refused) && refused.notMember() && s.join(ctx, n.Channel) {
		p, err = s.tell(ctx, m)
	}
	if err != nil {
		return notice.Receipt{}, s.judged(methodPost, n, err)
	}
	kind := "ok"
	if p.Duplicate {
		kind = "duplicate"
	}
	s.metrics.answers.WithLabelValues(methodPost, kind).Inc()
	at := parseTS(p.TS)
	s.clock.hear(at)
	s.ids.learn(ctx, s.log, n.Channel, p.Channel)
	s.meet(identity{bot: p.Message.BotID, user: p.Message.User})
	return notice.Receipt{Channel: cmp.Or(p.Channel, n.Channel), TS: p.TS, At: at}, nil
}

// tell is one call of chat.postMessage.
func (s *Sender) tell(ctx context.Context, m message) (posted, error) {
	var p posted
	if err := s.post(ctx, methodPost, m, &p); err != nil {
		return p, err
	}
	if parseTS(p.TS).IsZero() {
		return p, &failure{method: methodPost, wrote: true, status: 200, err: errors.New("the answer names no message")}
	}
	return p, nil
}

// judged turns the error of a post or an edit into what the outbox decides by, and counts it.
func (s *Sender) judged(method string, n notice.Notice, err error) error {
	var f *failure
	if !errors.As(err, &f) { // before anything was sent
		err = &notice.RejectedError{Scope: notice.ScopeMessage, Code: "unencodable", Hint: err.Error()}
	} else if method == methodUpdate {
		err = f.judgeEdit(n.Channel)
	} else {
		err = f.judgePost(n.Channel)
		s.spend(n.Key, f.code)
	}
	s.metrics.answers.WithLabelValues(method, result(err)).Inc()
	return err
}

// Edit replaces a message that was said. It may be repeated without harm. Besides the errors of Post
// it may return notice.ErrGone.
func (s *Sender) Edit(ctx context.Context, n notice.Notice, said notice.Receipt) error {
	if s.webhook != "" {
		return fmt.Errorf("%w: a webhook cannot edit messages", notice.ErrGone)
	}
	if said.TS == "" {
		return fmt.Errorf("%w: it was said through a webhook, which tells no id", notice.ErrGone)
	}
	looks := render(n, s.prefix)
	e := edit{
		Channel: said.Channel, TS: said.TS, Text: looks.text, Blocks: looks.blocks, Attachments: looks.attachments,
		Metadata: metadataOf(n), Parse: "none",
	}
	if e.Blocks == nil {
		e.Blocks = []block{}
	}
	if e.Attachments == nil {
		e.Attachments = []attachment{}
	}
	if err := s.post(ctx, methodUpdate, e, nil); err != nil {
		return s.judged(methodUpdate, n, err)
	}
	s.metrics.answers.WithLabelValues(methodUpdate, "ok").Inc()
	return nil
}

func metadataOf(n notice.Notice) *metadata {
	m := &metadata{Type: EventType}
	m.Payload.Key, m.Payload.Revision = n.Key, n.Revision
	return m
}

// namespace is ours, for the ids below.
var namespace = [16]byte{0x5b, 0x1e, 0x0f, 0x9a, 0x27, 0xc4, 0x4d, 0x31, 0x8a, 0x66, 0x70, 0xd2, 0x3c, 0x19, 0xe8, 0x04}

// clientMsgID is the key as a UUID of version 5 (RFC 9562). Slack documents errors about it but not
// what it does with it: a repeat may be answered with is_duplicate, or not be noticed at all.
func (s *Sender) clientMsgID(key notice.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent[key] {
		return ""
	}
	h := sha1.New()
	h.Write(namespace[:])
	h.Write([]byte(key))
	id := h.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	x := hex.EncodeToString(id)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// spend notes that Slack ties a key's client_msg_id to a message that is no longer there: the next
// post of the key goes without one.
func (s *Sender) spend(key notice.Key, code string) {
	if code != "duplicate_message_not_found" && code != "duplicate_channel_not_found" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spent) >= spentMost {
		clear(s.spent)
	}
	s.spent[key] = true
}
