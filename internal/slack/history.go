package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/sleep"
)

const (
	pageSize = 200
	// pagesMost ends a list whose cursors never do.
	pagesMost = 10000
)

// Message is a message of ours as a channel's history has it.
type Message struct {
	Key      notice.Key
	Revision int    // of the notice as the message says it; 0 when it does not tell
	Channel  string // the channel's id, or its name where Slack lists none
	TS       string
	At       time.Time // when it was posted, by Slack's clock
}

// identity is who we are to Slack.
type identity struct{ bot, user string }

// past is a message of anyone's.
type past struct {
	TS       string    `json:"ts"`
	BotID    string    `json:"bot_id"`
	User     string    `json:"user"`
	Metadata *metadata `json:"metadata"`
}

// Find looks through a channel's history, from since on, for the messages that say the keys. It reads
// every page until all are found; a key that is said twice gives either message. Its error is
// notice.ErrNoHistory when it cannot be read unless a person changes something, *notice.RetryError
// or another error when it can be tried again.
func (s *Sender) Find(ctx context.Context, channel string, since time.Time, keys []notice.Key) (map[notice.Key]notice.Receipt, error) {
	want := make(map[notice.Key]bool, len(keys))
	for _, k := range keys {
		want[k] = true
	}
	found := map[notice.Key]notice.Receipt{}
	if len(want) == 0 {
		return found, nil
	}
	err := s.past(ctx, channel, since, s.get, func(m Message) bool {
		if want[m.Key] {
			found[m.Key] = notice.Receipt{Channel: m.Channel, TS: m.TS, At: m.At, Revision: m.Revision}
		}
		return len(found) < len(want)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Messages goes through our messages in a channel's history from since on, in no certain order. Where
// Slack asks for patience it waits. An error ends the sequence, and what came before is then not all;
// errors are those of Find.
func (s *Sender) Messages(ctx context.Context, channel string, since time.Time) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		err := s.past(ctx, channel, since, s.getPatiently, func(m Message) bool { return yield(m, nil) })
		if err != nil {
			yield(Message{}, err)
		}
	}
}

// past calls each with every message of ours from since on, until it says false.
func (s *Sender) past(ctx context.Context, name string, since time.Time, get getter, each func(Message) bool) error {
	name = cmp.Or(name, s.channel)
	if s.webhook != "" {
		return fmt.Errorf("%w: a webhook has none; use slack.bot_token", notice.ErrNoHistory)
	}
	err := s.readPast(ctx, name, since, get, each)
	var f *failure
	switch {
	case err == nil:
		s.metrics.answers.WithLabelValues(methodHistory, "ok").Inc()
		return nil
	case errors.As(err, &f):
		err = f.judgeRead(name)
	}
	s.metrics.answers.WithLabelValues(methodHistory, result(err)).Inc()
	return fmt.Errorf("read the history of %s: %w", name, err)
}

// readPast finds the channel, and joins it if that is what is missing.
func (s *Sender) readPast(ctx context.Context, name string, since time.Time, get getter, each func(Message) bool) error {
	id, err := s.resolve(ctx, name, false)
	if err != nil {
		return err
	}
	err = s.pages(ctx, id, since, get, each)
	var f *failure
	if errors.As(err, &f) && f.code == "channel_not_found" && !isID(name) { // the id may be an old one
		s.ids.forget(name)
		fresh, listErr := s.resolve(ctx, name, true)
		if listErr != nil {
			return listErr
		}
		if fresh != id {
			id = fresh
			err = s.pages(ctx, id, since, get, each)
		}
	}
	if errors.As(err, &f) && f.notMember() && s.join(ctx, id) {
		err = s.pages(ctx, id, since, get, each)
	}
	return err
}

// pages reads every page. A page may bring fewer messages than asked for, none at all, or come oldest
// first: only a missing cursor is the end.
func (s *Sender) pages(ctx context.Context, id string, since time.Time, get getter, each func(Message) bool) error {
	self := s.who(ctx)
	args := url.Values{
		"channel": {id}, "limit": {strconv.Itoa(pageSize)}, "inclusive": {"true"}, "include_all_metadata": {"true"},
	}
	if !since.IsZero() && since.Unix() > 0 {
		args.Set("oldest", formatTS(since))
	}
	for range pagesMost {
		var page struct {
			Messages []past `json:"messages"`
			More     bool   `json:"has_more"`
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		read := get
		if args.Has("cursor") { // what has been read is not thrown away for a limit in the middle
			read = func(ctx context.Context, method string, args url.Values, out any) error {
				return s.insist(ctx, patience, method, args, out)
			}
		}
		if err := read(ctx, methodHistory, args, &page); err != nil {
			return err
		}
		for _, p := range page.Messages {
			m, ours := p.ours(self, id)
			if ours && !each(m) {
				return nil
			}
		}
		next := page.Metadata.NextCursor
		switch {
		case next == "" && page.More:
			return errors.New("slack says that there is more and not where")
		case next == "":
			return nil
		case next == args.Get("cursor"):
			return errors.New("the pages do not end")
		}
		args.Set("cursor", next)
	}
	return errors.New("the pages do not end")
}

// ours reads what a message says of its notice. Any app may write metadata like ours: where both are
// known, the writer must be us.
func (p past) ours(self identity, channel string) (Message, bool) {
	if p.Metadata == nil || p.Metadata.Type != EventType || p.Metadata.Payload.Key == "" {
		return Message{}, false
	}
	foreignBot := self.bot != "" && p.BotID != "" && self.bot != p.BotID
	foreignUser := self.user != "" && p.User != "" && self.user != p.User
	if foreignBot && foreignUser || foreignBot && (self.user == "" || p.User == "") || foreignUser && (self.bot == "" || p.BotID == "") {
		return Message{}, false
	}
	return Message{
		Key: p.Metadata.Payload.Key, Revision: p.Metadata.Payload.Revision,
		Channel: channel, TS: p.TS, At: parseTS(p.TS),
	}, true
}

// who tells who we are to Slack, asking once. It is zero while that is not known, which costs only the
// check of who wrote a message.
func (s *Sender) who(ctx context.Context) identity {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if self != (identity{}) {
		return self
	}
	var a authorised
	if err := s.post(ctx, methodAuth, struct{}{}, &a); err != nil {
		s.log.DebugContext(ctx, "who the bot token belongs to is not known", "err", err)
		return identity{}
	}
	self = identity{bot: a.BotID, user: a.UserID}
	s.meet(self)
	return self
}

// meet notes who we are.
func (s *Sender) meet(self identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self.bot, s.self.user = cmp.Or(self.bot, s.self.bot), cmp.Or(self.user, s.self.user)
}

// getter reads from the Web API.
type getter func(ctx context.Context, method string, args url.Values, out any) error

// How long a read stays at the page it has reached, rather than begin again at the first.
const (
	patience   = 2 * time.Minute
	resetsMost = 4
	resetWait  = 100 * time.Millisecond // before the first of them; it doubles
)

// getPatiently is get that waits as long as Slack asks for, and tries again where no answer came.
func (s *Sender) getPatiently(ctx context.Context, method string, args url.Values, out any) error {
	return s.insist(ctx, time.Hour, method, args, out)
}

// insist tries a read again while Slack asks for patience that the budget allows, and a few times where
// no answer came: reading again does no harm.
func (s *Sender) insist(ctx context.Context, budget time.Duration, method string, args url.Values, out any) error {
	for resets := 0; ; {
		err := s.get(ctx, method, args, out)
		var f *failure
		if !errors.As(err, &f) {
			return err
		}
		wait := f.after
		switch class := f.classOf(); {
		case class == classLimited && !f.unsent() && wait <= budget:
			wait = max(wait, time.Second)
			budget -= wait
		case class == classDoubt && resets < resetsMost:
			wait = resetWait << resets
			resets++
		default:
			return err
		}
		if sleep.For(ctx, wait) != nil {
			return err
		}
	}
}
