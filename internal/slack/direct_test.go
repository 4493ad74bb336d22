package slack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func noProxy(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // as http.Transport has it

// counting serves f and counts the connections that were made.
func counting(t *testing.T, f http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	made := &atomic.Int32{}
	s := httptest.NewUnstartedServer(f)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, made
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/chunked":
		w.(http.Flusher).Flush()
	case "/early":
		w.WriteHeader(http.StatusEarlyHints)
	case "/last":
		w.Header().Set("Connection", "close")
	case "/cut":
		w.Header().Set("Content-Length", "1000000")
	case "/slow":
		<-r.Context().Done()
		return
	}
	w.Write(append([]byte(r.Host+" "+r.Header.Get("X-Word")+" "), body...)) //nolint:errcheck // a test's answer
}

// ask sends one request through d; wrote is what the trace was told.
func ask(ctx context.Context, d *direct, target, body string) (answer string, wrote bool, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { wrote = false }, WroteHeaders: func() { wrote = true },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return "", false, err
	}
	req.Header.Set("X-Word", "word")
	resp, err := d.RoundTrip(req)
	if err != nil {
		return "", wrote, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), wrote, err
}

func TestRequestsShareAConnectionWhileItStands(t *testing.T) {
	s, made := counting(t, echo)
	d := &direct{proxy: noProxy}
	t.Cleanup(d.CloseIdleConnections)
	host := strings.TrimPrefix(s.URL, "http://")
	large := strings.Repeat("x", 3*lineBuffer)
	for _, c := range []struct {
		path, body  string
		connections int32
	}{
		{"/", "a", 1}, {"/chunked", large, 1}, {"/early", "b", 1}, {"/", "", 1}, {"/last", "c", 1}, {"/", "d", 2}, {"/", "e", 2},
	} {
		got, wrote, err := ask(t.Context(), d, s.URL+c.path, c.body)
		if want := host + " word " + c.body; err != nil || got != want || !wrote {
			t.Errorf("%s: %.60q (%v), want %.60q", c.path, got, err, want)
		}
		if n := made.Load(); n != c.connections {
			t.Errorf("%s: %d connections, want %d", c.path, n, c.connections)
		}
	}
	s.CloseClientConnections() // what is kept was closed from the other side: that is seen before anything is written to it
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		closed := len(d.idle) == 1 && !quiet(d.idle[0].conn)
		d.mu.Unlock()
		if closed || time.Now().After(deadline) {
			break
		}
	}
	if got, _, err := ask(t.Context(), d, s.URL+"/", "f"); err != nil || !strings.HasSuffix(got, " f") {
		t.Errorf("after the connection was closed: %q, %v", got, err)
	}
}

func TestWhatCannotHaveLeftIsToldFromWhatMayHave(t *testing.T) {
	s, _ := counting(t, echo)
	d := &direct{proxy: noProxy}
	t.Cleanup(d.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, wrote, err := ask(ctx, d, s.URL+"/slow", "a"); !wrote || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow answer: wrote %t, %v", wrote, err)
	}
	if _, wrote, err := ask(t.Context(), d, s.URL+"/cut", "a"); !wrote || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an answer cut off: wrote %t, %v", wrote, err)
	}
	if _, wrote, err := ask(ctx, d, s.URL+"/", "a"); wrote || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that has ended: wrote %t, %v", wrote, err)
	}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	if _, wrote, err := ask(t.Context(), d, secure.URL+"/", "a"); wrote || err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody known: wrote %t, %v", wrote, err)
	}
	d.roots = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, body := range []string{"a", "b"} {
		if got, wrote, err := ask(t.Context(), d, secure.URL+"/", body); !wrote || err != nil || !strings.HasSuffix(got, " "+body) || len(d.idle) != 1 {
			t.Errorf("a known certificate: %q, wrote %t, %v, %d connections kept", got, wrote, err, len(d.idle))
		}
	}
	d.CloseIdleConnections()
	gone := httptest.NewServer(http.HandlerFunc(echo))
	gone.Close()
	if _, wrote, err := ask(t.Context(), d, gone.URL+"/", "a"); wrote || err == nil {
		t.Errorf("nobody there: wrote %t, %v", wrote, err)
	}
	if len(d.idle) != 0 {
		t.Errorf("%d connections of failed requests are kept", len(d.idle))
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAProxyIsLeftToTheTransport(t *testing.T) {
	asked := false
	d := &direct{
		proxy: func(*http.Request) (*url.URL, error) {
			return &url.URL{Scheme: "http", Host: "proxy.example:3128"}, nil
		},
		rest: roundTripper(func(*http.Request) (*http.Response, error) {
			asked = true
			return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(nil))}, nil
		}),
	}
	if _, _, err := ask(t.Context(), d, "http://slack.example/", "a"); err != nil || !asked {
		t.Errorf("the transport was asked: %t, %v", asked, err)
	}
}
