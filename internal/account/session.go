package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"tocsin/internal/store"
)

// Sessions are those of browsers.
type Sessions = scs.SessionManager

// CookieName is the cookie of a session: with the prefix that makes browsers take it over TLS only, from this
// host only, where they reach us over TLS.
func CookieName(secure bool) string {
	if secure {
		return "__Host-tocsin"
	}
	return "tocsin"
}

func newSessions(o Options) *Sessions {
	s := scs.New()
	s.Lifetime, s.HashTokenInStore = o.Session, true
	s.Store = &sessionStore{db: o.DB, now: o.Now}
	// Lax, not Strict: the answer of an OpenID provider is a visit from another site.
	s.Cookie = scs.SessionCookie{Name: CookieName(o.Secure), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: o.Secure, Persist: true}
	s.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		if r.Context().Err() == nil {
			o.Log.Error("a session could not be read or written", "error", err)
		}
		http.Error(w, "the session could not be read or written: the log says why", http.StatusInternalServerError)
	}
	return s
}

// sessionStore keeps sessions in the database, under the hash of what the cookie has.
type sessionStore struct {
	db  *store.DB
	now func() time.Time
}

// FindCtx implements scs.CtxStore.
func (s *sessionStore) FindCtx(ctx context.Context, id string) (data []byte, found bool, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT data FROM sessions WHERE id = ? AND expires_at > ?`, []any{id, store.Micros(s.now())}, &data)
	})
	if none(err) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx implements scs.CtxStore. Sessions that have ended are deleted on the way.
func (s *sessionStore) CommitCtx(ctx context.Context, id string, data []byte, expires time.Time) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`DELETE FROM sessions WHERE expires_at <= ?`, store.Micros(s.now())); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO sessions (id, data, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`, id, data, store.Micros(expires))
	})
}

// DeleteCtx implements scs.CtxStore.
func (s *sessionStore) DeleteCtx(ctx context.Context, id string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return tx.Exec(`DELETE FROM sessions WHERE id = ?`, id) })
}

// Find, Commit and Delete implement scs.Store, which never calls them where there is a context.
func (s *sessionStore) Find(id string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), id)
}

// Commit implements scs.Store.
func (s *sessionStore) Commit(id string, data []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), id, data, expires)
}

// Delete implements scs.Store.
func (s *sessionStore) Delete(id string) error { return s.DeleteCtx(context.Background(), id) }

// What a session holds.
const (
	sessionUser  = "user"
	sessionEpoch = "epoch"
)

// Remember gives requests their session. Whoever signs in or out must be behind it.
func (a *Accounts) Remember(next http.Handler) http.Handler { return a.sessions.LoadAndSave(next) }

// Session tells who is signed in; false for nobody. The request must be behind Remember.
func (a *Accounts) Session(ctx context.Context) (Identity, bool, error) {
	id := a.sessions.GetString(ctx, sessionUser)
	if id == "" {
		return Identity{}, false, nil
	}
	u, err := a.User(ctx, id)
	var missing *NotFoundError
	switch {
	case errors.As(err, &missing):
		return Identity{}, false, nil
	case err != nil:
		return Identity{}, false, err
	case u.ID != id || u.epoch != a.sessions.GetInt64(ctx, sessionEpoch):
		return Identity{}, false, nil
	}
	return Identity{Name: u.Name, Role: u.Role, Via: ViaSession, UserID: u.ID}, true, nil
}

// begin makes the session that of a user, under a new cookie: one that was planted before is of no use.
func (a *Accounts) begin(ctx context.Context, u User) error {
	if err := a.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := a.sessions.RenewToken(ctx); err != nil {
		return err
	}
	a.sessions.Put(ctx, sessionUser, u.ID)
	a.sessions.Put(ctx, sessionEpoch, u.epoch)
	return nil
}

// SignOut ends the session.
func (a *Accounts) SignOut(ctx context.Context, by Identity) error {
	if by.Via == ViaSession {
		if err := a.Note(ctx, by, "sign out", by.Name, ""); err != nil {
			return err
		}
	}
	return a.sessions.Destroy(ctx)
}
