// Package elastic owns the talk with Elasticsearch and OpenSearch over HTTP: which node is asked, how we
// prove who we are, when a request is tried on another node, what counts as an error, and how more
// documents are read than one answer holds. It knows nothing of rules, of Kibana or of what the
// documents mean.
//
// A partial answer is an error here, never a shorter result: see [PartialError].
//
// Cancelling the context of a request closes its connection, and the cluster then cancels the search it
// runs for it (Elasticsearch since 7.7, every OpenSearch). A proxy in between has to pass the close on.
package elastic

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Options says where a cluster is and who we are to it.
type Options struct {
	// Name is the source's name in the user's configuration, for messages.
	Name string
	// URLs are the nodes. User and password in a URL are taken as Username and Password.
	URLs []string
	// CloudID is Elastic Cloud's way to name a deployment, instead of URLs.
	CloudID string
	// APIKey is "id:key" or its base64 form, as Kibana shows either.
	APIKey string
	// Username and Password are the alternative to APIKey.
	Username, Password string
	// CAFile is a PEM file; only its certificates are trusted then, not the system's.
	CAFile string
	// CAFingerprint is the hex SHA-256 of one certificate in the chain the node sends, colons or not.
	// That certificate alone is the anchor of trust then. Unlike Elastic's own clients, which look no
	// further, host name and validity are still verified, up to and including that certificate.
	CAFingerprint string
	// ProxyURL is an http, https, socks5 or socks5h proxy. Empty means what HTTPS_PROXY, HTTP_PROXY and
	// NO_PROXY say.
	ProxyURL string
	// Timeout bounds each try of a request, its answer's body included. 0 is 30 seconds.
	Timeout time.Duration
	// Log gets debug lines, and a warning when a node is set aside. Nil discards them.
	Log *slog.Logger
	// Transport replaces the network in tests; CAFile, CAFingerprint and ProxyURL do nothing then.
	Transport http.RoundTripper
}

// LogValue keeps secrets out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String names the source and nothing secret.
func (o Options) String() string { return fmt.Sprintf("elastic.Options{Name: %q}", o.Name) }

// GoString names the source and nothing secret.
func (o Options) GoString() string { return o.String() }

const defaultTimeout = 30 * time.Second

// Client talks to one cluster. It is safe for concurrent use and holds no goroutine of its own.
type Client struct {
	name     string
	nodes    *nodes
	auth     string // the Authorization header, or ""
	insecure bool
	timeout  time.Duration
	log      *slog.Logger
	redact   *strings.Replacer
	most     int64 // bytes of an answer, unpacked

	elastic    atomic.Bool // an answer carried Elasticsearch's product header
	opensearch atomic.Bool // an answer was one only OpenSearch gives
	paging     atomic.Int32
	page       atomic.Int64  // bytes of the last answer of a search, and a few more: the next may be as large
	single     atomic.Bool   // the cluster takes no many searches in one request
	alone      chan struct{} // who asks alone for what company had no answer to
	scans      chan struct{} // runs that go on together and read many documents
}

// New checks the options and makes a client. It reads CAFile and does no other input or output. Its
// error names every problem, one a line, without secrets.
func New(o Options) (*Client, error) {
	var problems []error
	complain := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	addresses, user, err := readAddresses(o)
	complain(err)
	if user != nil {
		if o.Username == "" && o.Password == "" {
			o.Username = user.Username()
			o.Password, _ = user.Password()
		}
	}
	auth, err := readCredentials(o)
	complain(err)
	trust, err := readTrust(o)
	complain(err)
	proxy, err := readProxy(o.ProxyURL)
	complain(err)
	if o.Timeout < 0 {
		complain(errors.New("timeout is negative"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}

	c := &Client{name: o.Name, auth: auth, timeout: o.Timeout, log: o.Log, most: defaultMost, alone: make(chan struct{}, apartMost), scans: make(chan struct{}, scansMost)}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.redact = newRedactor(o, auth)
	c.nodes = &nodes{now: time.Now}
	for _, address := range addresses {
		transport := o.Transport
		if transport == nil {
			transport = newTransport(address, trust, proxy)
		}
		c.nodes.all = append(c.nodes.all, &node{url: address, transport: transport})
		c.insecure = c.insecure || address.Scheme == "http"
	}
	return c, nil
}

// Name is the source's name.
func (c *Client) Name() string { return c.name }

// Insecure reports whether any node is spoken to without TLS, so that somebody can be warned.
func (c *Client) Insecure() bool { return c.insecure }

// Close gives idle connections back. The client can still be used.
func (c *Client) Close() {
	for _, n := range c.nodes.all {
		if t, ok := n.transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// String names the source and nothing secret.
func (c *Client) String() string { return fmt.Sprintf("elastic.Client{Name: %q}", c.name) }

// GoString names the source and nothing secret.
func (c *Client) GoString() string { return c.String() }

// LogValue names the source and nothing secret.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.name) }
