package account_test

import (
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/store"
)

// clock is a clock that tests turn.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type room struct {
	*account.Accounts
	db    *store.DB
	clock *clock
}

func newRoom(t *testing.T, change func(*account.Options)) *room {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: account.Migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &clock{now: time.Now()}
	o := account.Options{DB: db, Log: slog.New(slog.DiscardHandler), Now: c.Now}
	if change != nil {
		change(&o)
	}
	a, err := account.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &room{a, db, c}
}

var root = account.Identity{Name: "root (uid 0)", Role: account.Admin, Via: account.ViaSocket}

const password = "correct horse battery"

func (r *room) add(t *testing.T, name string, role account.Role) account.User {
	t.Helper()
	u, err := r.AddUser(t.Context(), root, name, password, role)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// browser is someone with cookies before a server that signs in, out, and tells who is signed in.
type browser struct {
	t      *testing.T
	client *http.Client
	at     string
}

func (r *room) browse(t *testing.T) *browser {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, q *http.Request) {
		if _, err := r.SignIn(q.Context(), q.FormValue("name"), q.FormValue("password"), "192.0.2.1"); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, q *http.Request) {
		id, ok, err := r.Session(q.Context())
		if err != nil || !ok {
			http.Error(w, "nobody", http.StatusUnauthorized)
			return
		}
		w.Write([]byte(id.Name + " " + string(id.Role)))
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, q *http.Request) {
		if err := r.SignOut(q.Context(), root); err != nil {
			t.Error(err)
		}
	})
	s := httptest.NewServer(r.Remember(mux))
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}, s.URL}
}

func (b *browser) get(path string, form ...string) (int, string) {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	resp, err := b.client.PostForm(b.at+path, values)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (b *browser) cookie() string {
	u, err := url.Parse(b.at)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		return c.Value
	}
	return ""
}

func TestRolesAllowWhatThoseBelowDo(t *testing.T) {
	for _, tc := range []struct {
		has, needed account.Role
		want        bool
	}{
		{account.Viewer, account.Viewer, true},
		{account.Viewer, account.Editor, false},
		{account.Viewer, account.Admin, false},
		{account.Editor, account.Viewer, true},
		{account.Editor, account.Editor, true},
		{account.Editor, account.Admin, false},
		{account.Admin, account.Viewer, true},
		{account.Admin, account.Editor, true},
		{account.Admin, account.Admin, true},
		{account.Ingest, account.Viewer, false},
		{account.Ingest, account.Admin, false},
		{account.Ingest, account.Ingest, true},
		{account.Viewer, account.Ingest, false},
		{account.Editor, account.Ingest, false},
		{account.Admin, account.Ingest, true},
		{"", account.Viewer, false},
		{account.Admin, "", false},
		{"", "", false},
		{"root", account.Viewer, false},
	} {
		if got := tc.has.Allows(tc.needed); got != tc.want {
			t.Errorf("%q allows %q: %v", tc.has, tc.needed, got)
		}
	}
}

func TestASessionIsItsUsersUntilSomethingEndsIt(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *room, *browser){
		"it is over":          func(_ *testing.T, r *room, _ *browser) { r.clock.turn(13 * time.Hour) },
		"the user signs out":  func(_ *testing.T, _ *room, b *browser) { b.get("/out") },
		"the user is removed": func(t *testing.T, r *room, _ *browser) { remove(t, r, "ann") },
		"the password is set": func(t *testing.T, r *room, _ *browser) {
			if _, err := r.SetPassword(t.Context(), root, "ann", "another horse battery"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, nil)
			r.add(t, "root", account.Admin)
			r.add(t, "ann", account.Editor)
			b := r.browse(t)
			if code, _ := b.get("/who"); code != 401 {
				t.Fatalf("before signing in: %d", code)
			}
			if code, said := b.get("/login", "name", " ANN ", "password", password); code != 200 {
				t.Fatalf("signing in: %d %s", code, said)
			}
			if code, said := b.get("/who"); code != 200 || said != "ann editor" {
				t.Fatalf("signed in: %d %s", code, said)
			}
			end(t, r, b)
			if code, said := b.get("/who"); code != 401 {
				t.Errorf("still signed in: %d %s", code, said)
			}
		})
	}
}

func remove(t *testing.T, r *room, name string) {
	t.Helper()
	if _, err := r.RemoveUser(t.Context(), root, name); err != nil {
		t.Fatal(err)
	}
}

func TestARoleCountsAtOnce(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "root", account.Admin)
	r.add(t, "ann", account.Viewer)
	b := r.browse(t)
	b.get("/login", "name", "ann", "password", password)
	if _, err := r.SetRole(t.Context(), root, "ann", account.Admin); err != nil {
		t.Fatal(err)
	}
	if _, said := b.get("/who"); said != "ann admin" {
		t.Errorf("the session is %s", said)
	}
}

func TestASessionHasANewCookieAfterSigningInAndIsStoredAsAHash(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	b := r.browse(t)
	b.get("/login", "name", "ann", "password", password)
	first := b.cookie()
	b.get("/login", "name", "ann", "password", password)
	if second := b.cookie(); first == "" || first == second {
		t.Errorf("the cookie stayed %q: one that was planted would be signed in", second)
	}
	err := r.db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Query(func(rows *sql.Rows) error {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if strings.Contains(id, first) || strings.Contains(id, b.cookie()) {
				t.Errorf("the database has the cookie itself: %s", id)
			}
			return nil
		}, `SELECT id FROM sessions`)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUsersAreChecked(t *testing.T) {
	r := newRoom(t, nil)
	r.add(t, "ann", account.Admin)
	for _, tc := range []struct {
		name, password string
		role           account.Role
		says           string
	}{
		{"ANN", password, account.Viewer, "there is a user"},
		{"", password, account.Viewer, "no name of a user"},
		{"a b", password, account.Viewer, "no name"},
		{"<b>", password, account.Viewer, "no name"},
		{"bob", "short", account.Viewer, "at least 10"},
		{"bob", strings.Repeat("x", 1025), account.Viewer, "at most 1024"},
		{"bob.the.builder", "Bob.The.Builder", account.Viewer, "must not be the name"},
		{"bob", password, "root", "no role is called"},
		{"bob", password, account.Ingest, "no role is called"},
		{"bob", "\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff", account.Viewer, "not UTF-8"},
	} {
		_, err := r.AddUser(t.Context(), root, tc.name, tc.password, tc.role)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q as %q: %v, want %q", tc.name, tc.role, err, tc.says)
		}
	}
	for name, change := range map[string]func() error{
		"remove": func() error { _, err := r.RemoveUser(t.Context(), root, "ann"); return err },
		"demote": func() error { _, err := r.SetRole(t.Context(), root, "ann", account.Editor); return err },
	} {
		var input *account.InputError
		if err := change(); !errors.As(err, &input) || !strings.Contains(input.Text, "last admin") {
			t.Errorf("%s the last admin: %v", name, err)
		}
	}
	var missing *account.NotFoundError
	if _, err := r.SetRole(t.Context(), root, "eve", account.Admin); !errors.As(err, &missing) {
		t.Errorf("a role for nobody: %v", err)
	}
}

func TestTheFirstUserIsMadeOnceWithTheToken(t *testing.T) {
	r := newRoom(t, nil)
	token, err := r.NeedSetup(t.Context())
	if err != nil || token == "" {
		t.Fatal(token, err)
	}
	var made, refused int
	b := http.NewServeMux()
	b.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		if _, err := r.SetUp(q.Context(), q.FormValue("token"), q.FormValue("name"), password, "192.0.2.1"); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	h := r.Remember(b)
	for _, one := range [][2]string{{"", "eve"}, {"nonsense", "eve"}, {token, "not a name"}, {token, "ann"}, {token, "bob"}} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", "/?"+url.Values{"token": {one[0]}, "name": {one[1]}}.Encode(), nil))
		if rec.Code == http.StatusOK {
			made++
		} else {
			refused++
		}
	}
	users, err := r.Users(t.Context())
	if err != nil || made != 1 || refused != 4 || len(users) != 1 || users[0].Name != "ann" || users[0].Role != account.Admin {
		t.Errorf("made %d, refused %d, users %+v, %v", made, refused, users, err)
	}
	if token, err := r.NeedSetup(t.Context()); err != nil || token != "" {
		t.Errorf("with an admin there is another token: %q %v", token, err)
	}
}
