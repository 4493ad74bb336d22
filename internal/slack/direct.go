package slack

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// direct sends requests over HTTP/1.1 on the goroutine that asks, where no proxy stands between: net/http
// hands each to two goroutines of the connection's, which costs as much as the request itself. What it
// keeps of http.Transport is what posts rest on: an asking for a connection is told to the trace before
// it, and the headers before the first byte leaves; a request is sent once, and again only when not one
// byte of it was written to a connection that had been kept; a failed request's connection is closed
// before its error is returned.
type direct struct {
	proxy  func(*http.Request) (*url.URL, error)
	rest   http.RoundTripper // for what goes through a proxy
	dialer net.Dialer
	roots  *x509.CertPool // nil is the system's

	mu   sync.Mutex
	idle []*line // the last used last
}

const (
	idleMost   = 4 // connections that are kept
	idleFor    = 45 * time.Second
	lineBuffer = 8 << 10
	headerMost = 1 << 20 // of an answer
)

// line is one connection.
type line struct {
	conn  net.Conn
	to    string // scheme and address
	r     *bufio.Reader
	w     *bufio.Writer
	wrote int64 // bytes of the request under way
	left  int64 // bytes that may still be read
	since time.Time
	used  bool
}

// drop closes the connection without a farewell: TLS would wait for a peer that no longer reads.
func (l *line) drop() {
	conn := l.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	conn.Close() //nolint:errcheck // it is not used again
}

func (l *line) Write(b []byte) (int, error) {
	n, err := l.conn.Write(b)
	l.wrote += int64(n)
	return n, err
}

func (l *line) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the answer's header is too long")
	}
	n, err := l.conn.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// RoundTrip implements http.RoundTripper.
func (d *direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if proxy, err := d.proxy(req); err != nil || proxy != nil || req.Body != nil && req.GetBody == nil || !ascii(req.URL.Hostname()) {
		return d.rest.RoundTrip(req)
	}
	if req.Body != nil {
		defer req.Body.Close()
	}
	for {
		resp, again, err := d.once(req)
		if err == nil || !again {
			return resp, err
		}
	}
}

// ascii reports whether a host's name is ASCII, so that it is dialled as it stands.
func ascii(host string) bool {
	return strings.IndexFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// once sends the request. again says that nothing of it left, on a connection that was not new.
func (d *direct) once(req *http.Request) (resp *http.Response, again bool, err error) {
	ctx := req.Context()
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(req.URL.Host)
	}
	l, err := d.line(ctx, req.URL)
	if err != nil {
		return nil, false, ended(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // of a connection that is closed it need not be set
	fail := func(err error) error {
		stop()
		l.drop()
		return ended(ctx, err)
	}
	out := req
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, false, fail(err)
		}
		copied := *req
		copied.Body, out = body, &copied
	}
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	l.wrote, l.left = 0, headerMost
	if err = out.Write(l.w); err == nil {
		err = l.w.Flush()
	}
	if err != nil {
		return nil, l.used && l.wrote == 0 && ctx.Err() == nil, fail(err)
	}
	for {
		if resp, err = http.ReadResponse(l.r, req); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, false, fail(err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	l.left = answerMost + headerMost
	resp.Body = &answerBody{ReadCloser: resp.Body, finish: func(whole bool) {
		if !stop() || !whole || resp.Close || l.r.Buffered() > 0 || resp.StatusCode == http.StatusSwitchingProtocols {
			l.drop()
			return
		}
		d.keep(l)
	}, ctx: ctx}
	return resp, false, nil
}

// ended is why a request ended: where its context did, that.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// answerBody gives the connection back once it was read to its end.
type answerBody struct {
	io.ReadCloser
	finish func(whole bool)
	ctx    context.Context
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done(errors.Is(err, io.EOF))
		if !errors.Is(err, io.EOF) {
			err = ended(b.ctx, err)
		}
	}
	return n, err
}

// Close implements io.Closer. What is left unread is not waited for.
func (b *answerBody) Close() error {
	b.done(false)
	return nil
}

func (b *answerBody) done(whole bool) {
	if b.finish != nil {
		b.finish(whole)
		b.finish = nil
	}
}

// line gives a kept connection that still stands, or a new one.
func (d *direct) line(ctx context.Context, u *url.URL) (*line, error) {
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	address := net.JoinHostPort(u.Hostname(), port)
	for {
		l := d.kept(u.Scheme + " " + address)
		if l == nil {
			break
		}
		if time.Since(l.since) < idleFor && quiet(l.conn) {
			l.used = true
			return l, nil
		}
		l.drop()
	}
	conn, err := d.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{RootCAs: d.roots, ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
		shaking, cancel := context.WithTimeout(ctx, connectMost)
		defer cancel()
		if err := secure.HandshakeContext(shaking); err != nil {
			conn.Close() //nolint:errcheck // it has failed
			return nil, err
		}
		conn = secure
	}
	l := &line{conn: conn, to: u.Scheme + " " + address}
	l.r, l.w = bufio.NewReaderSize(l, lineBuffer), bufio.NewWriterSize(l, lineBuffer)
	return l, nil
}

func (d *direct) kept(to string) *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.idle) - 1; i >= 0; i-- {
		if l := d.idle[i]; l.to == to {
			d.idle = append(d.idle[:i], d.idle[i+1:]...)
			return l
		}
	}
	return nil
}

func (d *direct) keep(l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.since = time.Now()
	if len(d.idle) == idleMost {
		d.idle[0].drop()
		d.idle = append(d.idle[:0], d.idle[1:]...)
	}
	d.idle = append(d.idle, l)
}

// CloseIdleConnections closes what is kept; [http.Client.CloseIdleConnections] calls it.
func (d *direct) CloseIdleConnections() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.idle {
		l.drop()
	}
	d.idle = nil
}

// quiet reports whether a kept connection has nothing to read: neither its end nor what nobody asked for.
func quiet(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	nothing := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:]) //nolint:gosec // a descriptor is an int
		nothing = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && nothing
}
