package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// service is how a kind reads its service's answers.
type service struct {
	client *http.Client
	url    string
	header http.Header
	// hint says what to do when it refuses us; code is the status.
	hint func(code int) string
}

// send makes one try with a body of JSON. What failed before anything was written may be tried again; after
// that no answer means that it may have been said.
func (s *service) send(ctx context.Context, body []byte, extra http.Header) error {
	written := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written = true }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: "bad_url", Hint: "correct its url"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "tocsin")
	for _, h := range []http.Header{s.header, extra} {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	r.GetBody = nil // the transport must not send it a second time by itself
	answer, err := s.client.Do(r)
	if err != nil {
		err = bare(err)
		if !written {
			return &notice.RetryError{Scope: notice.ScopeChannel, Code: "unreachable", Err: err}
		}
		return fmt.Errorf("%w: %w", notice.ErrUnknown, err)
	}
	defer answer.Body.Close()                                 //nolint:errcheck // it was read as far as it is wanted
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 2<<10)) //nolint:errcheck // the status decides
	io.Copy(io.Discard, io.LimitReader(answer.Body, 256<<10)) //nolint:errcheck // so that the connection can be used again
	return s.judge(answer.StatusCode, answer.Header, string(text))
}

// judge tells what an answer means.
func (s *service) judge(code int, header http.Header, text string) error {
	name := "http_" + strconv.Itoa(code)
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable, code == http.StatusBadGateway:
		return &notice.RetryError{After: retryAfter(header), Scope: notice.ScopeChannel, Code: name}
	case code >= 500, code == http.StatusRequestTimeout:
		return &notice.RetryError{Scope: notice.ScopeChannel, Code: name, Doubtful: true}
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return &notice.RejectedError{Scope: notice.ScopeMessage, Code: name, Hint: "it answered: " + short(text, 200)}
	}
	hint := "check its url and key"
	if s.hint != nil {
		hint = s.hint(code)
	}
	return &notice.RejectedError{Scope: notice.ScopeChannel, Code: name, Hint: hint}
}

// bare is a request's error without its URL, which may hold a secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter is how long the service asks us to wait; 0 where it does not say.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), time.Hour)
	}
	return 0
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// hostOf is a URL's host and port, with the port of its scheme where it names none.
func hostOf(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// encode writes a body. What is encoded here is made of strings, numbers and times, which JSON can hold.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a notice: %w", err)
	}
	return b, nil
}
