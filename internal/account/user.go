package account

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/store"
)

// User is someone who can sign in.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Origin is local, with a password here, or oidc: then the provider says the role at each login.
	Origin  string    `json:"origin" enum:"local,oidc"`
	Created time.Time `json:"created_at"`
	// Login is when they last signed in; zero for never.
	Login time.Time `json:"login_at,omitzero"`

	password string
	epoch    int64 // a session of another epoch is no longer good
}

// The origins of users.
const (
	Local      = "local"
	FromOpenID = "oidc"
)

var userName = regexp.MustCompile(`^[\pL\pN][\pL\pN._@+-]{0,63}$`)

const userColumns = `id, name, COALESCE(subject, ''), password, role, epoch, created_at, login_at`

func scanUser(scan func(...any) error) (User, error) {
	var (
		u              User
		subject        string
		created, login int64
	)
	if err := scan(&u.ID, &u.Name, &subject, &u.password, &u.Role, &u.epoch, &created, &login); err != nil {
		return User{}, err
	}
	u.Origin = Local
	if subject != "" {
		u.Origin = FromOpenID
	}
	u.Created, u.Login = store.Time(created), store.Time(login)
	return u, nil
}

// Users are all users, by name.
func (a *Accounts) Users(ctx context.Context) ([]User, error) {
	users := []User{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			u, err := scanUser(r.Scan)
			users = append(users, u)
			return err
		}, `SELECT `+userColumns+` FROM users ORDER BY name`)
	})
	return users, err
}

// User is the one of that name or id. Where there is none the error is a *NotFoundError.
func (a *Accounts) User(ctx context.Context, name string) (u User, err error) {
	err = a.db.View(ctx, func(tx *store.Tx) error {
		u, err = userOf(tx, name)
		return err
	})
	return u, err
}

func userOf(tx *store.Tx, name string) (User, error) {
	u, err := scanUser(func(dest ...any) error {
		return tx.Row(`SELECT `+userColumns+` FROM users WHERE name = ? OR id = ?`, []any{strings.ToLower(name), name}, dest...)
	})
	if none(err) {
		return User{}, &NotFoundError{fmt.Sprintf("no user is called %q: `tocsin users list` shows who there is", name)}
	}
	return u, err
}

// AddUser makes a user with a password.
func (a *Accounts) AddUser(ctx context.Context, by Identity, name, password string, role Role) (User, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if !userName.MatchString(name) {
		return User{}, wrong("%q is no name of a user: write up to 64 letters, digits and . _ - @ +, beginning with a letter or digit", cut(name))
	}
	if _, err := ParseRole(string(role), false); err != nil {
		return User{}, wrong("%v", err)
	}
	if err := CheckPassword(name, password); err != nil {
		return User{}, err
	}
	u := User{ID: random(8), Name: name, Role: role, Origin: Local, Created: store.Time(store.Micros(a.now())), password: hash(password)}
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		if err := a.insert(tx, u, nil); err != nil {
			return err
		}
		return a.Record(tx, by, "add user", name, "role "+string(role))
	})
	return u, err
}

func (a *Accounts) insert(tx *store.Tx, u User, subject any) error {
	n, err := tx.Change(`INSERT INTO users (id, name, subject, password, role, epoch, created_at, login_at) VALUES (?, ?, ?, ?, ?, 0, ?, 0)
		ON CONFLICT (name) DO NOTHING`, u.ID, u.Name, subject, u.password, string(u.Role), store.Micros(u.Created))
	if err == nil && n == 0 {
		err = &TakenError{fmt.Sprintf("there is a user called %q already: choose another name, or change that one", u.Name)}
	}
	return err
}

// RemoveUser deletes a user and ends their sessions. The last admin stays.
func (a *Accounts) RemoveUser(ctx context.Context, by Identity, name string) (u User, err error) {
	err = a.db.Update(ctx, func(tx *store.Tx) error {
		if u, err = userOf(tx, name); err != nil {
			return err
		}
		if err := a.notLast(tx, u); err != nil {
			return err
		}
		if err := tx.Exec(`DELETE FROM users WHERE id = ?`, u.ID); err != nil {
			return err
		}
		return a.Record(tx, by, "remove user", u.Name, "")
	})
	return u, err
}

// SetPassword gives a local user another password and ends their sessions.
func (a *Accounts) SetPassword(ctx context.Context, by Identity, name, password string) (u User, err error) {
	if u, err = a.User(ctx, name); err != nil {
		return u, err
	}
	if u.Origin != Local {
		return u, wrong("%s signs in through the OpenID provider and has no password here", u.Name)
	}
	if err := CheckPassword(u.Name, password); err != nil {
		return u, err
	}
	stored := hash(password)
	err = a.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`UPDATE users SET password = ?, epoch = epoch + 1 WHERE id = ?`, stored, u.ID); err != nil {
			return err
		}
		return a.Record(tx, by, "set password", u.Name, "")
	})
	return u, err
}

// SetRole gives a user another role, at once. The last admin stays one.
func (a *Accounts) SetRole(ctx context.Context, by Identity, name string, role Role) (u User, err error) {
	if _, err := ParseRole(string(role), false); err != nil {
		return u, wrong("%v", err)
	}
	err = a.db.Update(ctx, func(tx *store.Tx) error {
		if u, err = userOf(tx, name); err != nil {
			return err
		}
		if u.Origin != Local {
			return wrong("%s has the role the OpenID provider says: change it there", u.Name)
		}
		was := u.Role
		if role != Admin {
			if err := a.notLast(tx, u); err != nil {
				return err
			}
		}
		u.Role = role
		if err := tx.Exec(`UPDATE users SET role = ? WHERE id = ?`, string(role), u.ID); err != nil {
			return err
		}
		return a.Record(tx, by, "set role", u.Name, fmt.Sprintf("from %s to %s", was, role))
	})
	return u, err
}

func (a *Accounts) notLast(tx *store.Tx, u User) error {
	if u.Role != Admin {
		return nil
	}
	var others int
	if err := tx.Row(`SELECT COUNT(*) FROM users WHERE role = ? AND id <> ?`, []any{string(Admin), u.ID}, &others); err != nil {
		return err
	}
	if others == 0 {
		return wrong("%s is the last admin: make another one first", u.Name)
	}
	return nil
}
