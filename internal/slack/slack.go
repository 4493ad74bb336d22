// Package slack owns the talk with Slack: how a notice looks there, how it is posted, edited and found
// again, and what each of Slack's answers means for it. It paces nothing and never tries a post a
// second time: that is the outbox's.
//
// What decides after a failed post is whether Slack can have the message. Nothing is stored when the
// request never left, or when Slack refused it in words; in every other case the outcome is
// [notice.ErrUnknown], and only the channel's history can tell.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/notice"
)

// DefaultAPIURL is where Slack's Web API is, except for GovSlack.
const DefaultAPIURL = "https://slack.com/api/"

const defaultTimeout = 10 * time.Second

// EventType is the event_type of the metadata that every message of a bot token carries.
const EventType = "tocsin_notice"

// Options says how Slack is reached. Either BotToken or WebhookURL is needed; with both, the token is used.
type Options struct {
	BotToken   string // xoxb-...
	WebhookURL string // the whole URL is a secret
	// APIURL is the Web API's base; empty is DefaultAPIURL.
	APIURL string
	// DefaultChannel takes the notices that name no channel.
	DefaultChannel string
	// Prefix stands before everything in every message, such as "[demo]"; a notice's own replaces it.
	Prefix string
	// ProxyURL is an http, https, socks5 or socks5h proxy; empty means what HTTPS_PROXY, HTTP_PROXY and
	// NO_PROXY say.
	ProxyURL string
	// Timeout bounds each request, its answer included; 0 is 10 seconds.
	Timeout time.Duration
	// Log gets the channels joined, and at debug level what went wrong beside the point; nil discards it.
	Log *slog.Logger
	// Registerer takes the metrics; nil keeps them out of sight.
	Registerer prometheus.Registerer
	// Channels keeps the ids of channels beyond this process.
	Channels ChannelIDs
}

// ChannelIDs keeps which id a channel's name stands for, so that history can be read after a restart
// without listing all channels. Either func may be nil. An error is logged at debug level and costs only
// the listing.
type ChannelIDs struct {
	Load  func(ctx context.Context, name string) (id string, err error) // "" when the name is not known
	Store func(ctx context.Context, name, id string) error
}

// LogValue keeps secrets out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String names where messages go and nothing secret.
func (o Options) String() string { return fmt.Sprintf("slack.Options{APIURL: %q}", o.APIURL) }

// GoString names where messages go and nothing secret.
func (o Options) GoString() string { return o.String() }

// Sender says notices in Slack. Its methods may be called concurrently.
type Sender struct {
	token   string
	webhook string // the URL; empty with a token
	api     *url.URL
	channel string
	prefix  string
	timeout time.Duration
	log     *slog.Logger
	client  *http.Client
	metrics *metrics
	secrets []string

	clock  clock
	limits limits
	ids    channelIDs

	mu      sync.Mutex
	self    identity            // who we are to Slack; zero until heard
	noFiles bool                // pictures cannot be shared
	spent   map[notice.Key]bool // keys whose client_msg_id Slack ties to a message that is gone
}

// LogValue keeps secrets out of logs.
func (s *Sender) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String names where messages go and nothing secret.
func (s *Sender) String() string {
	if s.webhook != "" {
		return "slack, through a webhook"
	}
	return "slack at " + s.api.String()
}

// GoString names where messages go and nothing secret.
func (s *Sender) GoString() string { return s.String() }

// New makes a Sender. It talks to nobody yet.
func New(opts Options) (*Sender, error) {
	s := &Sender{
		token: opts.BotToken, channel: opts.DefaultChannel, prefix: opts.Prefix,
		timeout: opts.Timeout, log: opts.Log, spent: map[notice.Key]bool{},
	}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ids = channelIDs{known: map[string]string{}, keep: opts.Channels}
	base := opts.APIURL
	if base == "" {
		base = DefaultAPIURL
	}
	var err error
	switch {
	case s.token != "":
		s.secrets = append(s.secrets, s.token)
	case opts.WebhookURL != "":
		s.webhook = opts.WebhookURL
		hook, err := parseBase(s.webhook)
		if err != nil {
			return nil, errors.New("slack webhook_url is not an http(s) URL; try: copy it again from the app's page \"Incoming Webhooks\"")
		}
		s.secrets = append(s.secrets, s.webhook, hook.RequestURI(), strings.TrimPrefix(hook.RequestURI(), "/services/"))
	default:
		return nil, errors.New("slack needs a bot_token or a webhook_url")
	}
	if s.api, err = parseBase(base); err != nil {
		return nil, fmt.Errorf("slack api_url %q is not an http(s) URL; try: %s", base, DefaultAPIURL)
	}
	if !strings.HasSuffix(s.api.Path, "/") {
		s.api.Path += "/"
	}
	if s.client, err = newClient(opts.ProxyURL); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(opts.Registerer); err != nil {
		return nil, fmt.Errorf("register the metrics of slack: %w", err)
	}
	return s, nil
}

func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("not an http(s) URL")
	}
	return u, nil
}

// Edits tells whether messages can be edited: with a bot token, not through a webhook.
func (s *Sender) Edits(string) bool { return s.webhook == "" }

// History tells whether what was said can be looked up: with a bot token, not through a webhook.
func (s *Sender) History(string) bool { return s.webhook == "" }

// Clock is Slack's clock as last heard in an answer and moved on by ours, never ahead of the true one;
// zero before Slack was heard.
func (s *Sender) Clock() time.Time { return s.clock.now() }
