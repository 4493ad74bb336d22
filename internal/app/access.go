package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// newAccounts makes the users and tokens of a configuration.
func newAccounts(cfg *config.Config, db *store.DB, log *slog.Logger) (*account.Accounts, error) {
	o := account.Options{DB: db, Log: log, Session: cfg.Login.Session, Secure: secure(cfg)}
	if c := cfg.Login.OIDC; c != nil {
		o.OIDC = &account.OIDC{
			Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), Scopes: c.Scopes, RoleClaim: c.RoleClaim,
			Roles:     map[account.Role][]string{account.Admin: c.Admin, account.Editor: c.Editor, account.Viewer: c.Viewer},
			Otherwise: account.Role(c.Otherwise),
		}
	}
	return account.New(o)
}

// secure says whether browsers reach us over TLS.
func secure(cfg *config.Config) bool { return cfg.TLS() || cfg.BehindProxy }

func accessOf(cfg *config.Config) web.Access {
	a := web.Access{Required: cfg.Login.Required, Secure: secure(cfg), BehindProxy: cfg.BehindProxy}
	if cfg.Login.OIDC != nil {
		a.ReturnURL = cfg.Login.OIDC.RedirectURL
	}
	return a
}

// SetupToken is the one-time token with which the first admin is made in the browser; empty where no login is
// required, or where there is an admin.
func (a *App) SetupToken(ctx context.Context) (string, error) {
	if !a.config.Login.Required {
		return "", nil
	}
	return a.accounts.NeedSetup(ctx)
}

// reachable is an address as a browser of this machine can ask for it.
func reachable(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("localhost", strconv.Itoa(int(at.Port())))
}

// listen takes the listen address, behind TLS where there is a certificate.
func listen(cfg *config.Config, door *Door, log *slog.Logger) (net.Listener, error) {
	l, err := door.open(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (write another `listen:` address, or port 0 for a free one)", cfg.Listen, err)
	}
	if !cfg.TLS() {
		return l, nil
	}
	c := &certificate{cert: cfg.TLSCertFile, key: cfg.TLSKeyFile, log: log}
	if _, err := c.get(nil); err != nil {
		l.Close() //nolint:errcheck // the other error says more
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// certificate is the pair of files, read again when they have changed.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // of the files that current is of
	looked  time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = 5 * time.Second

// get gives the certificate. Files that are no pair, as while they are being replaced, leave the one before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.looked) < lookEvery {
		return c.current, nil
	}
	c.looked = time.Now()
	var changed [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		if st, err := os.Stat(path); err == nil {
			changed[i] = st.ModTime()
		}
	}
	if c.current != nil && changed == c.changed {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	switch {
	case err != nil && c.current == nil:
		return nil, fmt.Errorf("read the certificate of tls_cert_file and tls_key_file: %w", err)
	case err != nil:
		c.log.Warn("the certificate has changed and cannot be read; the one before stays", "error", err)
	default:
		c.current = &pair
	}
	c.changed = changed
	return c.current, nil
}
