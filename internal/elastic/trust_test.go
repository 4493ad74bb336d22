package elastic_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial int64

// issue makes a certificate signed by parent, or by itself. hosts make it a node's.
func issue(t *testing.T, name string, parent *issued, until time.Time, hosts ...string) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-1000 * time.Hour), NotAfter: until, BasicConstraintsValid: true,
	}
	if len(hosts) == 0 {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	signer := &issued{template, key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

func (i *issued) fingerprint() string { return fmt.Sprintf("%x", sha256.Sum256(i.cert.Raw)) }

// pemFile writes certificates to a file as a CA file.
func pemFile(t *testing.T, certs ...*issued) string {
	t.Helper()
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS runs a node that sends chain, leaf first.
func serveTLS(t *testing.T, chain ...*issued) string {
	t.Helper()
	cert := tls.Certificate{PrivateKey: chain[0].key}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.cert.Raw)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}`) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestOnlyTheRightCertificateIsBelieved(t *testing.T) {
	later, past := time.Now().Add(500*time.Hour), time.Now().Add(-time.Hour)
	ca, otherCA := issue(t, "our CA", nil, later), issue(t, "another CA", nil, later)
	middle := issue(t, "our intermediate", ca, later)
	leaf := issue(t, "node", middle, later, "127.0.0.1")
	expired := issue(t, "node", ca, past, "127.0.0.1")
	elsewhere := issue(t, "node", ca, later, "es1.example")
	selfSigned := issue(t, "node", nil, later, "127.0.0.1")
	impostor := issue(t, "node", otherCA, later, "127.0.0.1")

	whole, withoutCA := []*issued{leaf, middle, ca}, []*issued{leaf, middle}
	colons := ""
	for i, r := range strings.ToUpper(ca.fingerprint()) {
		if i > 0 && i%2 == 0 {
			colons += ":"
		}
		colons += string(r)
	}
	for _, tc := range []struct {
		name  string
		chain []*issued
		o     elastic.Options
		want  string // in the error; "" is none
	}{
		{"CA file", withoutCA, elastic.Options{CAFile: pemFile(t, ca)}, ""},
		{"CA file of several", withoutCA, elastic.Options{CAFile: pemFile(t, otherCA, ca)}, ""},
		{"CA file of another cluster", withoutCA, elastic.Options{CAFile: pemFile(t, otherCA)}, "signed by unknown authority (try: set ca_file"},
		{"no CA", whole, elastic.Options{}, "signed by unknown authority (try: set ca_file"},
		{"CA file, expired", []*issued{expired}, elastic.Options{CAFile: pemFile(t, ca)}, "expired"},
		{"CA file, another host", []*issued{elsewhere}, elastic.Options{CAFile: pemFile(t, ca)}, "(try: use a name the certificate is made for"},

		{"fingerprint of the CA", whole, elastic.Options{CAFingerprint: ca.fingerprint()}, ""},
		{"with colons", whole, elastic.Options{CAFingerprint: colons}, ""},
		{"of the intermediate", withoutCA, elastic.Options{CAFingerprint: middle.fingerprint()}, ""},
		{"of the node", withoutCA, elastic.Options{CAFingerprint: leaf.fingerprint()}, ""},
		{"of a self-signed node", []*issued{selfSigned}, elastic.Options{CAFingerprint: selfSigned.fingerprint()}, ""},
		{"of a CA the node does not send", withoutCA, elastic.Options{CAFingerprint: ca.fingerprint()}, leaf.fingerprint()},
		{"of another CA", whole, elastic.Options{CAFingerprint: otherCA.fingerprint()}, "(try: compare"},
		{"another host", []*issued{elsewhere, ca}, elastic.Options{CAFingerprint: ca.fingerprint()}, "(try: use a name"},
		{"another host, node pinned", []*issued{elsewhere}, elastic.Options{CAFingerprint: elsewhere.fingerprint()}, "(try: use a name"},
		{"expired", []*issued{expired, ca}, elastic.Options{CAFingerprint: ca.fingerprint()}, "expired"},
		// The CA's certificate is public: whoever sends it along has not been signed by it.
		{"impostor that sends our CA too", []*issued{impostor, otherCA, ca}, elastic.Options{CAFingerprint: ca.fingerprint()}, "signed by unknown authority"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.Name, tc.o.URLs = "siem", []string{serveTLS(t, tc.chain...)}
			c := client(t, tc.o)
			for range 2 { // the second may be a resumed session
				err := c.Do(t.Context(), http.MethodGet, "/", nil, nil, nil)
				var connect *elastic.ConnectError
				switch {
				case tc.want == "" && err != nil, tc.want != "" && !errors.As(err, &connect):
					t.Fatal(err)
				case tc.want != "" && !strings.Contains(err.Error(), tc.want):
					t.Errorf("%v\nwant %s", err, tc.want)
				}
				c.Close()
			}
		})
	}
}

func TestWrongSchemeIsExplained(t *testing.T) {
	leaf := issue(t, "node", nil, time.Now().Add(time.Hour), "127.0.0.1")
	plain := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	c := client(t, elastic.Options{URLs: []string{strings.Replace(plain, "http:", "https:", 1)}})
	if err := c.Do(t.Context(), "GET", "/", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "write http:// in urls") {
		t.Error(err)
	}
	c = client(t, elastic.Options{URLs: []string{strings.Replace(serveTLS(t, leaf), "https:", "http:", 1)}})
	if err := c.Do(t.Context(), "GET", "/", nil, nil, nil); err == nil || !strings.Contains(strings.ToLower(err.Error()), "https") {
		t.Error(err)
	}
	onCluster(t, []testkit.Kind{testkit.Elastic8}, func(t *testing.T, one cluster) {
		one.URLs, one.Options.CAFile = []string{strings.Replace(one.URLs[0], "https:", "http:", 1)}, ""
		if err := client(t, one.Options).Do(t.Context(), "GET", "/", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "https://") {
			t.Error(err)
		}
	})
}

// The real node's certificate is pinned by the fingerprints in the file of its CA.
func TestFingerprintOnARealNode(t *testing.T) {
	onCluster(t, []testkit.Kind{testkit.Elastic8}, func(t *testing.T, one cluster) {
		text, err := os.ReadFile(one.Options.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		address := strings.TrimPrefix(one.URLs[0], "https://")
		conn, err := tls.Dial("tcp", address[strings.LastIndexByte(address, '@')+1:], &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		chain := conn.ConnectionState().PeerCertificates
		ca := sha256.Sum256(block.Bytes)
		sent := false
		for _, cert := range chain {
			sum := sha256.Sum256(cert.Raw)
			sent = sent || sum == ca
			o := elastic.Options{Name: "siem", URLs: one.URLs, CAFingerprint: fmt.Sprintf("%x", sum)}
			if err := client(t, o).Do(t.Context(), "GET", "/_search", nil, nil, nil); err != nil {
				t.Errorf("%s: %v", cert.Subject, err)
			}
		}
		err = client(t, elastic.Options{Name: "siem", URLs: one.URLs, CAFingerprint: fmt.Sprintf("%x", ca)}).Do(t.Context(), "GET", "/_search", nil, nil, nil)
		if (err == nil) != sent {
			t.Errorf("the CA is sent: %t; pinned: %v", sent, err)
		}
		err = client(t, elastic.Options{Name: "siem", URLs: one.URLs}).Do(t.Context(), "GET", "/_search", nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "ca_file") {
			t.Error(err)
		}
	})
}
