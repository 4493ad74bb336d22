package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
)

// certify writes a certificate of a name and its key, and makes them as old as said.
func certify(t *testing.T, cfg *config.Config, name string, age time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cfg.TLSCertFile: {Type: "CERTIFICATE", Bytes: cert}, cfg.TLSKeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACertificateIsReadAgainWhenItHasChanged(t *testing.T) {
	cfg := config.Default()
	cfg.TLSCertFile, cfg.TLSKeyFile = filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
	c := &certificate{cert: cfg.TLSCertFile, key: cfg.TLSKeyFile, log: slog.New(slog.DiscardHandler)}
	if _, err := c.get(nil); err == nil {
		t.Fatal("there is a certificate without files")
	}
	name := func() string {
		t.Helper()
		c.looked = time.Time{}
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.Subject.CommonName
	}
	certify(t, cfg, "one", time.Hour)
	if got := name(); got != "one" {
		t.Errorf("first it is %s", got)
	}
	if err := os.WriteFile(cfg.TLSKeyFile, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "one" {
		t.Errorf("while it is being replaced it is %s", got)
	}
	certify(t, cfg, "two", time.Minute)
	if got := name(); got != "two" {
		t.Errorf("then it is %s", got)
	}
}

func TestTheListenAddressSpeaksTLSWhereThereIsACertificate(t *testing.T) {
	cfg := config.Default()
	cfg.Listen = loopbackAnyPort
	cfg.TLSCertFile, cfg.TLSKeyFile = filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
	certify(t, cfg, "tocsin.example.com", time.Hour)
	l, err := listen(cfg, &Door{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake() //nolint:errcheck // the other side tells
			conn.Close()
		}
	}()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(cfg.TLSCertFile)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "tocsin.example.com", MinVersion: version, MaxVersion: version})
		if (err == nil) != want {
			t.Errorf("version %x: %v", version, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestTheSocketTellsWhoIsAtItsOtherEnd(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir, cfg.Listen = t.TempDir(), loopbackAnyPort
	a, err := New(t.Context(), Options{Config: cfg, Version: "v1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx, a.socket, a.web.Local()) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := dial(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var session struct {
		Name, Role, Via string
	}
	if err := c.Get(t.Context(), "/api/v1/session", &session); err != nil {
		t.Fatal(err)
	}
	if session.Role != string(account.Admin) || session.Via != account.ViaSocket || !strings.Contains(session.Name, "uid ") {
		t.Errorf("it is %+v", session)
	}
	var made struct{ Name string }
	if err := c.Send(t.Context(), "POST", "/api/v1/users", map[string]string{"name": "ann", "password": "correct horse battery", "role": "admin"}, &made); err != nil {
		t.Fatal(err)
	}
	events, _, err := a.accounts.Events(t.Context(), account.EventFilter{})
	if err != nil || len(events) != 1 || events[0].Who != session.Name || events[0].Via != account.ViaSocket {
		t.Errorf("the log has %+v, %v", events, err)
	}
}

func TestAnAddressOfAllIsAskedForByALocalName(t *testing.T) {
	for at, want := range map[string]string{"0.0.0.0:7171": "localhost:7171", "[::]:80": "localhost:80", "127.0.0.1:1": "127.0.0.1:1", "[::1]:1": "[::1]:1"} {
		if got := reachable(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at))); got != want {
			t.Errorf("%s is %s", at, got)
		}
	}
}
