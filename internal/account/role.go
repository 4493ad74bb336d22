// Package account owns who may do what: users and their passwords, roles, API tokens, sessions, signing in
// through an OpenID provider, and the log of every change. It knows no pages and no HTTP routes (web does),
// and decides nothing about alerts.
package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Role is what someone may do.
type Role string

// The roles. Viewer, Editor and Admin each may do what the one before may. Ingest stands aside: it sends
// events and may do nothing else.
const (
	Viewer Role = "viewer"
	Editor Role = "editor"
	Admin  Role = "admin"
	Ingest Role = "ingest"
)

// Roles are those of people, from least to most.
var Roles = []Role{Viewer, Editor, Admin}

// ParseRole reads a role of a person, or with tokens true of a token.
func ParseRole(text string, tokens bool) (Role, error) {
	r := Role(text)
	if slices.Contains(Roles, r) || tokens && r == Ingest {
		return r, nil
	}
	names := []string{string(Viewer), string(Editor), string(Admin)}
	if tokens {
		names = append(names, string(Ingest))
	}
	return "", fmt.Errorf("no role is called %q: there are %s", text, strings.Join(names, ", "))
}

// Allows reports whether someone of this role may do what needs the other.
func (r Role) Allows(needed Role) bool {
	if needed == Ingest {
		return r == Ingest || r == Admin
	}
	return slices.Contains(Roles, needed) && slices.Index(Roles, r) >= slices.Index(Roles, needed)
}

// The ways someone is known.
const (
	ViaSession  = "session"  // signed in with the browser
	ViaLogin    = "login"    // tried to: in the log of changes alone, where the name is what they said
	ViaToken    = "token"    // an API token
	ViaSocket   = "socket"   // opened the socket in data_dir
	ViaLoopback = "loopback" // came over a loopback address, where no login is asked for
)

// Identity is who asks.
type Identity struct {
	// Name is what the log of changes and the versions of rules show.
	Name string
	Role Role
	// Via is one of the ways above.
	Via string
	// UserID is the user's own id; empty for the socket and loopback.
	UserID string
	// TokenID is the token's id where one was shown.
	TokenID string
	// Address is where the request came from, without a port.
	Address string
}

type identityKey struct{}

// With is the context of a request by someone.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// From tells who asks; false where nobody has been recognised.
func From(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}
