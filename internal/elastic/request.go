package elastic

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	gzipFrom    = 4 << 10   // a request body from this size on is compressed
	errorMost   = 1 << 20   // what is read of an answer that is an error
	defaultMost = 256 << 20 // what is read of any answer, unpacked
	pageMost    = 8 << 20   // what is made ready for a page that may be as large as the one before
)

// Do sends one request and reads the JSON answer into into, which may be nil, or a *[]byte for the answer
// as it came. path begins with a slash and is already escaped (see [IndexPath]). body is nil, []byte or
// io.Reader as they are, or anything else as JSON.
//
// An answer that is not 2xx is an [*Error]; no answer is a [*ConnectError]. A request that only reads is
// tried on each node until one answers; what changes something is tried on another node only if it never
// left this machine. 429 is never tried again here.
//
// Do does not look at shards: use [Client.Search] for searches.
func (c *Client) Do(ctx context.Context, method, path string, params url.Values, body any, into any) error {
	payload, err := marshalBody(body)
	if err != nil {
		return fmt.Errorf("%s%s %s: write the request: %w", prefix(c.name), method, path, err)
	}
	_, err = c.send(ctx, request{method: method, path: path, params: params, body: payload, reads: onlyReads(method, path)}, into)
	return err
}

type request struct {
	method, path string
	params       url.Values
	body         []byte
	ndjson       bool
	reads        bool // changes nothing, and may be sent twice
}

// onlyReads knows the searches that are POSTs. A scroll is none: each request moves it on.
func onlyReads(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return !strings.HasSuffix(path, "/_search/scroll")
	case http.MethodPost:
		last := path[strings.LastIndexByte(path, '/')+1:]
		return slices.Contains([]string{"_search", "_msearch", "_count", "_field_caps", "_mget", "_validate", "_pit", "point_in_time"}, last)
	}
	return false
}

func marshalBody(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case json.RawMessage:
		return b, nil
	case io.Reader:
		return io.ReadAll(b)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// send tries r on the nodes until one answers.
func (c *Client) send(ctx context.Context, r request, into any) (http.Header, error) {
	packed := false
	body := r.body
	if len(body) >= gzipFrom {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, err := w.Write(body)
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, fmt.Errorf("%s%s %s: compress the request: %w", prefix(c.name), r.method, r.path, err)
		}
		packed, body = true, buf.Bytes()
	}
	order := c.nodes.order()
	for i, one := range order {
		header, err := c.try(ctx, one, r, body, packed, into)
		if err == nil {
			c.nodes.answered(one)
			return header, nil
		}
		again := c.judge(ctx, one, r, err)
		if !again || i == len(order)-1 {
			return header, err
		}
		c.log.Debug("request tried on another node", "source", c.name, "node", one.url.Host, "error", err.Error())
	}
	return nil, errors.New("no node")
}

// judge notes what err says about the node, and reports whether another one may be asked.
func (c *Client) judge(ctx context.Context, one *node, r request, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var (
		answer  *Error
		connect *ConnectError
		gone    bool
		again   bool
	)
	switch {
	case errors.As(err, &answer):
		gone = slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, answer.Status)
		again = gone && r.reads
	case errors.As(err, &connect):
		gone = true
		var op *net.OpError
		dialled := errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
		// Who was too slow is set aside, but asking all others as long would only multiply the wait.
		slow := errors.Is(err, context.DeadlineExceeded)
		again = dialled || r.reads && !slow
	}
	if !gone {
		c.nodes.answered(one)
		return false
	}
	if rest, first := c.nodes.failed(one); first && len(c.nodes.all) > 1 {
		c.log.Warn("cluster node set aside", "source", c.name, "node", one.url.Host, "for", rest, "error", err.Error())
	}
	return again
}

// try sends r to one node and reads all of the answer.
func (c *Client) try(ctx context.Context, one *node, r request, body []byte, packed bool, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout(c.timeout))
	defer cancel()
	address := one.url.String() + r.path
	if len(r.params) > 0 {
		address += "?" + r.params.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, reader)
	if err != nil {
		return nil, fmt.Errorf("%s%s %s: the path cannot be sent: %s", prefix(c.name), r.method, r.path, c.redact.Replace(err.Error()))
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tocsin")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		if r.ndjson {
			req.Header.Set("Content-Type", "application/x-ndjson")
		}
	}
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	if r.reads {
		// Tells net/http, and nobody else, that it may send this again on a connection that went stale.
		req.Header["X-Idempotency-Key"] = nil
	}
	resp, err := one.transport.RoundTrip(req)
	if err != nil {
		return nil, c.connectError(ctx, one, r, err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("X-Elastic-Product") == "Elasticsearch" {
		c.elastic.Store(true)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, errorMost)) // the status says enough without
		e := readError(resp.StatusCode, resp.Header, text, time.Now())
		e.Source, e.Method, e.Path, e.Reason = c.name, r.method, r.path, c.redact.Replace(e.Reason)
		return resp.Header, e
	}
	return resp.Header, c.readAnswer(ctx, one, r, resp, into)
}

func (c *Client) readAnswer(ctx context.Context, one *node, r request, resp *http.Response, into any) error {
	limited := &io.LimitedReader{R: resp.Body, N: c.most + 1}
	var buf bytes.Buffer
	var sink io.Writer = &buf
	page, pages := into.(*answer)
	if into == nil {
		sink = io.Discard
	} else if n := resp.ContentLength; n > 0 && n <= c.most {
		buf.Grow(int(n) + bytes.MinRead)
	} else if pages {
		buf.Grow(int(c.page.Load()) + bytes.MinRead)
	}
	if _, err := io.Copy(sink, limited); err != nil {
		return c.connectError(ctx, one, r, err)
	}
	if limited.N <= 0 {
		return fmt.Errorf("%s%s %s: %w than %d MiB: ask for fewer documents or fields at once", prefix(c.name), r.method, r.path, errLarge, c.most>>20)
	}
	if into == nil {
		return nil
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = buf.Bytes()
		return nil
	}
	if pages {
		c.page.Store(int64(min(buf.Len()+buf.Len()/8, pageMost)))
		if readAnswer(buf.Bytes(), page) == nil {
			return nil
		}
		*page = answer{}
	}
	if err := json.Unmarshal(buf.Bytes(), into); err != nil {
		if json.Valid(buf.Bytes()) {
			return fmt.Errorf("%s%s %s: read the answer: %w", prefix(c.name), r.method, r.path, err)
		}
		e := &Error{Source: c.name, Status: resp.StatusCode, Method: r.method, Path: r.path}
		e.Reason = c.redact.Replace("the answer is not JSON, is this the address of a cluster? It begins: " + excerpt(buf.Bytes()))
		return e
	}
	return nil
}

// errLarge says that an answer was not read to its end.
var errLarge = errors.New("the answer is larger")

// timeoutError is ours, so that its text says which limit it was.
type timeoutError time.Duration

func errTimeout(d time.Duration) error { return timeoutError(d) }

func (e timeoutError) Error() string   { return "no answer within " + time.Duration(e).String() }
func (e timeoutError) Is(t error) bool { return t == context.DeadlineExceeded }
func (e timeoutError) Timeout() bool   { return true }

func (c *Client) connectError(ctx context.Context, one *node, r request, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
	case errors.Is(cause, ctx.Err()):
		err = cause
	default: // whoever cancelled said why
		err = fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	if text := err.Error(); c.redact.Replace(text) != text {
		err = errors.New(c.redact.Replace(text))
	}
	return &ConnectError{
		Source: c.name, Node: one.url.Scheme + "://" + one.url.Host, Method: r.method, Path: r.path,
		Hint: connectHint(err, one.url), Err: err,
	}
}

// IndexPath is the path for an API of indices, names and patterns, escaped: IndexPath([]string{"a", "b-*"},
// "_search") is "/a,b-*/_search". Without indices it is the API alone, which means all of them.
func IndexPath(indices []string, api string) string {
	if len(indices) == 0 {
		return "/" + api
	}
	escaped := make([]string, len(indices))
	for i, index := range indices {
		escaped[i] = strings.ReplaceAll(url.PathEscape(index), "%2A", "*")
	}
	return "/" + strings.Join(escaped, ",") + "/" + api
}
