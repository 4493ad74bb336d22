package config

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/duration"
)

// Login says who is let in.
type Login struct {
	// Required is true beyond loopback, where there is no other way.
	Required bool
	// Session is how long one stays signed in.
	Session time.Duration
	// OIDC is an OpenID provider; nil for none.
	OIDC *OIDC
}

// OIDC is an OpenID provider that people may sign in through.
type OIDC struct {
	// Issuer is https, or http to a loopback host.
	Issuer       string
	ClientID     string
	ClientSecret Secret
	// RedirectURL is where the provider sends browsers back to; empty for the address they came to.
	RedirectURL string
	Scopes      []string
	// RoleClaim is the claim that says the role.
	RoleClaim string
	// Admin, Editor and Viewer are the claim's values that give the role.
	Admin, Editor, Viewer []string
	// Otherwise is the role of those without such a value: admin, editor, viewer, or empty to refuse them.
	Otherwise string
}

const (
	defaultLoginSession = 12 * time.Hour
	leastLoginSession   = time.Minute
	mostLoginSession    = 90 * 24 * time.Hour
	defaultRoleClaim    = "groups"
)

// Loopback says whether only this machine can reach the pages and the API.
func (c *Config) Loopback() bool { return c.Listen.Addr().Unmap().IsLoopback() }

// TLS says whether the pages and the API are served over TLS by us.
func (c *Config) TLS() bool { return c.TLSCertFile != "" }

// login reads who is let in and how the pages are served; listen is what the file says of that.
func (d *decoder) login(root *mapping, c *Config, listen text) {
	cert, certText, hasCert := root.path("tls_cert_file")
	key, keyText, hasKey := root.path("tls_key_file")
	switch {
	case hasCert && !hasKey && !root.has("tls_key_file"):
		d.wrong(certText, "needs tls_key_file beside it: name the file of its private key")
	case hasKey && !hasCert && !root.has("tls_cert_file"):
		d.wrong(keyText, "needs tls_cert_file beside it: name the file of its certificate")
	case hasCert && hasKey:
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			d.wrong(certText, "and tls_key_file are no certificate and its key in PEM: "+withoutPath(err).Error())
		}
		c.TLSCertFile, c.TLSKeyFile = cert, key
	}
	c.BehindProxy, _ = root.trueOrFalse("behind_proxy")

	c.Login = Login{Required: !c.Loopback() || c.BehindProxy, Session: defaultLoginSession}
	m := root.section("login")
	if m == nil {
		m = d.mapping(nil, "login", root.place)
	}
	if required, ok := m.trueOrFalse("required"); ok {
		at := m.placeOf("required")
		switch {
		case !required && !c.Loopback():
			d.problem(at, fmt.Sprintf("login.required cannot be false with listen %q, which other machines can reach: delete it, or listen on 127.0.0.1:7171", c.Listen))
		case !required && c.BehindProxy:
			d.problem(at, "login.required cannot be false with behind_proxy: true, as the proxy lets others in: delete one")
		default:
			c.Login.Required = required
		}
	}
	if !c.Loopback() && !c.TLS() && !c.BehindProxy && !root.has("tls_cert_file") && !root.has("tls_key_file") {
		d.wrong(listen, "is reachable from other machines, and passwords would cross the network in the clear: set tls_cert_file and tls_key_file, "+
			"or behind_proxy: true where a proxy before it speaks TLS, or listen on 127.0.0.1:7171")
	}
	c.Login.Session = m.duration("session", defaultLoginSession, leastLoginSession)
	if c.Login.Session > mostLoginSession {
		d.problem(m.placeOf("session"), "login.session is too long: the most is "+duration.Format(mostLoginSession))
	}
	c.Login.OIDC = d.oidc(m)
	m.close()
}

// oidc reads an OpenID provider; nil without the section.
func (d *decoder) oidc(login *mapping) *OIDC {
	m := login.section("oidc")
	if m == nil {
		return nil
	}
	o := &OIDC{RoleClaim: defaultRoleClaim}
	if u, t, ok := m.url("issuer", "https", "http"); ok {
		if u.Scheme == "http" && !isLoopback(u.Hostname()) {
			d.wrong(t, "is plain http beyond this machine: use https://")
		}
		o.Issuer = t.value // to the letter: the provider's tokens name it so
	} else if !m.has("issuer") {
		m.missing("issuer: write the URL of the OpenID provider")
	}
	if t, ok := m.text("client_id"); ok {
		o.ClientID = t.value
	} else if !m.has("client_id") {
		m.missing("client_id: write the id that the OpenID provider gave this application")
	}
	o.ClientSecret, _, _ = m.secret("client_secret", true)
	if u, t, ok := m.url("redirect_url", "https", "http"); ok {
		if !strings.HasSuffix(u.Path, RedirectPath) {
			d.wrong(t, "must end in "+RedirectPath+", where browsers come back to")
		}
		o.RedirectURL = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	o.Scopes = m.words("scopes")
	if t, ok := m.text("role_claim"); ok {
		o.RoleClaim = t.value
	}
	if word, ok := m.oneOf("otherwise", "viewer", "editor", "admin", "refuse"); ok && word != "refuse" {
		o.Otherwise = word
	}
	if roles := m.section("roles"); roles != nil {
		o.Admin, o.Editor, o.Viewer = roles.words("admin"), roles.words("editor"), roles.words("viewer")
		roles.close()
	}
	if len(o.Admin)+len(o.Editor)+len(o.Viewer) == 0 && o.Otherwise == "" && !m.broken {
		d.problem(m.place, "login.oidc gives nobody a role: write roles with the values of the claim "+o.RoleClaim+" that give each, such as roles: {admin: [soc-leads]}, or otherwise: viewer")
	}
	m.close()
	return o
}

// RedirectPath is where an OpenID provider sends browsers back to.
const RedirectPath = "/login/oidc/return"

// words reads a list of texts as they are.
func (m *mapping) words(name string) []string {
	texts, _ := m.texts(name)
	var out []string
	for _, t := range texts {
		out = append(out, t.value)
	}
	return out
}

// trueOrFalse reads one of the two words.
func (m *mapping) trueOrFalse(name string) (value, ok bool) {
	word, ok := m.oneOf(name, "true", "false")
	return word == "true", ok
}
