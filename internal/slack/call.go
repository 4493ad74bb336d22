package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tocsin/internal/jsonscan"
)

const (
	// answerMost bounds an answer. A page of history with 200 of the largest messages is far below.
	answerMost  = 32 << 20
	connectMost = 5 * time.Second
	// retryMost bounds what a Retry-After can ask for: a nonsensical one must not stop us for years.
	retryMost = 24 * time.Hour
)

// newClient makes the one HTTP client. Two things about it guard posts: redirects are not followed,
// which would send a body and a token elsewhere, and it speaks HTTP/1.1 only. There net/http sends a
// POST once: it takes another connection only when not one byte was written to a kept one.
func newClient(proxy string) (*http.Client, error) {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectMost, KeepAlive: 30 * time.Second}).DialContext,
		Protocols:             &protocols,
		TLSHandshakeTimeout:   connectMost,
		MaxIdleConns:          16,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       45 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("slack proxy_url is not a URL; try: http://proxy.example:3128")
		}
		switch u.Scheme {
		case "http", "https", "socks5", "socks5h":
		default:
			return nil, fmt.Errorf("slack proxy_url has the scheme %q; http, https, socks5 and socks5h work", u.Scheme)
		}
		t.Proxy = http.ProxyURL(u)
	}
	return &http.Client{
		Transport:     &direct{proxy: t.Proxy, rest: t, dialer: net.Dialer{Timeout: connectMost, KeepAlive: 30 * time.Second}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// reply is an answer as it came.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// verdict is what every answer of the Web API begins with.
type verdict struct {
	OK       *bool  `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"`
	Provided string `json:"provided"`
	Metadata struct {
		Messages   []string `json:"messages"`
		NextCursor string   `json:"next_cursor"`
	} `json:"response_metadata"`
}

// failure is a call that brought no success, before it is judged by what the call was for.
type failure struct {
	method string
	// wrote says that the request may have reached Slack. Without it, it has not.
	wrote  bool
	status int    // HTTP's; 0 when no answer came
	code   string // Slack's word; "" when the answer holds none
	after  time.Duration
	needed string // the scope that is missing
	detail string // what else Slack says about it
	err    error  // what went wrong with the talk itself
}

func (f *failure) Error() string {
	switch {
	case f.code != "" && f.detail != "":
		return f.method + ": " + f.code + " (" + f.detail + ")"
	case f.code != "":
		return f.method + ": " + f.code
	case f.status != 0:
		return fmt.Sprintf("%s: HTTP %d: %v", f.method, f.status, f.err)
	default:
		return f.method + ": " + f.err.Error()
	}
}

func (f *failure) Unwrap() error { return f.err }

// get calls a method that reads. Slack takes no JSON there.
func (s *Sender) get(ctx context.Context, method string, args url.Values, out any) error {
	_, err := s.method(ctx, method, "application/x-www-form-urlencoded", []byte(args.Encode()), out)
	return err
}

// post calls a method that writes.
func (s *Sender) post(ctx context.Context, method string, args, out any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	_, err = s.method(ctx, method, "application/json; charset=utf-8", body, out)
	return err
}

// method calls one method of the Web API, once, and gives the answer's header. Its error is a *failure.
func (s *Sender) method(ctx context.Context, method, contentType string, body []byte, out any) (http.Header, error) {
	if wait := s.limits.wait(method); wait > 0 {
		return nil, &failure{method: method, status: http.StatusTooManyRequests, code: "ratelimited", after: wait}
	}
	target := *s.api
	target.Path += method
	r, fail := s.exchange(ctx, method, target.String(), contentType, body)
	if fail != nil {
		return nil, fail
	}
	if fail := s.read(method, r, out); fail != nil {
		s.limits.set(method, fail)
		return nil, fail
	}
	return r.header, nil
}

// read judges an answer of the Web API and decodes a success into out.
func (s *Sender) read(method string, r *reply, out any) *failure {
	body := r.body
	if _, post := out.(*posted); post {
		body = withoutEcho(body)
	}
	var v verdict
	parseErr := json.Unmarshal(body, &v)
	if parseErr == nil && v.OK == nil {
		parseErr = errors.New("the answer is not Slack's; check api_url and proxy_url")
	}
	f := &failure{method: method, wrote: true, status: r.status, needed: s.word(v.Needed)}
	if parseErr == nil {
		f.code = s.word(v.Error)
		f.detail = s.say(strings.Join(v.Metadata.Messages, "; "))
	}
	switch {
	case r.status == http.StatusTooManyRequests:
		f.after = retryAfter(r.header, s.clock.now())
		f.code = cmp.Or(f.code, "ratelimited")
		s.hear(r)
		return f
	case r.status >= 500:
		f.err = notSlack(r, parseErr)
		return f
	case parseErr != nil:
		f.err = notSlack(r, parseErr)
		return f
	case !*v.OK:
		f.code = cmp.Or(f.code, "unnamed_error")
		s.hear(r)
		return f
	case r.status < 200 || r.status > 299:
		f.err = errors.New("the status contradicts the answer")
		return f
	}
	s.hear(r)
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		f.code, f.err = "", fmt.Errorf("read the answer: %w", err)
		return f
	}
	return nil
}

// withoutEcho shortens the answer to a post, which is mostly the message as Slack stored it, to who wrote
// that. What is not such an answer stays as it is.
func withoutEcho(body []byte) []byte {
	short := append(make([]byte, 0, 512), '{')
	odd := false
	add := func(key string, value []byte) {
		if short[len(short)-1] != '{' {
			short = append(short, ',')
		}
		odd = odd || strings.ContainsFunc(key, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') })
		short = append(append(append(append(short, '"'), key...), '"', ':'), value...)
	}
	err := jsonscan.Object(body, func(key string, value []byte) error {
		if key != "message" || value[0] != '{' {
			add(key, value)
			return nil
		}
		add(key, []byte("{"))
		err := jsonscan.Object(value, func(key string, value []byte) error {
			if key == "bot_id" || key == "user" {
				add(key, value)
			}
			return nil
		})
		short = append(short, '}')
		return err
	})
	if err != nil || odd {
		return body
	}
	return append(short, '}')
}

func notSlack(r *reply, parseErr error) error {
	if parseErr == nil {
		return errors.New(http.StatusText(r.status))
	}
	var syntax *json.SyntaxError
	if errors.As(parseErr, &syntax) {
		parseErr = errors.New("it is not JSON, or not all of it")
	}
	kind, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	return fmt.Errorf("the answer of %d bytes of %s cannot be read: %w", len(r.body), printable(cmp.Or(kind, "no type"), 60), parseErr)
}

// exchange sends one request and reads the whole answer.
func (s *Sender) exchange(ctx context.Context, method, target, contentType string, body []byte) (*reply, *failure) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// net/http asks for a connection again only when it wrote nothing to the one before, so each asking
	// begins anew. WroteHeaders comes before the first byte leaves, and a failed request's connection
	// is closed before its error is returned: what is not noted by then can no longer leave.
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { wrote.Store(false) },
		WroteHeaders: func() { wrote.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, &failure{method: method, err: s.clean(err)}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "tocsin")
	if s.token != "" && method != methodUpload {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	start := time.Now()
	defer func() { s.metrics.seconds.WithLabelValues(method).Observe(time.Since(start).Seconds()) }()
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, &failure{method: method, wrote: wrote.Load(), err: s.clean(err)}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, answerMost+1))
	r := &reply{status: resp.StatusCode, header: resp.Header, body: got}
	switch {
	case err != nil && resp.StatusCode == http.StatusTooManyRequests: // its header says all
	case err != nil:
		return nil, &failure{method: method, wrote: true, status: resp.StatusCode, err: s.clean(fmt.Errorf("read the answer: %w", err))}
	case len(got) > answerMost:
		return nil, &failure{method: method, wrote: true, status: resp.StatusCode, err: errors.New("the answer is longer than any of Slack's")}
	}
	return r, nil
}

// hear sets the clock by an answer that is Slack's own.
func (s *Sender) hear(r *reply) {
	if at, err := http.ParseTime(r.header.Get("Date")); err == nil {
		s.clock.hear(at)
	}
}

// retryAfter reads Retry-After: whole seconds as Slack writes it, or a date as proxies may. 0 is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, retryMost.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if now.IsZero() {
		now = time.Now()
	}
	return min(max(0, at.Sub(now)), retryMost)
}

// clean takes secrets out of an error. net/http's own names the URL, which is a webhook's secret.
func (s *Sender) clean(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		err = named.Err
	}
	text := err.Error()
	if safe := s.redact(text); safe != text {
		return errors.New(safe)
	}
	return err
}

func (s *Sender) redact(text string) string {
	for _, secret := range s.secrets {
		if len(secret) > 3 {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}

// say makes what Slack sent fit for a log.
func (s *Sender) say(text string) string { return printable(s.redact(text), 400) }

// word makes a code of Slack's fit for a log and a metric: letters, digits and a few signs.
func (s *Sender) word(code string) string {
	code = strings.Map(func(r rune) rune {
		if r == '_' || r == ':' || r == '.' || r == '-' || r == ',' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, s.redact(code))
	return code[:min(len(code), 200)]
}

func printable(text string, most int) string {
	return cutTo(tidy(text), most)
}
