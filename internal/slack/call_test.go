package slack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/internal/notice"
)

const okAnswer = `{"ok":true,"channel":"C0123456789","ts":"1774425600.000100","message":{}}`

// wire is a server of raw connections. It counts the requests that arrived whole.
type wire struct {
	url   string
	whole atomic.Int64
	conns atomic.Int64
}

// listen serves each connection by a function, which is told the connection's number from 1.
func listen(t *testing.T, serve func(w *wire, n int64, c net.Conn)) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "http://" + l.Addr().String()}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := w.conns.Add(1)
			open.Go(func() {
				defer c.Close()
				serve(w, n, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Wait()
	})
	return w
}

// take reads one request whole and counts it.
func (w *wire) take(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	w.whole.Add(1)
	return true
}

func answer(c net.Conn, body string) {
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// Whatever a server does with its connections, a post arrives at most once, and what is said not to
// have arrived has not.
func TestAPostIsNeverSentTwice(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(w *wire, n int64, c net.Conn)
		posts int
		// want is the meaning of the last post; "" where it depends on what the kernel saw first.
		want string
	}{
		{"reads, then closes", func(w *wire, _ int64, c net.Conn) { w.take(bufio.NewReader(c)) }, 1, "unknown"},
		{"reads, then resets", func(w *wire, _ int64, c net.Conn) {
			w.take(bufio.NewReader(c))
			reset(c)
		}, 1, "unknown"},
		{"answers half", func(w *wire, _ int64, c net.Conn) {
			w.take(bufio.NewReader(c))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"ok\":true")
		}, 1, "unknown"},
		{"answers half a status line", func(w *wire, _ int64, c net.Conn) {
			w.take(bufio.NewReader(c))
			fmt.Fprint(c, "HTTP/1.1 2")
		}, 1, "unknown"},
		{"answers no HTTP", func(w *wire, _ int64, c net.Conn) {
			w.take(bufio.NewReader(c))
			fmt.Fprint(c, "220 mail.example ESMTP\r\n")
		}, 1, "unknown"},
		{"keeps the connection once, reads the second, closes", func(w *wire, _ int64, c net.Conn) {
			r := bufio.NewReader(c)
			if w.take(r) {
				answer(c, okAnswer)
				w.take(r)
			}
		}, 2, "unknown"},
		{"keeps the connection once, reads the second, resets", func(w *wire, _ int64, c net.Conn) {
			r := bufio.NewReader(c)
			if w.take(r) {
				answer(c, okAnswer)
				w.take(r)
				reset(c)
			}
		}, 2, "unknown"},
		{"keeps the connection, closes it as the next request begins", func(w *wire, _ int64, c net.Conn) {
			r := bufio.NewReader(c)
			if w.take(r) {
				answer(c, okAnswer)
				_, _ = r.Peek(1)
			}
		}, 6, ""},
		{"keeps the connection, resets it as the next request begins", func(w *wire, _ int64, c net.Conn) {
			r := bufio.NewReader(c)
			if w.take(r) {
				answer(c, okAnswer)
				_, _ = r.Peek(1)
				reset(c)
			}
		}, 6, ""},
		{"closes after each answer without saying so", func(w *wire, _ int64, c net.Conn) {
			if w.take(bufio.NewReader(c)) {
				answer(c, okAnswer)
			}
		}, 200, ""},
		{"resets after each answer", func(w *wire, _ int64, c net.Conn) {
			if w.take(bufio.NewReader(c)) {
				answer(c, okAnswer)
				_, _ = io.Copy(io.Discard, io.LimitReader(c, 1))
				reset(c)
			}
		}, 50, ""},
		{"closes at once", func(_ *wire, _ int64, c net.Conn) {}, 20, ""},
		{"resets at once", func(_ *wire, _ int64, c net.Conn) { reset(c) }, 20, ""},
		{"closes every other connection after reading", func(w *wire, n int64, c net.Conn) {
			r := bufio.NewReader(c)
			for w.take(r) && n%2 == 0 {
				answer(c, okAnswer)
			}
		}, 20, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := listen(t, c.serve)
			s := bot(t, w.url)
			for i := range c.posts {
				before := w.whole.Load()
				_, err := s.Post(t.Context(), samples()[i%3])
				got := meaning(err)
				arrived := w.whole.Load() - before
				if arrived > 1 {
					t.Fatalf("post %d arrived %d times", i, arrived)
				}
				if arrived == 1 && got != "ok" && got != "unknown" {
					t.Fatalf("post %d arrived and is said not to have: %v", i, err)
				}
				if got != "ok" && got != "unknown" && !strings.HasPrefix(got, "retry service") {
					t.Fatalf("post %d: %v", i, err)
				}
				if i == c.posts-1 && c.want != "" && got != c.want {
					t.Fatalf("post %d: %v, want %s", i, err, c.want)
				}
			}
		})
	}
}

func TestAPostThatNeverLeftIsRefused(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	closed.Close()

	tlsServer := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without trust") }))
	defer tlsServer.Close()
	tlsServer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	plainServer := answering(t, 200, okAnswer)

	refusing := listen(t, func(_ *wire, _ int64, c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprint(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		}
	})
	speechless := listen(t, func(_ *wire, _ int64, c net.Conn) { _, _ = c.Read(make([]byte, 1)) })

	for _, c := range []struct {
		name, base, proxy, code string
	}{
		{"nobody listens", nobody, "", "unreachable"},
		{"no such host", "http://slack..invalid", "", "dns"},
		{"a certificate nobody knows", tlsServer.URL, "", "tls"},
		{"no TLS at all", strings.Replace(plainServer.URL, "http:", "https:", 1), "", "tls"},
		{"the proxy is not there", "https://slack.example", nobody, "proxy"},
		{"the proxy refuses", "https://slack.example", refusing.url, "unreachable"},
		{"the proxy hangs up", "https://slack.example", speechless.url, "unreachable"},
		{"the proxy is no SOCKS", "https://slack.example", strings.Replace(speechless.url, "http:", "socks5:", 1), "unreachable"},
	} {
		for kind, make := range map[string]func(*testing.T, string, ...func(*Options)) *Sender{"bot": bot, "webhook": hook} {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				s := make(t, c.base, func(o *Options) { o.ProxyURL = c.proxy })
				_, err := s.Post(t.Context(), samples()[0])
				var retry *notice.RetryError
				if !errors.As(err, &retry) || retry.Scope != notice.ScopeService || retry.Doubtful {
					t.Fatalf("got %v", err)
				}
				if retry.Code != c.code && retry.Code != "proxy" {
					t.Errorf("code %s, want %s: %v", retry.Code, c.code, err)
				}
			})
		}
	}
}

func TestCancelledBeforeAndAfter(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()

	s := bot(t, server.URL)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Post(gone, samples()[0]); meaning(err) != "retry service 0s" {
		t.Errorf("cancelled before: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := s.Post(ctx, samples()[0]); meaning(err) != "unknown" {
		t.Errorf("cancelled after: %v", err)
	}

	s = bot(t, server.URL, func(o *Options) { o.Timeout = 200 * time.Millisecond })
	if _, err := s.Post(t.Context(), samples()[0]); meaning(err) != "unknown" {
		t.Errorf("no answer in time: %v", err)
	}
}

// A redirect would send the token and the message elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		server := answering(t, status, "", "Location", other.URL+"/api/chat.postMessage")
		for _, s := range []*Sender{bot(t, server.URL), hook(t, server.URL)} {
			if _, err := s.Post(t.Context(), samples()[0]); err == nil {
				t.Errorf("%d is taken for a success", status)
			}
		}
	}
	if followed.Load() > 0 {
		t.Errorf("followed %d redirects", followed.Load())
	}
}

func TestAnAnswerWithoutEndIsGivenUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		for range (answerMost >> 20) + 2 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	s := bot(t, server.URL)
	if _, err := s.Post(t.Context(), samples()[0]); meaning(err) != "unknown" {
		t.Errorf("got %v", err)
	}
}

func TestSecretsStandInNoError(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, r.URL.String(), r.Header.Get("Authorization"))
	}))
	defer echo.Close()
	hangUp := listen(t, func(w *wire, _ int64, c net.Conn) { w.take(bufio.NewReader(c)) })
	for _, base := range []string{"http://" + closed.Addr().String(), echo.URL, hangUp.url, "http://slack..invalid", strings.Replace(echo.URL, "http", "https", 1)} {
		for _, s := range []*Sender{bot(t, base), hook(t, base)} {
			_, err := s.Post(t.Context(), samples()[0])
			texts := []string{fmt.Sprintf("%v %+v %#v", err, err, err)}
			for _, f := range s.Check(t.Context()) {
				texts = append(texts, f.What, f.Try)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				texts = append(texts, e.Error())
				var u *url.Error
				if errors.As(e, &u) {
					t.Errorf("an error names the URL: %v", u)
				}
			}
			for _, text := range texts {
				if strings.Contains(text, "secret") && !strings.Contains(text, "[secret]") || strings.Contains(text, testToken) || strings.Contains(text, "B0TEST") {
					t.Errorf("a secret in %q", text)
				}
			}
		}
	}
	for _, s := range []*Sender{bot(t, "https://slack.example"), hook(t, "https://slack.example")} {
		if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.LogValue()); strings.Contains(text, "secret") {
			t.Errorf("a secret in %q", text)
		}
	}
	opts := Options{BotToken: testToken, WebhookURL: "https://hooks.slack.example" + testWebhook}
	if text := fmt.Sprintf("%v %+v %#v %s", opts, opts, opts, opts.LogValue()); strings.Contains(text, "secret") {
		t.Errorf("a secret in %q", text)
	}
	for _, o := range []Options{{WebhookURL: "ht!tp://secret"}, {WebhookURL: "hooks.slack.com/services/secret"}, {BotToken: "xoxb-secret", ProxyURL: "http://user:secret@%zz"}, {BotToken: "xoxb-secret", ProxyURL: "gopher://user:secret@x"}} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestTheEchoOfAMessageIsLeftOut(t *testing.T) {
	for in, want := range map[string]string{
		`{"ok":true,"ts":"1.2","message":{"text":"{\"x\"}","bot_id":"B1","blocks":[{"a":[1]}],"user":"U1"},"channel":"C1"}`: `{"ok":true,"ts":"1.2","message":{"bot_id":"B1","user":"U1"},"channel":"C1"}`,
		` {"ok" : false , "error":"x"} `:    `{"ok":false,"error":"x"}`,
		`{"message":{},"ok":true}`:          `{"message":{},"ok":true}`,
		`{"ok":true,"message":null}`:        `{"ok":true,"message":null}`,
		`{"ok":true,"Message":{"a":1}}`:     `{"ok":true,"Message":{"a":1}}`,
		`{"ok":true,"message":{"text":"a`:   `{"ok":true,"message":{"text":"a`,
		`<html>`:                            `<html>`,
		``:                                  ``,
		`{"ok":true,"a\"b":1,"message":{}}`: `{"ok":true,"a\"b":1,"message":{}}`,
	} {
		if got := string(withoutEcho([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
