package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tocsin/internal/store"
)

// OIDC is an OpenID provider that people may sign in through.
type OIDC struct {
	Issuer, ClientID, ClientSecret string
	// Scopes are asked for beside openid and profile.
	Scopes []string
	// RoleClaim is the claim that says the role, with dots where it is within another: a text or a list.
	RoleClaim string
	// Roles are the claim's values that give each role; the highest counts.
	Roles map[Role][]string
	// Otherwise is the role of those without such a value; empty refuses them.
	Otherwise Role
	// HTTP asks the provider; nil is a client with a time-out.
	HTTP *http.Client
}

// provider is OIDC with what its discovery told.
type provider struct {
	OIDC
	mu    sync.Mutex
	known *oidc.Provider // nil until it could be asked
}

// providerWait bounds each request to the provider.
const providerWait = 15 * time.Second

// What a session holds while the provider is visited.
const (
	sessionState    = "oidc_state"
	sessionNonce    = "oidc_nonce"
	sessionVerifier = "oidc_verifier"
	sessionRedirect = "oidc_redirect"
	sessionNext     = "oidc_next"
)

// RefusedError says that the provider, or what it said, lets someone not in.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

func refused(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// HasOIDC reports whether there is an OpenID provider.
func (a *Accounts) HasOIDC() bool { return a.oidc != nil }

// within is a context whose requests to the provider go through its client.
func (p *provider) within(ctx context.Context) context.Context {
	client := p.HTTP
	if client == nil {
		client = &http.Client{Timeout: providerWait}
	}
	return oidc.ClientContext(ctx, client)
}

// discover asks the provider what it is, once it answers. A provider that is down is asked again next time.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	// The provider keeps the context for fetching its keys later, when this request is long over.
	found, err := oidc.NewProvider(p.within(context.WithoutCancel(ctx)), p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the OpenID provider %s: %w", p.Issuer, err)
	}
	p.known = found
	return found, nil
}

func (p *provider) config(found *oidc.Provider, redirect string) *oauth2.Config {
	scopes := append([]string{oidc.ScopeOpenID, "profile"}, p.Scopes...)
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect, Scopes: scopes}
}

// Depart is where the browser goes to sign in at the provider. It comes back to redirect; next is kept for then.
// The request must be behind Remember.
func (a *Accounts) Depart(ctx context.Context, redirect, next string) (string, error) {
	if a.oidc == nil {
		return "", refused("no OpenID provider is configured: login.oidc in the configuration names one")
	}
	found, err := a.oidc.discover(ctx)
	if err != nil {
		return "", err
	}
	state, nonce, verifier := random(16), random(16), oauth2.GenerateVerifier()
	for key, value := range map[string]string{
		sessionState: state, sessionNonce: nonce, sessionVerifier: verifier, sessionRedirect: redirect, sessionNext: next,
	} {
		a.sessions.Put(ctx, key, value)
	}
	return a.oidc.config(found, redirect).AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// Arrive begins the session of someone whom the provider sent back. next is what Depart was given. Someone who
// is not let in is a *RefusedError.
func (a *Accounts) Arrive(ctx context.Context, query url.Values, address string) (id Identity, next string, err error) {
	if a.oidc == nil {
		return id, "", refused("no OpenID provider is configured")
	}
	state, nonce := a.sessions.PopString(ctx, sessionState), a.sessions.PopString(ctx, sessionNonce)
	verifier, redirect := a.sessions.PopString(ctx, sessionVerifier), a.sessions.PopString(ctx, sessionRedirect)
	next = a.sessions.PopString(ctx, sessionNext)
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(query.Get("state"))) != 1 {
		return id, "", refused("this visit to the OpenID provider was not begun here, or was ended already: sign in again")
	}
	if code := query.Get("error"); code != "" {
		return id, "", refused("the OpenID provider refused: %s", cut(strings.TrimSpace(code+" "+query.Get("error_description"))))
	}
	if issuer := query.Get("iss"); issuer != "" && issuer != a.oidc.Issuer {
		return id, "", refused("the answer comes from another OpenID provider")
	}
	found, err := a.oidc.discover(ctx)
	if err != nil {
		return id, "", err
	}
	claims, subject, err := a.oidc.redeem(ctx, found, redirect, query.Get("code"), verifier, nonce)
	if err != nil {
		return id, "", err
	}
	name := nameOf(claims, subject)
	role, ok := a.oidc.roleOf(claims)
	if !ok {
		by := Identity{Name: name, Via: ViaLogin, Address: address}
		if err := a.Note(ctx, by, "sign in refused", name, "no role in the claim "+a.oidc.RoleClaim); err != nil {
			return id, "", err
		}
		return id, "", refused("the OpenID provider gives %s no role here: the claim %s has none of the values that login.oidc.roles names", name, a.oidc.RoleClaim)
	}
	u, err := a.adopt(ctx, a.oidc.Issuer+" "+subject, name, role)
	if err != nil {
		return id, "", err
	}
	id, err = a.signedIn(ctx, u, address, "through the OpenID provider")
	return id, next, err
}

// redeem trades the code for the claims of a token that is proven to be ours.
func (p *provider) redeem(ctx context.Context, found *oidc.Provider, redirect, code, verifier, nonce string) (map[string]any, string, error) {
	within, cancel := context.WithTimeout(p.within(ctx), providerWait)
	defer cancel()
	token, err := p.config(found, redirect).Exchange(within, code, oauth2.VerifierOption(verifier))
	if err != nil {
		var answer *oauth2.RetrieveError
		if errors.As(err, &answer) { // its text has the whole answer
			return nil, "", refused("the OpenID provider does not take the code it gave (status %d): is client_secret right?", answer.Response.StatusCode)
		}
		return nil, "", fmt.Errorf("redeem the code of the OpenID provider: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, "", refused("the OpenID provider sent no id_token")
	}
	proven, err := found.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(within, raw)
	if err != nil {
		return nil, "", refused("the id_token of the OpenID provider is not good: %v", err)
	}
	if subtle.ConstantTimeCompare([]byte(proven.Nonce), []byte(nonce)) != 1 {
		return nil, "", refused("the id_token of the OpenID provider is another visit's")
	}
	claims := map[string]any{}
	if err := proven.Claims(&claims); err != nil {
		return nil, "", refused("the claims of the id_token cannot be read: %v", err)
	}
	return claims, proven.Subject, nil
}

// nameOf is what someone is called: names are for reading, the subject is who they are.
func nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{"preferred_username", "email", "name"} {
		name, _ := claims[claim].(string)
		if name = strings.ToLower(strings.TrimSpace(name)); userName.MatchString(name) {
			return name
		}
	}
	if name := strings.ToLower(subject); userName.MatchString(name) {
		return name
	}
	return "someone"
}

// roleOf is the highest role that the claims give.
func (p *provider) roleOf(claims map[string]any) (Role, bool) {
	var values []string
	switch v := claimAt(claims, p.RoleClaim).(type) {
	case string:
		values = []string{v}
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				values = append(values, text)
			}
		}
	}
	for _, role := range slices.Backward(Roles) {
		if slices.ContainsFunc(p.Roles[role], func(v string) bool { return slices.Contains(values, v) }) {
			return role, true
		}
	}
	return p.Otherwise, p.Otherwise != ""
}

// claimAt is the claim of that name, or with dots the one within others.
func claimAt(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok || name == "" {
		return v
	}
	head, rest, dotted := strings.Cut(name, ".")
	within, ok := claims[head].(map[string]any)
	if !dotted || !ok {
		return nil
	}
	return claimAt(within, rest)
}

// adopt makes or updates the user of a subject. A name that another user has is told apart: no one is taken
// for someone else.
func (a *Accounts) adopt(ctx context.Context, subject, name string, role Role) (u User, err error) {
	sum := sha256.Sum256([]byte(subject))
	mark := hex.EncodeToString(sum[:8])
	err = a.db.Update(ctx, func(tx *store.Tx) error {
		var id string
		err := tx.Row(`SELECT id FROM users WHERE subject = ?`, []any{subject}, &id)
		switch {
		case err == nil:
			if u, err = userOf(tx, id); err != nil {
				return err
			}
			if u.Role == role {
				return nil
			}
			by := Identity{Name: u.Name, Via: ViaSession}
			if err := a.Record(tx, by, "set role", u.Name, fmt.Sprintf("from %s to %s, as the OpenID provider says", u.Role, role)); err != nil {
				return err
			}
			u.Role = role
			return tx.Exec(`UPDATE users SET role = ? WHERE id = ?`, string(role), u.ID)
		case !none(err):
			return err
		}
		u = User{ID: "oidc-" + mark, Name: name, Role: role, Origin: FromOpenID, Created: store.Time(store.Micros(a.now()))}
		err = a.insert(tx, u, subject)
		var taken *TakenError
		if errors.As(err, &taken) {
			u.Name = strings.ToValidUTF8(name[:min(len(name), 50)], "") + "+" + mark[:12]
			err = a.insert(tx, u, subject)
		}
		if err != nil {
			return err
		}
		return a.Record(tx, Identity{Name: u.Name, Via: ViaSession}, "add user", u.Name, "role "+string(role)+", from the OpenID provider")
	})
	return u, err
}

// Probe asks the provider what it is, to say before anyone signs in that it can be asked.
func (o OIDC) Probe(ctx context.Context) error {
	p := &provider{OIDC: o}
	ctx, cancel := context.WithTimeout(ctx, providerWait)
	defer cancel()
	if _, err := oidc.NewProvider(p.within(ctx), p.Issuer); err != nil {
		return fmt.Errorf("ask the OpenID provider %s: %w", p.Issuer, err)
	}
	return nil
}
