package testkit

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// trusting trusts the certificate authorities of a PEM file and no other.
func trusting(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Ask sends one request as the node's user and decodes its JSON answer into answer, unless that is
// nil. A string or []byte body is sent as it is, anything else as JSON. Any answer but 2xx fails the test.
func (n Node) Ask(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	if err := n.ask(method, path, body, answer); err != nil {
		t.Fatal(err)
	}
}

func (n Node) ask(method, path string, body, answer any) error {
	var send []byte
	switch b := body.(type) {
	case nil:
	case string:
		send = []byte(b)
	case []byte:
		send = b
	default:
		var err error
		if send, err = json.Marshal(b); err != nil {
			return fmt.Errorf("%s %s%s: %w", method, n.URL, path, err)
		}
	}
	req, err := http.NewRequest(method, n.URL+path, bytes.NewReader(send))
	if err != nil {
		return err
	}
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
		if route, _, _ := strings.Cut(path, "?"); strings.HasSuffix(route, "/_bulk") || strings.HasSuffix(route, "/_msearch") {
			req.Header.Set("Content-Type", "application/x-ndjson")
		}
	}
	if n.Username != "" {
		req.SetBasicAuth(n.Username, n.Password)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s%s: %w", method, n.URL, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s%s: %s: %.500s", method, n.URL, path, resp.Status, got)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("%s %s%s: %w in %.500s", method, n.URL, path, err, got)
	}
	return nil
}

// Unique returns base with a random end, fit for the name of an index, alias, space or template.
func Unique(base string) string {
	return base + "-" + strings.ToLower(rand.Text())[:12]
}

// Index returns an index name that begins with base and that nobody else uses. Nothing is created.
// When the test ends every index whose name begins with it is deleted, so the names of further
// indices may be made from it.
func (n Node) Index(t testing.TB, base string) string {
	t.Helper()
	name := Unique(base)
	n.CleanUp(t, name)
	return name
}

// CleanUp deletes, when the test ends, every index whose name begins with prefix.
func (n Node) CleanUp(t testing.TB, prefix string) {
	t.Helper()
	t.Cleanup(func() {
		var indices map[string]json.RawMessage
		path := "/" + url.PathEscape(prefix) + "*/_settings?expand_wildcards=all&allow_no_indices=true"
		if err := n.ask(http.MethodGet, path, nil, &indices); err != nil {
			t.Errorf("clean up: %v", err)
			return
		}
		for index := range indices { // one by one: a node may refuse to delete by wildcard
			if err := n.ask(http.MethodDelete, "/"+url.PathEscape(index), nil, nil); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
	})
}

// Bulk writes lines of a bulk request (actions and documents, each a JSON value without a newline)
// and makes them visible to searches. Any refused item fails the test.
func (n Node) Bulk(t testing.TB, lines ...[]byte) {
	t.Helper()
	var answer struct {
		Errors bool            `json:"errors"`
		Items  json.RawMessage `json:"items"`
	}
	body := append(bytes.Join(lines, []byte("\n")), '\n')
	n.Ask(t, http.MethodPost, "/_bulk?refresh=true", body, &answer)
	if answer.Errors {
		t.Fatalf("bulk to %s: some items were refused: %.2000s", n.URL, answer.Items)
	}
}

// APIKey makes an API key that may do only what role says (a role descriptor as Elasticsearch takes
// it) and invalidates it when the test ends. The answer has both forms a person may put into a
// configuration: id:key, and its base64. Only an Elastic8 node has them.
func (n Node) APIKey(t testing.TB, role map[string]any) (plain, encoded string) {
	t.Helper()
	if n.Kind != Elastic8 {
		t.Fatalf("%s has no API keys", n.Kind)
	}
	var made struct {
		ID  string `json:"id"`
		Key string `json:"api_key"`
	}
	n.Ask(t, http.MethodPost, "/_security/api_key", map[string]any{
		"name":             Unique("tocsin-test"),
		"role_descriptors": map[string]any{"only": role},
	}, &made)
	t.Cleanup(func() {
		err := n.ask(http.MethodDelete, "/_security/api_key", map[string]any{"ids": []string{made.ID}}, nil)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	plain = made.ID + ":" + made.Key
	return plain, base64.StdEncoding.EncodeToString([]byte(plain))
}
