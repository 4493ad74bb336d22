package slack

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// channel is a conversation as Slack tells it.
type channel struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Normalized string `json:"name_normalized"`
	Private    bool   `json:"is_private"`
	Archived   bool   `json:"is_archived"`
	Member     bool   `json:"is_member"`
}

// idShape is what Slack's ids of channels, private channels and direct messages look like.
var idShape = regexp.MustCompile(`^[CGD][A-Z0-9]{7,}$`)

func isID(name string) bool { return idShape.MatchString(name) }

func bareName(name string) string { return strings.ToLower(strings.TrimPrefix(name, "#")) }

// channelIDs remembers the ids behind names.
type channelIDs struct {
	keep ChannelIDs

	mu    sync.Mutex
	known map[string]string
}

func (c *channelIDs) get(ctx context.Context, log *slog.Logger, name string) string {
	name = bareName(name)
	c.mu.Lock()
	id := c.known[name]
	c.mu.Unlock()
	if id != "" || c.keep.Load == nil {
		return id
	}
	id, err := c.keep.Load(ctx, name)
	if err != nil {
		log.DebugContext(ctx, "the id of a channel could not be read", "channel", name, "err", err)
		return ""
	}
	if id != "" {
		c.mu.Lock()
		c.known[name] = id
		c.mu.Unlock()
	}
	return id
}

// learn remembers an id that Slack told.
func (c *channelIDs) learn(ctx context.Context, log *slog.Logger, name, id string) {
	name = bareName(name)
	if id == "" || name == "" || isID(strings.ToUpper(name)) && strings.EqualFold(name, id) {
		return
	}
	c.mu.Lock()
	same := c.known[name] == id
	c.known[name] = id
	c.mu.Unlock()
	if same || c.keep.Store == nil {
		return
	}
	if err := c.keep.Store(ctx, name, id); err != nil {
		log.DebugContext(ctx, "the id of a channel could not be kept", "channel", name, "err", err)
	}
}

func (c *channelIDs) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, bareName(name))
}

// resolve gives the id of a channel, asking Slack where it is not known. The name itself is given
// where Slack does not list it.
func (s *Sender) resolve(ctx context.Context, name string, fresh bool) (string, error) {
	if isID(name) {
		return name, nil
	}
	if !fresh {
		if id := s.ids.get(ctx, s.log, name); id != "" {
			return id, nil
		}
	}
	c, err := s.lookup(ctx, name)
	if err != nil {
		return "", err
	}
	if c == nil {
		return name, nil
	}
	s.ids.learn(ctx, s.log, name, c.ID)
	return c.ID, nil
}

// list finds a channel by name in the list of all; nil when it is not there. Where the app may see
// only the public ones, it looks through those.
func (s *Sender) list(ctx context.Context, name string, live bool) (*channel, error) {
	found, err := s.listOf(ctx, name, live, "public_channel,private_channel")
	var f *failure
	if errors.As(err, &f) && f.code == "missing_scope" {
		for _, kind := range []string{"public_channel", "private_channel"} {
			found, err = s.listOf(ctx, name, live, kind)
			if found != nil || err != nil && !(errors.As(err, &f) && f.code == "missing_scope") {
				return found, err
			}
		}
		return nil, nil
	}
	return found, err
}

func (s *Sender) listOf(ctx context.Context, name string, live bool, kinds string) (*channel, error) {
	want := bareName(name)
	args := url.Values{"types": {kinds}, "limit": {"999"}, "exclude_archived": {"false"}}
	if live {
		args.Set("exclude_archived", "true")
	}
	for range pagesMost {
		var page struct {
			Channels []channel `json:"channels"`
			Metadata struct {
				NextCursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := s.get(ctx, methodList, args, &page); err != nil {
			return nil, err
		}
		for _, c := range page.Channels {
			if c.Name == want || c.Normalized == want {
				return &c, nil
			}
		}
		next := page.Metadata.NextCursor
		if next == "" {
			return nil, nil
		}
		if next == args.Get("cursor") {
			return nil, errors.New("list channels: the pages do not end")
		}
		args.Set("cursor", next)
	}
	return nil, errors.New("list channels: the pages do not end")
}

// lookup finds a channel, archived ones last; nil when there is none of that name.
func (s *Sender) lookup(ctx context.Context, name string) (*channel, error) {
	if !isID(name) {
		c, err := s.list(ctx, name, true)
		if c != nil || err != nil {
			return c, err
		}
		return s.list(ctx, name, false)
	}
	var info struct {
		Channel channel `json:"channel"`
	}
	if err := s.get(ctx, methodInfo, url.Values{"channel": {name}}, &info); err != nil {
		return nil, err
	}
	return &info.Channel, nil
}

// join makes the app a member of a public channel, and reports whether it is one now.
func (s *Sender) join(ctx context.Context, name string) bool {
	id, err := s.resolve(ctx, name, false)
	if err == nil {
		err = s.post(ctx, methodJoin, map[string]string{"channel": id}, nil)
	}
	if err != nil {
		s.log.DebugContext(ctx, "the channel could not be joined", "channel", name, "err", err)
		return false
	}
	s.log.InfoContext(ctx, "joined the channel", "channel", name)
	return true
}
