package elastic

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// trust says which certificates are believed: the system's, those of a file, or what hangs on a pinned
// one. There is no way to believe any certificate.
type trust struct {
	roots *x509.CertPool // nil: the system's
	pin   []byte         // SHA-256 of a certificate, or nil
}

func readTrust(o Options) (trust, error) {
	switch {
	case o.CAFile != "" && o.CAFingerprint != "":
		return trust{}, errors.New("ca_file and ca_fingerprint are both set: leave one out")
	case o.CAFile != "":
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return trust{}, fmt.Errorf("read ca_file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return trust{}, fmt.Errorf("ca_file %s holds no certificate: it has to be PEM, with BEGIN CERTIFICATE", o.CAFile)
		}
		return trust{roots: roots}, nil
	case o.CAFingerprint != "":
		pin, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(o.CAFingerprint))
		if err != nil || len(pin) != sha256.Size {
			return trust{}, errors.New("ca_fingerprint is not a SHA-256 fingerprint: 64 hex digits, with or without colons")
		}
		return trust{pin: pin}, nil
	}
	return trust{}, nil
}

// config is the TLS configuration for one host. The host is fixed here, because a connection's state
// does not tell the name asked for when that is an IP address.
func (t trust) config(host string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: t.roots}
	if t.pin != nil {
		// The library's verification knows no pins, so VerifyConnection does all of it instead. It
		// runs on resumed sessions too.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyPinned(state.PeerCertificates, t.pin, host, time.Now())
		}
	}
	return c
}

// verifyPinned verifies chain, leaf first, with the certificate whose SHA-256 is pin as the only root.
func verifyPinned(chain []*x509.Certificate, pin []byte, host string, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("the node sent no certificate")
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	found := false
	var seen []string
	for _, cert := range chain {
		sum := sha256.Sum256(cert.Raw)
		if bytes.Equal(sum[:], pin) {
			found = true
			roots.AddCert(cert)
		} else {
			others.AddCert(cert)
		}
		seen = append(seen, fmt.Sprintf("%s (%x)", cert.Subject, sum))
	}
	if !found {
		return &pinError{seen: seen}
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, DNSName: host, CurrentTime: now})
	return err
}

// pinError means no certificate of the chain has the fingerprint.
type pinError struct{ seen []string }

func (e *pinError) Error() string {
	return "no certificate the node sends has the fingerprint of ca_fingerprint; it sends " + strings.Join(e.seen, ", ")
}

func newTransport(address *url.URL, t trust, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       t.config(address.Hostname()),
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    near(address), // on the same machine it costs more than it saves
	}
}

// near reports whether an address is this machine's own.
func near(address *url.URL) bool {
	ip, err := netip.ParseAddr(address.Hostname())
	return address.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// connectHint says what to do about a failure to connect, or nothing where the error says all.
func connectHint(err error, address *url.URL) string {
	var (
		pin       *pinError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &pin):
		return "compare with the fingerprint of the cluster's CA, and whether the node sends the CA's certificate at all; ca_file works either way"
	case errors.As(err, &authority):
		return "set ca_file to the cluster's CA certificate, or ca_fingerprint; if one is set, it belongs to another cluster"
	case errors.As(err, &host):
		return "use a name the certificate is made for in urls"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the node's certificate, and check this machine's clock"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the node does not speak TLS: write http:// in urls"
	case address.Scheme == "http" && (strings.Contains(err.Error(), "malformed HTTP") || strings.HasSuffix(err.Error(), "EOF") || strings.Contains(err.Error(), "reset by peer")):
		return "the node may want https:// in urls"
	}
	return ""
}

// withoutUser drops user and password, and parameters, from an address meant for a message.
func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an unreadable address"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
