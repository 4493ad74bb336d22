// Package demo owns what stands in for the world outside when there is none: a strict Slack in
// memory, the page that shows its messages as Slack would, sample detections, and made-up logs. `tocsin demo`
// and the tests use it. It does not know the rooms that talk to it, and it imports none of them.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DemoToken is the bot token a Slack without SlackOptions.Tokens knows.
const DemoToken = "xoxb-demo"

// DemoWebhook is the path of the incoming webhook a Slack without SlackOptions.Webhooks knows.
const DemoWebhook = "/services/T0DEMO/B0DEMO/tocsin"

// SlackOptions configure a Slack. The zero value is a workspace with the channel #alerts, one app
// with every scope, one webhook, no limits and no faults.
type SlackOptions struct {
	Team     string         // the workspace's name
	Tokens   []SlackToken   // none: DemoToken
	Channels []SlackChannel // none: #alerts
	Webhooks []SlackWebhook // none: DemoWebhook, to the first channel
	Limits   SlackLimits    // the zero value limits nothing; SlackRealLimits is what Slack documents

	// Fault is asked once for each request, after its body was read; the zero SlackFault lets it pass.
	// It is called without locks held, by many goroutines at once.
	Fault func(SlackCall) SlackFault
	// Chances are tried in order for a request that Fault let pass; the first that hits is its fault.
	Chances []SlackChance
	Seed    uint64 // of the dice for Chances

	// OnMessage is told of every message stored, edited and deleted, in order of each channel, before
	// the answer is written. It is called with the lock held: it must be quick and must not call back.
	OnMessage func(SlackEvent)

	Now func() time.Time // Slack's clock; nil is time.Now

	// Light keeps of each message only what history needs without blocks, and no log of requests:
	// for runs with a great many messages.
	Light bool
	// Dedupe answers a repeated client_msg_id with the first message and is_duplicate. Whether Slack
	// does so is not known, so it is off unless asked for.
	Dedupe bool
	// ForwardPages gives the oldest page first where a history request names only `oldest`. Either
	// order has been seen; a client must follow the cursor to its end.
	ForwardPages bool
}

// SlackToken is one app's token.
type SlackToken struct {
	Token  string
	Scopes []string // nil: every scope
	Error  string   // answered to every call, such as token_revoked; empty: the token is good
	App    string   // the app's name, shown beside its messages; "" is Tocsin. Messages belong to an app
}

// SlackChannel is one channel.
type SlackChannel struct {
	ID       string // "" derives one from the name
	Name     string // without #
	Private  bool
	Outside  bool // the app is not a member
	Archived bool
	// Error refuses posts, such as restricted_action; empty: posts are taken.
	Error string
}

// SlackWebhook is one incoming webhook.
type SlackWebhook struct {
	Path    string // /services/T.../B.../secret
	Channel string // the channel's name
	Error   string // answered to every post, such as no_service; empty: posts are taken
	App     string // shown beside its messages; "" is Tocsin
}

// Slack is a workspace in memory behind Slack's Web API and incoming webhooks, as strict as Slack's
// documents say and stricter where they are silent. It is safe for concurrent use.
type Slack struct {
	opts SlackOptions
	now  func() time.Time

	mu       sync.Mutex
	dice     *rand.Rand
	calls    int
	lastTS   int64 // µs, the newest ts given out
	tokens   map[string]*SlackToken
	channels []*channel
	webhooks map[string]*SlackWebhook
	byTS     map[int64]*message
	byKey    map[string][]*message
	byClient map[string]*message
	windows  map[string]*window
	files    map[string]*file
	posts    int
	edits    int
	requests []SlackRequest
	version  uint64
	changed  chan struct{} // closed at the next change; nil while nobody waits
}

// channel is a channel and what was said in it, oldest first, replies and deleted messages included.
type channel struct {
	SlackChannel
	messages []*message
	alive    int // not deleted, not replies
}

// NewSlack makes a Slack.
func NewSlack(opts SlackOptions) *Slack {
	if opts.Team == "" {
		opts.Team = "Demo"
	}
	if len(opts.Tokens) == 0 {
		opts.Tokens = []SlackToken{{Token: DemoToken}}
	}
	if len(opts.Channels) == 0 {
		opts.Channels = []SlackChannel{{Name: "alerts"}}
	}
	if len(opts.Webhooks) == 0 {
		opts.Webhooks = []SlackWebhook{{Path: DemoWebhook, Channel: opts.Channels[0].Name}}
	}
	s := &Slack{
		opts: opts, now: opts.Now,
		dice:     rand.New(rand.NewPCG(opts.Seed, 0x5eed)),
		tokens:   map[string]*SlackToken{},
		webhooks: map[string]*SlackWebhook{},
		byTS:     map[int64]*message{},
		byKey:    map[string][]*message{},
		byClient: map[string]*message{},
		windows:  map[string]*window{},
		files:    map[string]*file{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, t := range opts.Tokens {
		t.App = orTocsin(t.App)
		s.tokens[t.Token] = &t
	}
	for _, w := range opts.Webhooks {
		w.App = orTocsin(w.App)
		s.webhooks[w.Path] = &w
	}
	for _, c := range opts.Channels {
		s.addChannel(c)
	}
	return s
}

func orTocsin(app string) string {
	if app == "" {
		return "Tocsin"
	}
	return app
}

func (s *Slack) addChannel(c SlackChannel) {
	c.Name = strings.TrimPrefix(c.Name, "#")
	if c.ID == "" {
		c.ID = channelID(c.Name)
	}
	s.channels = append(s.channels, &channel{SlackChannel: c})
}

// channelID derives a channel's id from its name, so that it is the same in every run.
func channelID(name string) string {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	id := strings.ToUpper(strconv.FormatUint(h, 36)) + "000000000"
	return "C0" + id[:9]
}

// methods are the Web API methods the stand-in knows.
var methods = map[string]method{
	"api.test":                     {run: (*Slack).apiTest, open: true},
	"auth.test":                    {run: (*Slack).authTest},
	"chat.postMessage":             {run: (*Slack).postMessage, scope: "chat:write", tier: tierPost, json: true},
	"chat.update":                  {run: (*Slack).update, scope: "chat:write", tier: tier3, json: true},
	"chat.delete":                  {run: (*Slack).delete, scope: "chat:write", tier: tier3, json: true},
	"reactions.add":                {run: (*Slack).addReaction, scope: "reactions:write", tier: tier3, json: true},
	"conversations.history":        {run: (*Slack).history, tier: tier3},
	"conversations.replies":        {run: (*Slack).replies, tier: tier3},
	"conversations.info":           {run: (*Slack).info, tier: tier3},
	"conversations.join":           {run: (*Slack).join, scope: "channels:join", tier: tier3, json: true},
	"conversations.list":           {run: (*Slack).list, tier: tier2},
	"files.getUploadURLExternal":   {run: (*Slack).uploadURL, scope: "files:write", tier: tier4, json: true},
	"files.completeUploadExternal": {run: (*Slack).completeUpload, scope: "files:write", tier: tier4, json: true},
	"users.info":                   {run: (*Slack).userInfo, scope: "users:read", tier: tier4},
}

// method is one Web API method.
type method struct {
	run   func(*Slack, *call) (map[string]any, *refusal)
	scope string // "" means that run asks for it: it depends on the channel
	tier  tier
	json  bool // takes its arguments as JSON too; the methods that read do not
	open  bool // needs no token
}

// ServeHTTP answers one request.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.now()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if strings.HasPrefix(r.URL.Path, "/upload/v1/") {
		s.upload(w, r)
		return
	}
	name, api := strings.CutPrefix(r.URL.Path, "/api/")
	if !api && !strings.HasPrefix(r.URL.Path, "/services/") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<!DOCTYPE html><html><body><h1>There is nothing here</h1></body></html>")
		return
	}
	if !api {
		name = "webhook"
	}
	n, chance := s.draw(name)
	if chance.Kind == SlackDropUnread {
		s.log(SlackRequest{N: n, At: now, Method: name, Fault: chance.Kind})
		hangUp(w, false)
		return
	}
	c, bad := readCall(w, r, name)
	c.n, c.at = n, now
	fault := chance
	if s.opts.Fault != nil {
		if f := s.opts.Fault(c.public()); f.Kind != "" {
			fault = f
		}
	}
	run := func(c *call) answer {
		switch {
		case !api:
			return s.webhook(c, bad)
		case bad != nil:
			return refuse(c, bad)
		default:
			return s.serveMethod(c)
		}
	}
	got, act := s.play(r, c, fault, run)
	s.log(SlackRequest{
		N: n, At: now, Method: name, Channel: c.channelAsked(), Key: c.key(), Token: c.appName(),
		Status: got.status, Error: got.code, TS: got.ts, Fault: fault.Kind, Stored: got.stored,
	})
	act(w)
}

// serveMethod checks who calls, how often, and runs the method.
func (s *Slack) serveMethod(c *call) answer {
	m, known := methods[c.method]
	if !known {
		return refuse(c, &refusal{code: "unknown_method"})
	}
	if !m.open {
		if bad := s.authorise(c, m.scope); bad != nil {
			return refuse(c, bad)
		}
	}
	if bad := s.admit(c, m.tier); bad != nil {
		return refuse(c, bad)
	}
	if c.isJSON && !m.json {
		c.args = map[string]arg{}
	}
	body, bad := m.run(s, c)
	if bad != nil {
		return refuse(c, bad)
	}
	body["ok"] = true
	ts, _ := body["ts"].(string)
	return accept(c, body, ts)
}

// authorise finds the caller's token and asks for a scope, if one is named.
func (s *Slack) authorise(c *call, scope string) *refusal {
	if c.secret == "" {
		return &refusal{code: "not_authed"}
	}
	s.mu.Lock()
	t := s.tokens[c.secret]
	s.mu.Unlock()
	switch {
	case t == nil && strings.HasPrefix(c.secret, "xapp-"):
		return &refusal{code: "not_allowed_token_type"}
	case t == nil:
		return &refusal{code: "invalid_auth"}
	case t.Error != "":
		return &refusal{code: t.Error}
	}
	c.token = t
	if scope != "" {
		return c.need(scope)
	}
	return nil
}

// SetChannel changes a channel while the stand-in runs: archived, left, refused. A name not known
// makes a new channel.
func (s *Slack) SetChannel(name string, change func(*SlackChannel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.TrimPrefix(name, "#")
	c := s.find(name)
	if c == nil {
		s.addChannel(SlackChannel{Name: name})
		c = s.channels[len(s.channels)-1]
	}
	change(&c.SlackChannel)
	s.touch()
}

// SetToken makes a token answer with an error from now on, or be good again with an empty one.
func (s *Slack) SetToken(token, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := SlackToken{Token: token, App: orTocsin("")}
	if old := s.tokens[token]; old != nil {
		t = *old
	}
	t.Error = code
	s.tokens[token] = &t
}

// SetWebhook makes a webhook answer with an error from now on, or be good again with an empty one.
func (s *Slack) SetWebhook(path, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.webhooks[path]; old != nil {
		hook := *old
		hook.Error = code
		s.webhooks[path] = &hook
	}
}

// find gives a channel by id or name. The lock is held.
func (s *Slack) find(name string) *channel {
	i := slices.IndexFunc(s.channels, func(c *channel) bool { return c.ID == name || c.Name == name })
	if i < 0 {
		return nil
	}
	return s.channels[i]
}

// touch tells those who wait that something changed. The lock is held.
func (s *Slack) touch() {
	s.version++
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// changes gives the version of the state and a channel that is closed when it is no longer the newest.
func (s *Slack) changes() (uint64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.version, s.changed
}

// ServeSlack serves a new Slack on a listener until ctx ends, which is no error. Besides Slack's own
// paths it answers /inspect/messages?channel=NAME with one SlackMessage a line, /inspect/counts with
// SlackCounts, and shows the page of messages at /.
func ServeSlack(ctx context.Context, l net.Listener, opts SlackOptions) error {
	slack := NewSlack(opts)
	page := NewPage(slack, PageOptions{})
	mux := http.NewServeMux()
	mux.Handle("/api/", slack)
	mux.Handle("/services/", slack)
	mux.Handle("/upload/", slack)
	mux.HandleFunc("GET /inspect/messages", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := json.NewEncoder(w)
		for _, m := range slack.Messages(r.URL.Query().Get("channel")) {
			if out.Encode(m) != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /inspect/counts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(slack.Counts()) // the reader went away: nobody to tell
	})
	mux.Handle("/", page)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the slack stand-in on %s: %w", l.Addr(), err)
	}
	return nil
}
