package testkit

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Kind is a product and version line that tests run against.
type Kind string

// The kinds of cluster there are. OpenSearchTLS has OpenSearch's security plugin: HTTPS, users and roles. Elastic8 speaks HTTPS and has API keys. Elastic710 is without
// Elastic's own extensions, so it has no points in time: what reads it must scroll.
const (
	OpenSearch    Kind = "OpenSearch 3"
	OpenSearchTLS Kind = "OpenSearch secured"
	OpenSearch2   Kind = "OpenSearch 2"
	Elastic8      Kind = "Elasticsearch 8"
	Elastic7      Kind = "Elasticsearch 7.17"
	Elastic710    Kind = "Elasticsearch 7.10"
)

// Kinds are those for tests that hold on each: all but OpenSearchTLS, which is OpenSearch once more.
var Kinds = []Kind{OpenSearch, OpenSearch2, Elastic8, Elastic7, Elastic710}

// want says how the environment names a kind of node, and what such a node must say it is.
type want struct {
	variable string
	product  string
	versions []string // beginnings of the version
}

var wants = map[Kind]want{
	OpenSearch:    {"TOCSIN_TEST_OPENSEARCH", "opensearch", []string{"3."}},
	OpenSearchTLS: {"TOCSIN_TEST_OPENSEARCH_TLS", "opensearch", []string{"3."}},
	OpenSearch2:   {"TOCSIN_TEST_OPENSEARCH2", "opensearch", []string{"2."}},
	Elastic8:      {"TOCSIN_TEST_ES8", "elasticsearch", []string{"8.", "9."}},
	Elastic7:      {"TOCSIN_TEST_ES7", "elasticsearch", []string{"7.17."}},
	Elastic710:    {"TOCSIN_TEST_ES710", "elasticsearch", []string{"7.10."}},
}

// Variable returns the name of the environment variable that says where a node of this kind is.
func (k Kind) Variable() string { return wants[k].variable }

// Node is a running cluster of one node.
type Node struct {
	Kind     Kind
	URL      string // Without credentials and without a slash at the end.
	Username string // Empty where the node asks nobody who they are.
	Password string
	CAFile   string // PEM of the certificate authority; empty for plain HTTP.
	Version  string // As the node says, such as 8.19.21.

	client *http.Client
}

// Server returns the node of this kind that the environment names. TOCSIN_TEST_OPENSEARCH,
// TOCSIN_TEST_OPENSEARCH_TLS, TOCSIN_TEST_OPENSEARCH2, TOCSIN_TEST_ES8, TOCSIN_TEST_ES7 and TOCSIN_TEST_ES710 are URLs, with
// user:password@ where the node asks; the same name with _CA is the file of its certificate authority. `make servers` prints them.
//
// Where the variable is not set, or under -short, the test is skipped and the closing list says so;
// with TOCSIN_TEST_SERVERS=required a missing variable fails the test. A node that is named and does
// not answer, or is another product or version, fails the test always.
func Server(t testing.TB, kind Kind) Node {
	t.Helper()
	w, known := wants[kind]
	if !known {
		t.Fatalf("testkit knows no kind of server %q", kind)
	}
	if testing.Short() {
		record(t, "server", "not used", string(kind), "-short needs no servers")
		t.Skipf("%s is not used with -short", kind)
	}
	address := os.Getenv(w.variable)
	if address == "" {
		record(t, "server", "not used", string(kind), w.variable+" is not set")
		if os.Getenv("TOCSIN_TEST_SERVERS") == "required" {
			t.Fatalf("%s is required and %s is not set; `make servers` starts one and prints the variable", kind, w.variable)
		}
		t.Skipf("%s is not set; `make servers` starts %s and prints the variable", w.variable, kind)
	}
	node, err := meet(kind, w, address, os.Getenv(w.variable+"_CA"))
	if err != nil {
		t.Fatalf("%s: %v", w.variable, err)
	}
	record(t, "server", "used", string(kind), node.Version)
	return node
}

// met keeps one Node per kind and address, so that each is asked only once who it is.
var met = struct {
	sync.Mutex
	nodes map[string]Node
}{nodes: map[string]Node{}}

func meet(kind Kind, w want, address, caFile string) (Node, error) {
	met.Lock()
	defer met.Unlock()
	key := strings.Join([]string{string(kind), address, caFile}, "\n")
	if node, ok := met.nodes[key]; ok {
		return node, nil
	}
	node, err := parse(kind, address, caFile)
	if err != nil {
		return Node{}, err
	}
	if err := node.introduce(w); err != nil {
		return Node{}, err
	}
	met.nodes[key] = node
	return node, nil
}

// parse reads a node's address without connecting. Its errors never repeat the address: it may hold
// a password.
func parse(kind Kind, address, caFile string) (Node, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Node{}, fmt.Errorf("not a URL such as http://127.0.0.1:9200 or https://user:password@127.0.0.1:9200")
	}
	node := Node{Kind: kind, Username: u.User.Username(), CAFile: caFile}
	node.Password, _ = u.User.Password()
	u.User = nil
	node.URL = strings.TrimRight(u.String(), "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if caFile != "" {
		if transport.TLSClientConfig, err = trusting(caFile); err != nil {
			return Node{}, err
		}
	}
	// A test closes nothing here: without keeping connections there is no goroutine left to leak.
	transport.DisableKeepAlives = true
	node.client = &http.Client{Transport: transport, Timeout: time.Minute}
	return node, nil
}

// introduce asks the node which product and version it is, and refuses another than the kind's.
func (n *Node) introduce(w want) error {
	var root struct {
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	if err := n.ask(http.MethodGet, "/", nil, &root); err != nil {
		return err
	}
	product := root.Version.Distribution
	if product == "" {
		product = "elasticsearch"
	}
	named := func(beginning string) bool { return strings.HasPrefix(root.Version.Number, beginning) }
	if product != w.product || !slices.ContainsFunc(w.versions, named) {
		return fmt.Errorf("%s is %s %q, not %s", n.URL, product, root.Version.Number, n.Kind)
	}
	n.Version = root.Version.Number
	return nil
}
