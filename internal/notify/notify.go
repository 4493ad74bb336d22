// Package notify owns the ways out beside Slack: e-mail, signed webhooks, Microsoft Teams, PagerDuty,
// Alertmanager, and what shoutrrr reaches. Each is a Sender of the outbox that makes one try at a time. It
// stores nothing and decides nothing. All are at-least-once: none has a history that could be asked, so a
// notice whose answer was lost may be said twice; PagerDuty, Alertmanager and webhooks are given the notice's
// key, by which they can tell.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// Prefix begins the channel of every output that is not Slack: the rest is the output's name.
const Prefix = "notify:"

// Kind is a way out.
type Kind string

// The kinds.
const (
	Email        Kind = "email"
	Webhook      Kind = "webhook"
	Teams        Kind = "teams"
	PagerDuty    Kind = "pagerduty"
	Alertmanager Kind = "alertmanager"
	Shoutrrr     Kind = "shoutrrr"
)

// Kinds lists them all.
var Kinds = []Kind{Email, Webhook, Teams, PagerDuty, Alertmanager, Shoutrrr}

// Options say where one output goes. Which of them are wanted depends on the kind.
type Options struct {
	Name string // as routes name it, without Prefix
	Kind Kind
	// URL is the address of a webhook, a Teams workflow, an Alertmanager or PagerDuty's events (its own unless
	// given), or the URL of a shoutrrr service. It is a secret: it is in no error and no log.
	URL string
	// Secret signs what a webhook is sent, or is PagerDuty's routing key.
	Secret             string
	Username, Password string // for a webhook and Alertmanager with basic authentication, and for e-mail
	Mail               Mail
	// Page is the address people reach Tocsin at, for links back; "" makes none.
	Page string
	Log  *slog.Logger
	// Client makes the requests; nil is one that verifies TLS, follows no redirect and gives up after 20 seconds.
	Client *http.Client
}

// output is one way out. edits tells that saying a key again replaces what was said before.
type output interface {
	post(context.Context, notice.Notice) error
	edits() bool
}

// Output says notices to one place. Its methods may be called concurrently.
type Output struct {
	name string
	kind Kind
	out  output
}

// timeout is how long one try may take.
const timeout = 20 * time.Second

// New checks the options. Nothing is connected to.
func New(o Options) (*Output, error) {
	if o.Name == "" || o.Log == nil {
		return nil, errors.New("notify: Name and Log are required")
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	var (
		out output
		err error
	)
	switch o.Kind {
	case Email:
		out, err = newEmail(o)
	case Webhook:
		out, err = newWebhook(o)
	case Teams:
		out, err = newTeams(o)
	case PagerDuty:
		out, err = newPagerDuty(o)
	case Alertmanager:
		out, err = newAlertmanager(o)
	case Shoutrrr:
		out, err = newShoutrrr(o)
	default:
		err = fmt.Errorf("no kind is called %q: there are %s", o.Kind, kindList())
	}
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", o.Name, err)
	}
	return &Output{name: o.Name, kind: o.Kind, out: out}, nil
}

func kindList() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// Post says the notice. Errors: notice.ErrUnknown, *notice.RetryError, *notice.RejectedError.
func (o *Output) Post(ctx context.Context, n notice.Notice) (notice.Receipt, error) {
	if err := o.out.post(ctx, n); err != nil {
		return notice.Receipt{}, err
	}
	return notice.Receipt{Channel: Prefix + o.name, At: time.Now().UTC()}, nil
}

// Edit says the notice again under its key, which replaces what was said. Where nothing can be replaced it
// fails with notice.ErrGone.
func (o *Output) Edit(ctx context.Context, n notice.Notice, _ notice.Receipt) error {
	if !o.out.edits() {
		return notice.ErrGone
	}
	return o.out.post(ctx, n)
}

// Edits reports whether Edit can work.
func (o *Output) Edits() bool { return o.out.edits() }

// address reads an http or https URL; plain http is for this machine alone, as secrets travel with it.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("its url must be an address such as https://hooks.example.com/tocsin")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, errors.New("its url must begin with https://: plain http is for this machine alone")
	}
	return u, nil
}
