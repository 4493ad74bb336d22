package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/wneessen/go-mail"
)

// Reach connects as far as can be done without saying anything, and tells in words how far that is. For e-mail
// that includes TLS and the password; for what speaks HTTP, TLS; shoutrrr cannot be tried.
func (o *Output) Reach(ctx context.Context) (string, error) {
	switch out := o.out.(type) {
	case *email:
		c, err := mail.NewClient(out.mail.Host, out.opts...)
		if err == nil {
			if err = c.DialWithContext(ctx); err == nil {
				err = c.Close()
			}
		}
		if err != nil {
			return "", fmt.Errorf("the mail server %s does not take us: %s", out.mail.Host, short(err.Error(), 200))
		}
		return "the mail server " + out.mail.Host + " takes us", nil
	case *through:
		return "messages go by shoutrrr to " + out.kind + "; whether it takes them shows with the first", nil
	case *webhook:
		return connected(ctx, &out.service)
	case *teams:
		return connected(ctx, &out.service)
	case *pagerDuty:
		return connected(ctx, &out.service)
	case *alertmanager:
		return connected(ctx, &out.service)
	}
	return "", errors.New("not a kind that can be tried")
}

// connected makes a connection to a service's host, with TLS where its address says so.
func connected(ctx context.Context, s *service) (string, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return "", errors.New("its url cannot be read")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostOf(u))
	if err != nil {
		return "", fmt.Errorf("cannot reach %s: %w", u.Host, err)
	}
	if u.Scheme == "https" {
		conf := &tls.Config{MinVersion: tls.VersionTLS12}
		if t, ok := s.client.Transport.(*http.Transport); ok && t.TLSClientConfig != nil {
			conf = t.TLSClientConfig.Clone()
		}
		conf.ServerName = u.Hostname()
		secured := tls.Client(c, conf)
		if err := secured.HandshakeContext(ctx); err != nil {
			return "", errors.Join(fmt.Errorf("cannot trust %s: %w", u.Host, err), c.Close())
		}
		c = secured
	}
	return u.Host + " can be reached; whether it takes messages shows with the first", c.Close()
}
