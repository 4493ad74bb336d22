package account

import (
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tocsin/internal/store"
)

// Migrations are the tables of accounts. The log of changes can be added to, and nothing else.
var Migrations = []store.Migration{{ID: "account/1", SQL: `
CREATE TABLE users (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL UNIQUE,
	subject    TEXT UNIQUE,
	password   TEXT NOT NULL,
	role       TEXT NOT NULL,
	epoch      BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	login_at   BIGINT NOT NULL
);
CREATE TABLE tokens (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	hash       BLOB NOT NULL,
	role       TEXT NOT NULL,
	created_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL
);
CREATE TABLE sessions (
	id         TEXT PRIMARY KEY,
	data       BLOB NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE TABLE audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	via     TEXT NOT NULL,
	address TEXT NOT NULL,
	action  TEXT NOT NULL,
	object  TEXT NOT NULL,
	detail  TEXT NOT NULL
);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the log of changes is only added to'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the log of changes is only added to'); END;
`}}

// Options say how people are let in.
type Options struct {
	DB  *store.DB
	Log *slog.Logger
	// Session is how long one stays signed in; 12 hours when 0.
	Session time.Duration
	// Secure says that browsers reach us over TLS, ours or a proxy's: cookies are then sent over TLS alone.
	Secure bool
	// OIDC is the OpenID provider; nil for none.
	OIDC *OIDC
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// DefaultSession is how long one stays signed in unless told otherwise.
const DefaultSession = 12 * time.Hour

// Accounts are the users, tokens, sessions and the log of changes. They are safe for concurrent use.
type Accounts struct {
	db       *store.DB
	log      *slog.Logger
	now      func() time.Time
	sessions *Sessions
	limits   *limits
	hashing  chan struct{} // holds a place for each password being hashed
	oidc     *provider     // nil for none

	mu    sync.Mutex
	used  map[string]time.Time // when a token's use was last written
	setup string               // the one-time token of the first user; empty for none
}

// New makes accounts of what is in the database.
func New(o Options) (*Accounts, error) {
	if o.DB == nil || o.Log == nil {
		return nil, errors.New("account: DB and Log are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Session == 0 {
		o.Session = DefaultSession
	}
	a := &Accounts{
		db: o.DB, log: o.Log, now: o.Now, limits: newLimits(o.Now), hashing: make(chan struct{}, mostHashing), used: map[string]time.Time{},
	}
	a.sessions = newSessions(o)
	if o.OIDC != nil {
		a.oidc = &provider{OIDC: *o.OIDC}
	}
	return a, nil
}

// InputError is a request that the one who made it can mend.
type InputError struct{ Text string }

func (e *InputError) Error() string { return e.Text }

func wrong(format string, args ...any) error { return &InputError{Text: fmt.Sprintf(format, args...)} }

// NotFoundError says that there is no such user or token.
type NotFoundError struct{ Text string }

func (e *NotFoundError) Error() string { return e.Text }

// TakenError says that there is one of this name already.
type TakenError struct{ Text string }

func (e *TakenError) Error() string { return e.Text }

// random is a secret of n random bytes as hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // it never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// none reports whether a query found nothing.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }
