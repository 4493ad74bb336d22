package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"tocsin/internal/store"
)

// ErrPassword says that a name and a password do not go together; which of them is wrong is not told.
var ErrPassword = errors.New("the name or the password is wrong")

// SignIn begins a session of a local user. A wrong name and a wrong password take the same time and are both
// ErrPassword; too many of them are a *LimitError. The request must be behind Remember.
func (a *Accounts) SignIn(ctx context.Context, name, password, address string) (Identity, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	by := Identity{Name: cut(name), Via: ViaLogin, Address: address}
	if err := a.limits.take(name, address); err != nil {
		return Identity{}, err
	}
	var u User
	err := a.db.View(ctx, func(tx *store.Tx) error {
		var err error
		u, err = userOf(tx, name)
		return err
	})
	var missing *NotFoundError
	if err != nil && !errors.As(err, &missing) {
		return Identity{}, err
	}
	stored, standIn := u.password, nobody() // made for everyone, so that the first time it takes no longer for some
	if missing != nil || stored == "" || u.Name != name || len(password) > mostPassword {
		stored, password = standIn, password[:min(len(password), mostPassword)]
	}
	good, err := a.verify(ctx, stored, password)
	if err != nil {
		return Identity{}, err
	}
	if !good {
		if err := a.Note(ctx, by, "sign in refused", by.Name, "wrong name or password"); err != nil {
			return Identity{}, err
		}
		return Identity{}, ErrPassword
	}
	a.limits.give(name, address)
	return a.signedIn(ctx, u, address, "with a password")
}

// signedIn begins the session of someone who has proven to be the user.
func (a *Accounts) signedIn(ctx context.Context, u User, address, how string) (Identity, error) {
	id := Identity{Name: u.Name, Role: u.Role, Via: ViaSession, UserID: u.ID, Address: address}
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`UPDATE users SET login_at = ? WHERE id = ?`, store.Micros(a.now()), u.ID); err != nil {
			return err
		}
		return a.Record(tx, id, "sign in", u.Name, how)
	})
	if err != nil {
		return Identity{}, err
	}
	return id, a.begin(ctx, u)
}

// ChangePassword gives someone another password who knows the old one, and ends their other sessions.
func (a *Accounts) ChangePassword(ctx context.Context, by Identity, old, password string) error {
	if by.Via != ViaSession {
		return wrong("only someone who has signed in has a password to change")
	}
	u, err := a.User(ctx, by.UserID)
	if err != nil {
		return err
	}
	if err := a.limits.take(u.Name, by.Address); err != nil {
		return err
	}
	good, err := a.verify(ctx, u.password, old[:min(len(old), mostPassword)])
	if err != nil {
		return err
	}
	if !good {
		return wrong("the old password is wrong")
	}
	a.limits.give(u.Name, by.Address)
	if _, err := a.SetPassword(ctx, by, u.ID, password); err != nil {
		return err
	}
	if u, err = a.User(ctx, u.ID); err != nil {
		return err
	}
	return a.begin(ctx, u)
}

// NeedSetup makes the one-time token with which the first user is made, where there is no admin; else it is empty.
func (a *Accounts) NeedSetup(ctx context.Context) (string, error) {
	users, err := a.Users(ctx)
	if err != nil {
		return "", err
	}
	for _, u := range users {
		if u.Role == Admin {
			return "", nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setup = random(16)
	return a.setup, nil
}

// SettingUp reports whether the one-time token waits to be used.
func (a *Accounts) SettingUp() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.setup != ""
}

// SetUp makes the first user, an admin, of someone who has the one-time token, and begins their session.
func (a *Accounts) SetUp(ctx context.Context, token, name, password, address string) (Identity, error) {
	if err := a.limits.take("\x00setup", address); err != nil {
		return Identity{}, err
	}
	by := Identity{Name: "setup", Via: ViaSession, Address: address}
	// The token is taken before the user is made, so that two who have it make one user.
	a.mu.Lock()
	have := a.setup
	good := have != "" && subtle.ConstantTimeCompare([]byte(have), []byte(strings.TrimSpace(token))) == 1
	if good {
		a.setup = ""
	}
	a.mu.Unlock()
	if !good {
		return Identity{}, wrong("the setup token is not the one that was printed when tocsin started, or was used: start tocsin again for another one")
	}
	u, err := a.AddUser(ctx, by, name, password, Admin)
	if err != nil {
		a.mu.Lock()
		a.setup = have
		a.mu.Unlock()
		return Identity{}, err
	}
	return a.signedIn(ctx, u, address, "as the first user")
}
