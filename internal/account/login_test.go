package account_test

import (
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/store"
)

// signIn tries a password from an address and answers with the error.
func (r *room) signIn(t *testing.T, name, password, address string) error {
	t.Helper()
	var err error
	h := r.Remember(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, err = r.SignIn(q.Context(), name, password, address)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/login", nil))
	return err
}

func TestAWrongNameAndAWrongPasswordAreTheSame(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	for _, tc := range [][2]string{{"ann", "wrong horse battery"}, {"nobody", password}, {"ann", ""}, {"", ""}, {"ann", strings.Repeat("x", 5000)}, {"ann\x00", password}} {
		if err := r.signIn(t, tc[0], tc[1], "192.0.2.1"); !errors.Is(err, account.ErrPassword) {
			t.Errorf("%q with %.20q: %v", tc[0], tc[1], err)
		}
	}
	if err := r.signIn(t, "ann", password, "192.0.2.1"); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func TestAUsersIdIsNoNameToSignInWith(t *testing.T) {
	r := newRoom(t, nil)
	u := r.add(t, "ann", account.Admin)
	if err := r.signIn(t, u.ID, password, "192.0.2.1"); !errors.Is(err, account.ErrPassword) {
		t.Errorf("the id signs in: %v", err)
	}
}

func TestTooManyWrongPasswordsMustWait(t *testing.T) {
	var limit *account.LimitError
	tries := func(t *testing.T, r *room, name, address func(int) string) int {
		t.Helper()
		for i := range 100 {
			err := r.signIn(t, name(i), "wrong horse battery", address(i))
			if errors.As(err, &limit) {
				return i
			}
			if !errors.Is(err, account.ErrPassword) {
				t.Fatal(err)
			}
		}
		return 100
	}
	always := func(s string) func(int) string { return func(int) string { return s } }
	each := func(prefix string) func(int) string {
		return func(i int) string {
			return prefix + strings.Repeat("1", i%5+1) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		}
	}
	t.Run("of one account from many addresses", func(t *testing.T) {
		r := newRoom(t, nil)
		r.add(t, "ann", account.Admin)
		if n := tries(t, r, always("ann"), each("host-")); n != 10 {
			t.Errorf("%d tries", n)
		}
		if err := r.signIn(t, "ANN ", password, "198.51.100.7"); !errors.As(err, &limit) || limit.Wait <= 0 || limit.Wait > 30*time.Second {
			t.Errorf("the right password is taken meanwhile: %v", err)
		}
		r.clock.turn(31 * time.Second)
		if err := r.signIn(t, "ann", password, "198.51.100.7"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		if err := r.signIn(t, "ann", "wrong horse battery", "198.51.100.7"); !errors.Is(err, account.ErrPassword) {
			t.Errorf("signing in does not give the tries back: %v", err)
		}
	})
	t.Run("of many accounts from one address", func(t *testing.T) {
		r := newRoom(t, nil)
		if n := tries(t, r, each("user"), always("192.0.2.1")); n != 30 {
			t.Errorf("%d tries", n)
		}
	})
	t.Run("from one network of IPv6", func(t *testing.T) {
		r := newRoom(t, nil)
		address := func(i int) string {
			return "2001:db8:1:1::" + string("0123456789abcdef"[i%16]) + string("0123456789abcdef"[i/16])
		}
		if n := tries(t, r, each("user"), address); n != 30 {
			t.Errorf("%d tries", n)
		}
		if err := r.signIn(t, "other", "wrong horse battery", "2001:db8:1:2::1"); !errors.Is(err, account.ErrPassword) {
			t.Errorf("another network has to wait: %v", err)
		}
	})
}

func TestPasswordsAreHashed(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	r.add(t, "bob", account.Admin)
	var stored []string
	err := r.db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var one string
			err := rows.Scan(&one)
			stored = append(stored, one)
			return err
		}, `SELECT password FROM users`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != 2 || stored[0] == stored[1] {
		t.Errorf("equal passwords have equal hashes: %q", stored)
	}
	for _, one := range stored {
		if !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(one, password) {
			t.Errorf("stored as %q", one)
		}
	}
}

func TestTheLogOfChangesTellsOfSigningIn(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	if err := r.signIn(t, "ann", "wrong horse battery", "192.0.2.1"); err == nil {
		t.Fatal("signed in")
	}
	if err := r.signIn(t, "ann", password, "192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	events, _, err := r.Events(t.Context(), account.EventFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Who+" | "+e.Via+" | "+e.Address+" | "+e.Action+" | "+e.Object)
	}
	want := []string{"ann | session | 192.0.2.2 | sign in | ann", "ann | login | 192.0.2.1 | sign in refused | ann", "root (uid 0) | socket |  | add user | ann"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
