package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/store"
)

// Token is an API token as it is listed: what was shown when it was made is not kept.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	CreatedBy string    `json:"created_by"`
	Created   time.Time `json:"created_at"`
	// Expires is when it ends; zero for never. Used is when it was last used, to a minute; zero for never.
	Expires time.Time `json:"expires_at,omitzero"`
	Used    time.Time `json:"used_at,omitzero"`
	Revoked time.Time `json:"revoked_at,omitzero"`

	hash []byte
}

// NewToken is a token just made.
type NewToken struct {
	Token
	// Secret is the token itself, told this once.
	Secret string `json:"secret"`
	// APIKey is the same as id:key, as log shippers write it.
	APIKey string `json:"api_key"`
}

// tokenPrefix begins every token, so that one that leaked is recognised.
const tokenPrefix = "tocsin_"

// usedEvery is how often the use of a token is written down.
const usedEvery = time.Minute

// ErrToken says that a token is not known, ended or revoked; which of them is not told.
var ErrToken = errors.New("this token is not known, or no longer good")

// AddToken makes a token. life is how long it is good; 0 for ever.
func (a *Accounts) AddToken(ctx context.Context, by Identity, name string, role Role, life time.Duration) (NewToken, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return NewToken{}, wrong("a token needs a name of up to 100 characters, which says what it is for")
	}
	if _, err := ParseRole(string(role), true); err != nil {
		return NewToken{}, wrong("%v", err)
	}
	if life < 0 || life > 100*365*24*time.Hour {
		return NewToken{}, wrong("a token is good for at least no time and at most 100 years")
	}
	now := store.Time(store.Micros(a.now()))
	t := NewToken{Token: Token{ID: random(6), Name: name, Role: role, CreatedBy: by.Name, Created: now}}
	if life > 0 {
		t.Expires = now.Add(life)
	}
	key := random(24)
	t.Secret, t.APIKey = tokenPrefix+t.ID+"_"+key, t.ID+":"+key
	sum := sha256.Sum256([]byte(key))
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		err := tx.Exec(`INSERT INTO tokens (id, name, hash, role, created_by, created_at, expires_at, used_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)`,
			t.ID, name, sum[:], string(role), by.Name, store.Micros(now), store.Micros(t.Expires))
		if err != nil {
			return err
		}
		until := "for ever"
		if life > 0 {
			until = "until " + t.Expires.Format(time.RFC3339)
		}
		return a.Record(tx, by, "add token", name, fmt.Sprintf("%s, role %s, %s", t.ID, role, until))
	})
	return t, err
}

const tokenColumns = `id, name, hash, role, created_by, created_at, expires_at, used_at, revoked_at`

func scanToken(scan func(...any) error) (Token, error) {
	var (
		t                               Token
		created, expires, used, revoked int64
	)
	if err := scan(&t.ID, &t.Name, &t.hash, &t.Role, &t.CreatedBy, &created, &expires, &used, &revoked); err != nil {
		return Token{}, err
	}
	t.Created, t.Expires, t.Used, t.Revoked = store.Time(created), store.Time(expires), store.Time(used), store.Time(revoked)
	return t, nil
}

// Tokens are all tokens, revoked ones too, newest first.
func (a *Accounts) Tokens(ctx context.Context) ([]Token, error) {
	tokens := []Token{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			t, err := scanToken(r.Scan)
			tokens = append(tokens, t)
			return err
		}, `SELECT `+tokenColumns+` FROM tokens ORDER BY created_at DESC, id`)
	})
	return tokens, err
}

// RevokeToken ends a token, which stays in the list. One that was revoked before stays as it is.
func (a *Accounts) RevokeToken(ctx context.Context, by Identity, id string) (t Token, err error) {
	err = a.db.Update(ctx, func(tx *store.Tx) error {
		if t, err = tokenOf(tx, id); err != nil {
			return err
		}
		if !t.Revoked.IsZero() {
			return nil
		}
		t.Revoked = store.Time(store.Micros(a.now()))
		if err := tx.Exec(`UPDATE tokens SET revoked_at = ? WHERE id = ?`, store.Micros(t.Revoked), t.ID); err != nil {
			return err
		}
		return a.Record(tx, by, "revoke token", t.Name, t.ID)
	})
	return t, err
}

func tokenOf(tx *store.Tx, id string) (Token, error) {
	t, err := scanToken(func(dest ...any) error {
		return tx.Row(`SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, []any{id}, dest...)
	})
	if none(err) {
		return Token{}, &NotFoundError{fmt.Sprintf("no token has the id %q: `tocsin tokens list` shows what there is", id)}
	}
	return t, err
}

// Shown is the token that a request shows, as id and key: Bearer TOKEN, or with shippers true also what
// Elasticsearch's clients send, ApiKey with base64 of id:key, and Basic with the id and key, or any name and
// the token. found tells whether the request shows anything of the kind.
func Shown(r *http.Request, shippers bool) (id, key string, found bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "":
		return "", "", false
	case "bearer":
		id, key = splitToken(rest)
	case "apikey":
		if !shippers {
			break
		}
		if strings.HasPrefix(rest, tokenPrefix) {
			id, key = splitToken(rest)
			break
		}
		if b, err := base64.StdEncoding.DecodeString(rest); err == nil {
			id, key = splitPair(string(b))
		}
	case "basic":
		if !shippers {
			break
		}
		if name, password, ok := r.BasicAuth(); ok {
			id, key = splitPair(name + ":" + password)
		}
	}
	return id, key, true
}

func splitToken(text string) (id, key string) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return "", ""
	}
	id, key, _ = strings.Cut(rest, "_")
	return id, key
}

// splitPair reads id:key or name:token.
func splitPair(text string) (id, key string) {
	id, key, _ = strings.Cut(text, ":")
	if strings.HasPrefix(key, tokenPrefix) {
		return splitToken(key)
	}
	return id, key
}

// Token tells who shows a token. One that is not good is ErrToken.
func (a *Accounts) Token(ctx context.Context, id, key string) (Identity, error) {
	var t Token
	err := a.db.View(ctx, func(tx *store.Tx) error {
		var err error
		t, err = tokenOf(tx, id)
		return err
	})
	var missing *NotFoundError
	if err != nil && !errors.As(err, &missing) {
		return Identity{}, fmt.Errorf("look up a token: %w", err)
	}
	sum, now := sha256.Sum256([]byte(key)), a.now()
	good := subtle.ConstantTimeCompare(sum[:], t.hash) == 1
	if !good || missing != nil || !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Identity{}, ErrToken
	}
	if err := a.use(ctx, t, now); err != nil {
		return Identity{}, fmt.Errorf("note the use of a token: %w", err)
	}
	return Identity{Name: "token " + t.Name, Role: t.Role, Via: ViaToken, TokenID: t.ID}, nil
}

// use writes down that a token was used, once a minute.
func (a *Accounts) use(ctx context.Context, t Token, now time.Time) error {
	a.mu.Lock()
	last, ok := a.used[t.ID]
	if !ok {
		last = t.Used
	}
	due := now.Sub(last) >= usedEvery
	if due {
		a.used[t.ID] = now
	}
	a.mu.Unlock()
	if !due {
		return nil
	}
	return a.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`UPDATE tokens SET used_at = ? WHERE id = ?`, store.Micros(now), t.ID)
	})
}
