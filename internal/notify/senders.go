package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// Sender is what Senders need of Slack; it is the outbox's Sender.
type Sender interface {
	Post(context.Context, notice.Notice) (notice.Receipt, error)
	Edit(context.Context, notice.Notice, notice.Receipt) error
	Find(ctx context.Context, channel string, since time.Time, keys []notice.Key) (map[notice.Key]notice.Receipt, error)
	Edits(channel string) bool
	History(channel string) bool
	Clock() time.Time
}

// Senders sends each notice by the way its channel names: to an output by Prefix and its name, else to Slack.
type Senders struct {
	slack   Sender // nil without Slack
	outputs map[string]*Output
}

// Join makes one way out of Slack, which may be nil, and outputs.
func Join(slack Sender, outputs []*Output) *Senders {
	s := &Senders{slack: slack, outputs: map[string]*Output{}}
	for _, o := range outputs {
		s.outputs[Prefix+o.name] = o
	}
	return s
}

// Post implements outbox.Sender.
func (s *Senders) Post(ctx context.Context, n notice.Notice) (notice.Receipt, error) {
	if o := s.outputs[n.Channel]; o != nil {
		return o.Post(ctx, n)
	}
	if err := s.lost(n.Channel); err != nil {
		return notice.Receipt{}, err
	}
	return s.slack.Post(ctx, n)
}

// Edit implements outbox.Sender.
func (s *Senders) Edit(ctx context.Context, n notice.Notice, r notice.Receipt) error {
	if o := s.outputs[n.Channel]; o != nil {
		return o.Edit(ctx, n, r)
	}
	if err := s.lost(n.Channel); err != nil {
		return err
	}
	return s.slack.Edit(ctx, n, r)
}

// lost is the error for a channel that nothing here leads to; nil for one of Slack's.
func (s *Senders) lost(channel string) error {
	name, output := strings.CutPrefix(channel, Prefix)
	switch {
	case output:
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "no_such_output", Hint: fmt.Sprintf("add an output called %q under notify, or change the route", name)}
	case s.slack == nil:
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "no_slack", Hint: "add the section slack, or change the route"}
	}
	return nil
}

// Find implements outbox.Sender. Outputs have no history.
func (s *Senders) Find(ctx context.Context, channel string, since time.Time, keys []notice.Key) (map[notice.Key]notice.Receipt, error) {
	if !s.History(channel) {
		return nil, notice.ErrNoHistory
	}
	return s.slack.Find(ctx, channel, since, keys)
}

// Edits implements outbox.Sender.
func (s *Senders) Edits(channel string) bool {
	if o := s.outputs[channel]; o != nil {
		return o.Edits()
	}
	return s.lost(channel) == nil && s.slack.Edits(channel)
}

// History implements outbox.Sender.
func (s *Senders) History(channel string) bool {
	return s.outputs[channel] == nil && s.lost(channel) == nil && s.slack.History(channel)
}

// Clock implements outbox.Sender: Slack's clock, as only Slack is asked what it has.
func (s *Senders) Clock() time.Time {
	if s.slack == nil {
		return time.Time{}
	}
	return s.slack.Clock()
}
