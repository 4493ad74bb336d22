package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"tocsin/internal/notice"
)

// through says notices as text by shoutrrr: Discord, Telegram, Google Chat, Matrix, ntfy and the rest it knows.
type through struct {
	router *router.ServiceRouter
	kind   string
	secret string
	slot   chan struct{} // a service keeps state while it sends: one try at a time
}

// shoutrrrMost is how long a text may be for the strictest of the services (Discord, 2,000).
const shoutrrrMost = 1900

func newShoutrrr(o Options) (output, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("its url must be one of shoutrrr, such as discord://token@id")
	}
	kind, _, _ := strings.Cut(u.Scheme, "+")
	switch kind {
	case "slack", "smtp", "pagerduty", "teams":
		return nil, fmt.Errorf("%s has its own kind here: use that", kind)
	case "logger":
		return nil, errors.New("logger says nothing to anyone")
	}
	s, err := shoutrrr.CreateSender(o.URL)
	if err != nil {
		return nil, fmt.Errorf("its url is not what shoutrrr knows of %s: see the service's page in shoutrrr's documentation", short(kind, 30))
	}
	s.Timeout = timeout
	return &through{router: s, kind: kind, secret: o.URL, slot: make(chan struct{}, 1)}, nil
}

func (t *through) post(ctx context.Context, n notice.Notice) error {
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return &notice.RetryError{Scope: notice.ScopeChannel, Code: "busy", Err: ctx.Err()}
	}
	text := unpinged(title(n) + "\n" + body(lines(n), shoutrrrMost-titleMost-2))
	var errs []error
	for _, err := range t.router.Send(text, &types.Params{}) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	err := errors.Join(errs...)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, router.ErrServiceTimeout):
		return fmt.Errorf("%w: %s gave no answer", notice.ErrUnknown, t.kind)
	}
	// What shoutrrr says is not kept: its errors may hold the URL, and with it the secret.
	return &notice.RetryError{Scope: notice.ScopeChannel, Code: t.kind + "_failed", Doubtful: true, Err: errors.New(t.redacted(err))}
}

// redacted is an error's text without anything of the URL.
func (t *through) redacted(err error) string {
	text := err.Error()
	if strings.Contains(text, "://") {
		return "the service could not be reached or refused the message"
	}
	for _, part := range strings.FieldsFunc(t.secret, func(r rune) bool { return strings.ContainsRune(":/@?&=", r) }) {
		if len(part) > 5 {
			text = strings.ReplaceAll(text, part, "***")
		}
	}
	return short(text, 200)
}

// unpinged keeps names that ring from being read into foreign text.
func unpinged(s string) string { return strings.ReplaceAll(s, "@", "@\u200b") }

func (*through) edits() bool { return false }
