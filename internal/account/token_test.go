package account_test

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/store"
)

func (r *room) token(t *testing.T, role account.Role, life time.Duration) account.NewToken {
	t.Helper()
	made, err := r.AddToken(t.Context(), root, "filebeat", role, life)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// shows is who a header of Authorization is taken for.
func (r *room) shows(t *testing.T, header string, shippers bool) (account.Identity, bool, error) {
	t.Helper()
	q := httptest.NewRequest("POST", "/_bulk", nil)
	q.Header.Set("Authorization", header)
	id, key, shown := account.Shown(q, shippers)
	if !shown {
		return account.Identity{}, false, nil
	}
	who, err := r.Token(t.Context(), id, key)
	return who, true, err
}

func TestTokensAreShownAsProgramsAndShippersDo(t *testing.T) {
	r := newRoom(t, nil)
	made := r.token(t, account.Ingest, 0)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	key := made.APIKey[strings.Index(made.APIKey, ":")+1:]
	for _, tc := range []struct {
		header        string
		api, shippers bool
	}{
		{"Bearer " + made.Secret, true, true},
		{"bearer  " + made.Secret, true, true},
		{"ApiKey " + b64(made.APIKey), false, true},
		{"ApiKey " + made.Secret, false, true},
		{"Basic " + b64(made.APIKey), false, true},
		{"Basic " + b64("elastic:"+made.Secret), false, true},
		{"Basic " + b64(made.ID+":wrong"), false, false},
		{"Basic " + b64("x:"+key), false, false},
		{"ApiKey " + made.APIKey, false, false},
		{"ApiKey nonsense", false, false},
		{"Bearer " + key, false, false},
		{"Bearer " + made.APIKey, false, false},
		{"Bearer " + made.Secret + "0", false, false},
		{"Bearer " + made.Secret[:len(made.Secret)-1], false, false},
		{"Bearer tocsin_" + made.ID + "_", false, false},
		{"Bearer", false, false},
		{"Digest x", false, false},
	} {
		for _, shippers := range []bool{false, true} {
			want := tc.api
			if shippers {
				want = tc.shippers
			}
			who, shown, err := r.shows(t, tc.header, shippers)
			switch {
			case !shown:
				t.Errorf("%s is taken for no token at all", tc.header)
			case want && (err != nil || who.Name != "token filebeat" || who.Role != account.Ingest || who.Via != account.ViaToken || who.TokenID != made.ID):
				t.Errorf("%s (shippers %v): %+v, %v", tc.header, shippers, who, err)
			case !want && !errors.Is(err, account.ErrToken):
				t.Errorf("%s (shippers %v) is let in: %+v, %v", tc.header, shippers, who, err)
			}
		}
	}
	if _, shown, _ := r.shows(t, "", true); shown {
		t.Error("no header is a token")
	}
}

func TestTokensEnd(t *testing.T) {
	r := newRoom(t, nil)
	short, long := r.token(t, account.Viewer, time.Hour), r.token(t, account.Viewer, 0)
	good := func(made account.NewToken) bool {
		_, _, err := r.shows(t, "Bearer "+made.Secret, false)
		if err != nil && !errors.Is(err, account.ErrToken) {
			t.Fatal(err)
		}
		return err == nil
	}
	r.clock.turn(time.Hour - time.Second)
	if !good(short) || !good(long) {
		t.Error("a token is not good")
	}
	r.clock.turn(time.Second)
	if good(short) || !good(long) {
		t.Error("after an hour")
	}
	if _, err := r.RevokeToken(t.Context(), root, long.ID); err != nil {
		t.Fatal(err)
	}
	if good(long) {
		t.Error("a token that was revoked is good")
	}
	if _, err := r.RevokeToken(t.Context(), root, long.ID); err != nil {
		t.Errorf("revoking it again: %v", err)
	}
}

func TestTheDatabaseHasNoToken(t *testing.T) {
	r := newRoom(t, nil)
	made := r.token(t, account.Admin, 0)
	key := made.Secret[strings.LastIndex(made.Secret, "_")+1:]
	err := r.db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var hash []byte
			var rest string
			if err := rows.Scan(&hash, &rest); err != nil {
				return err
			}
			if len(hash) != 32 || strings.Contains(string(hash)+rest, key) {
				t.Errorf("the token is stored as %x, %s", hash, rest)
			}
			return nil
		}, `SELECT hash, id || name || created_by FROM tokens`)
	})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := r.Tokens(t.Context())
	if err != nil || len(listed) != 1 || listed[0].Used.IsZero() == false {
		t.Errorf("listed %+v, %v", listed, err)
	}
	events, _, err := r.Events(t.Context(), account.EventFilter{})
	if err != nil || len(events) != 1 || strings.Contains(events[0].Detail, key) {
		t.Errorf("the log has %+v, %v", events, err)
	}
}

func TestTheUseOfATokenIsNotedOnceAMinute(t *testing.T) {
	r := newRoom(t, nil)
	made := r.token(t, account.Viewer, 0)
	used := func() time.Time {
		if _, _, err := r.shows(t, "Bearer "+made.Secret, false); err != nil {
			t.Fatal(err)
		}
		listed, err := r.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return listed[0].Used
	}
	first := used()
	r.clock.turn(30 * time.Second)
	if again := used(); !again.Equal(first) || first.IsZero() {
		t.Errorf("noted at %v and %v", first, again)
	}
	r.clock.turn(31 * time.Second)
	if later := used(); later.Sub(first) != 61*time.Second {
		t.Errorf("noted at %v, then %v", first, later)
	}
}

func TestTokensAreChecked(t *testing.T) {
	r := newRoom(t, nil)
	for _, tc := range []struct {
		name string
		role account.Role
		life time.Duration
	}{{"", account.Viewer, 0}, {"a\nb", account.Viewer, 0}, {strings.Repeat("a", 101), account.Viewer, 0}, {"a", "root", 0}, {"a", account.Viewer, -1}, {"a", account.Viewer, 1 << 62}} {
		var input *account.InputError
		if _, err := r.AddToken(t.Context(), root, tc.name, tc.role, tc.life); !errors.As(err, &input) {
			t.Errorf("%.20q %q %v: %v", tc.name, tc.role, tc.life, err)
		}
	}
	var missing *account.NotFoundError
	if _, err := r.RevokeToken(t.Context(), root, "nothing"); !errors.As(err, &missing) {
		t.Errorf("revoked nothing: %v", err)
	}
}
