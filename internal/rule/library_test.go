package rule

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/store"
)

// shelf is a library over a database and a directory of its own.
type shelf struct {
	*Library
	t        testing.TB
	dir      string
	reported error
	changes  int
}

func openDB(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Migrations: Migrations})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newShelf(t testing.TB, db *store.DB, dir string, sources ...string) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: dir}
	var err error
	s.Library, err = New(t.Context(), Options{
		DB: db, Dir: dir, Sources: sources, Log: slog.New(slog.DiscardHandler),
		Report: func(_ string, err error, _ string) { s.reported = err }, Changed: func() { s.changes++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shelf) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	// A file system may tell times too roughly for a test.
	later := time.Now().Add(time.Duration(len(content)) * time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) reload() {
	s.t.Helper()
	if err := s.Reload(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// lines tells of each rule its id, origin, version, state and first problem.
func (s *shelf) lines() []string {
	var out []string
	for _, e := range s.All() {
		line := e.ID + " " + string(e.Origin)
		if e.Rule != nil {
			line += " " + e.Rule.Search + " " + string(e.Rule.Enabled)
		}
		if len(e.Problems) > 0 {
			line += " | " + strings.ReplaceAll(e.Problems[0].String(), s.dir, "DIR")
		}
		out = append(out, line)
	}
	return out
}

func (s *shelf) want(lines ...string) {
	s.t.Helper()
	if diff := cmp.Diff(lines, s.lines()); diff != "" {
		s.t.Error(diff)
	}
}

func TestABrokenFileRunsAsItLastWas(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	db := openDB(t, data)
	s := newShelf(t, db, dir)
	s.want()
	s.write("a.yaml", "name: A\nsearch: a:1\n")
	s.write("linux/b c.yml", "name: B\nsearch: b:1\n")
	s.write(".hidden.yaml", "name: H\nsearch: h:1\n")
	s.write("notes.txt", "no rule")
	s.write("new.yaml", "name: N\nserch: n:1\n")
	s.reload()
	s.want("a file a:1 true", "linux/b-c file b:1 true", `new file | DIR/new.yaml:1:1: the rule has no search: write "search", a KQL filter, then pipes`)
	if s.reported == nil || !strings.Contains(s.reported.Error(), "rule new does not run") {
		t.Errorf("reported %v", s.reported)
	}
	s.write("a.yaml", "name: A\nsearch: a:(1\n")
	s.write("new.yaml", "name: N\nsearch: n:1\n")
	s.reload()
	s.want(`a file a:1 true | DIR/a.yaml:2:13: search: Expected ")", AND, OR, whitespace but end of input found.`, "linux/b-c file b:1 true", "new file n:1 true")
	if s.reported == nil || !strings.Contains(s.reported.Error(), "rule a runs as it last was") {
		t.Errorf("reported %v", s.reported)
	}
	// A restart does not lose what last was good.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, data)
	s = newShelf(t, db, dir)
	if got := s.lines()[0]; !strings.HasPrefix(got, "a file a:1 true | ") {
		t.Errorf("after a restart: %s", got)
	}
	// Nor does a directory that cannot be read.
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.reload()
	if len(s.lines()) != 3 || s.reported == nil || !strings.Contains(s.reported.Error(), "cannot be read") {
		t.Errorf("without the directory: %v, %v", s.lines(), s.reported)
	}
	s = newShelf(t, db, dir)
	if len(s.lines()) != 3 {
		t.Errorf("started without the directory: %v", s.lines())
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	s.write("a.yaml", "name: A\nsearch: a:222\n")
	if err := os.Remove(filepath.Join(dir, "new.yaml")); err != nil {
		t.Fatal(err)
	}
	s.reload()
	s.want("a file a:222 true", "linux/b-c file b:1 true")
	if s.reported != nil {
		t.Errorf("reported %v", s.reported)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReadOnceItIsWrittenWhole(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, t.TempDir())
	look := func() {
		t.Helper()
		s.changing.Lock()
		defer s.changing.Unlock()
		if err := s.readDir(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	s.write("a.yaml", "name: A\n")
	look()
	s.want()
	s.write("a.yaml", "name: A\nsearch: a:1\n")
	look()
	s.want()
	before := s.changes
	look()
	s.want("a file a:1 true")
	look()
	if s.changes != before+1 {
		t.Errorf("told of %d changes", s.changes-before)
	}
}

func TestNamesAndIDsAreOnlyOnce(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, t.TempDir())
	s.write("a.yaml", "name: A\nsearch: a:1\n")
	s.write("b.yaml", "name: A\nsearch: b:1\n")
	s.write("c.yaml", "name: C\nid: a\nsearch: c:1\n")
	s.reload()
	s.want("a file a:1 true",
		`a file | DIR/c.yaml: the id a is already that of DIR/a.yaml, and this rule does not run: change one of them, or delete one`,
		`b file | DIR/b.yaml: the name "A" is already that of DIR/a.yaml, and this rule does not run: change one of them, or delete one`)
}

func apply(t testing.TB, s *shelf, content string, c Change) (Entry, bool, error) {
	t.Helper()
	return s.Apply(t.Context(), []byte(content), false, nil, c)
}

func TestEveryChangeIsAVersion(t *testing.T) {
	data := t.TempDir()
	db := openDB(t, data)
	s := newShelf(t, db, "")
	must := func(e Entry, changed bool, err error) Entry {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !changed {
			t.Error("nothing changed")
		}
		return e
	}
	first := "name: A rule\nsearch: a:1 # why\n"
	e := must(apply(t, s, first, Change{Who: "ann"}))
	if e.ID != "a-rule" || e.Version != 1 || string(e.Content) != first {
		t.Fatalf("%+v", e)
	}
	if _, changed, err := apply(t, s, first, Change{Base: Any, Who: "ann"}); changed || err != nil {
		t.Errorf("the same again: %v, %v", changed, err)
	}
	must(apply(t, s, "name: A rule\nsearch: a:2\nevery: 1m\n", Change{Base: 1, Who: "bob", Note: "too slow"}))
	must(s.SetState(t.Context(), "A rule", Shadow, Change{Base: 2, Who: "ann"}))
	if _, changed, err := s.SetState(t.Context(), "a-rule", Shadow, Change{Base: Any, Who: "ann"}); changed || err != nil {
		t.Errorf("shadow again: %v, %v", changed, err)
	}
	must(apply(t, s, "name: Another name\nsearch: a:2\nevery: 1m\n", Change{ID: "a-rule", Base: 3, Who: "bob"}))
	s.want("a-rule database a:2 true")

	var conflict *ConflictError
	if _, _, err := apply(t, s, "name: Another name\nsearch: a:3\n", Change{Base: 2, Who: "ann"}); !errors.As(err, &conflict) || conflict.Current != 4 || conflict.Who != "bob" {
		t.Errorf("the second editor is told %v", err)
	}
	if _, _, err := apply(t, s, "name: Another name\nsearch: a:3\n", Change{Who: "ann"}); !errors.As(err, &conflict) {
		t.Errorf("a new rule of an id there is: %v", err)
	}
	if err := s.Delete(t.Context(), "a-rule", Change{Base: 3, Who: "ann"}); !errors.As(err, &conflict) {
		t.Errorf("deleting what changed: %v", err)
	}
	if err := s.Delete(t.Context(), "a-rule", Change{Base: 4, Who: "ann"}); err != nil {
		t.Fatal(err)
	}
	s.want()
	if _, _, err := apply(t, s, "name: Another name\nid: a-rule\nsearch: a:3\n", Change{Base: 4, Who: "ann"}); !errors.As(err, &conflict) || conflict.Current != 0 {
		t.Errorf("saving what was deleted: %v", err)
	}
	must(apply(t, s, "name: Again\nid: a-rule\nsearch: a:3\n", Change{Who: "ann"}))

	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, data)
	defer db.Close() //nolint:errcheck // the test is over
	s = newShelf(t, db, "")
	s.want("a-rule database a:3 true")
	history, err := s.History(t.Context(), "a-rule")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range history {
		line := string(v.Action) + " by " + v.Who + ":"
		for _, d := range v.Changes {
			line += " " + d.Key + " " + string(d.Old) + "->" + string(d.New)
		}
		if v.Note != "" {
			line += " (" + v.Note + ")"
		}
		got = append(got, line)
	}
	want := []string{
		"created by ann:", "deleted by ann:", `edited by bob: name "A rule"->"Another name" enabled "shadow"->null`, `shadowed by ann: enabled null->"shadow"`,
		`edited by bob: search "a:1"->"a:2" every null->"1m" (too slow)`, "created by ann:",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	v, err := s.VersionOf(t.Context(), "a-rule", 1)
	if err != nil || v.Content != first {
		t.Errorf("version 1 is %q, %v", v.Content, err)
	}
	var missing *NotFoundError
	if _, err := s.VersionOf(t.Context(), "a-rule", 99); !errors.As(err, &missing) {
		t.Errorf("version 99: %v", err)
	}
}

func TestRulesOfFilesAreReadOnly(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, t.TempDir())
	s.write("a.yaml", "name: A\nsearch: a:1\n")
	s.reload()
	var readOnly *ReadOnlyError
	if _, _, err := s.SetState(t.Context(), "a", Off, Change{Base: Any}); !errors.As(err, &readOnly) {
		t.Errorf("turned off: %v", err)
	}
	if err := s.Delete(t.Context(), "A", Change{Base: Any}); !errors.As(err, &readOnly) {
		t.Errorf("deleted: %v", err)
	}
	if _, _, err := apply(t, s, "name: A\nsearch: a:2\n", Change{Base: Any}); !errors.As(err, &readOnly) {
		t.Errorf("applied: %v", err)
	}
	var problems *Problems
	if _, _, err := apply(t, s, "name: A\nid: other\nsearch: a:2\n", Change{Base: Any}); !errors.As(err, &problems) {
		t.Errorf("applied with its name: %v", err)
	}
}

func TestTwoNamesWithOneSlugAreTwoRules(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, "")
	for _, name := range []string{"Ä b", "b!", "b?"} {
		if _, _, err := apply(t, s, "name: "+name+"\nsearch: a:1\n", Change{Base: Any}); err != nil {
			t.Fatal(err)
		}
	}
	s.want("b-2 database a:1 true", "b-3 database a:1 true", "b database a:1 true")
}

func TestFilesOfTestsGoWithTheRule(t *testing.T) {
	data := t.TempDir()
	db := openDB(t, data)
	defer func() { db.Close() }() //nolint:errcheck // the test is over
	s := newShelf(t, db, "")
	content := "name: A\nsearch: a:1\ntests: [{name: one, events: sub/a.ndjson, alerts: 1}]\n"
	var problems *Problems
	if _, _, err := apply(t, s, content, Change{}); !errors.As(err, &problems) || !strings.Contains(err.Error(), "sub/a.ndjson") {
		t.Errorf("without the file: %v", err)
	}
	files := map[string][]byte{"sub/a.ndjson": []byte(`{"a":1}`), "other": []byte("unused")}
	if _, _, err := s.Apply(t.Context(), []byte(content), false, files, Change{}); err != nil {
		t.Fatal(err)
	}
	files["sub/a.ndjson"] = []byte(`{"a":2}`)
	if _, changed, err := s.Apply(t.Context(), []byte(content), false, files, Change{Base: Any}); err != nil || !changed {
		t.Fatalf("another file: %v, %v", changed, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, data)
	s = newShelf(t, db, "")
	e, err := s.Find("a")
	if err != nil {
		t.Fatal(err)
	}
	attached, err := e.Attached()
	if diff := cmp.Diff(map[string][]byte{"sub/a.ndjson": []byte(`{"a":2}`)}, attached); diff != "" || err != nil {
		t.Error(diff, err)
	}
	history, err := s.History(t.Context(), "a")
	if err != nil || len(history) != 2 || len(history[0].Changes) != 1 || history[0].Changes[0].Key != "tests: sub/a.ndjson" {
		t.Errorf("%+v, %v", history, err)
	}
}

func TestARuleWhoseSourceIsGoneDoesNotRun(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, "", "siem")
	if _, _, err := apply(t, s, "name: A\nsearch: a:1\nsource: seim\n", Change{}); err == nil || !strings.Contains(err.Error(), "3:9: source \"seim\" is not one of the configuration: did you mean siem?") {
		t.Errorf("error is %v", err)
	}
	if _, _, err := apply(t, s, "name: A\nsearch: a:1\nsource: siem\n", Change{}); err != nil {
		t.Fatal(err)
	}
	s = newShelf(t, db, "", "logs")
	e, err := s.Find("a")
	if err != nil || e.Rule != nil || e.Runs() || len(e.Problems) != 1 || s.reported == nil {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestVersionsCountUpWhateverHappens makes random changes and holds that a restart shows the same rules, and that
// each change that was made is one version.
func TestVersionsCountUpWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "rules")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a directory of the test
		db, err := store.Open(context.Background(), store.Options{Dir: dir, Migrations: Migrations})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // the test is over
		open := func() *Library {
			l, err := New(context.Background(), Options{DB: db, Log: slog.New(slog.DiscardHandler), Report: func(string, error, string) {}})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := open()
		made := map[string]int64{}
		ctx := context.Background()
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")
			c := Change{Base: rapid.SampledFrom([]int64{Any, Any, Any, 0, 1, 2}).Draw(t, "base"), Who: "x"}
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				content := "name: " + strings.ToUpper(id) + "\nid: " + id + "\nsearch: x:" + rapid.StringOfN(rapid.RuneFrom([]rune("123")), 1, 1, 1).Draw(t, "value") + "\n"
				if _, changed, err := l.Apply(ctx, []byte(content), false, nil, c); err == nil && changed {
					made[id]++
				}
			case 1:
				s := rapid.SampledFrom([]State{On, Off, Shadow}).Draw(t, "state")
				if e, changed, err := l.SetState(ctx, id, s, c); err == nil {
					if changed {
						made[id]++
					}
					if e.Rule.Enabled != s {
						t.Fatalf("%s is %s", id, e.Rule.Enabled)
					}
				}
			case 2:
				if l.Delete(ctx, id, c) == nil {
					made[id]++
				}
			}
		}
		for id, n := range made {
			history, err := l.History(ctx, id)
			if err != nil || int64(len(history)) != n || n > 0 && history[0].Version != n {
				t.Fatalf("%d changes of %s, and %+v, %v", n, id, history, err)
			}
		}
		summary := func(l *Library) (out []string) {
			for _, e := range l.All() {
				out = append(out, e.ID+e.Revision()+string(e.Content)+string(e.Rule.Enabled)+e.Changed.String())
			}
			return out
		}
		if diff := cmp.Diff(summary(l), summary(open())); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestARuleGoesFromTheDatabaseToAFile(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	s := newShelf(t, db, t.TempDir())
	if _, _, err := apply(t, s, "name: A\nsearch: a:1\n", Change{}); err != nil {
		t.Fatal(err)
	}
	s.write("a.yaml", "name: A\nsearch: a:2\n")
	s.reload()
	s.want("a file a:2 true", "a database | the id a is already that of DIR/a.yaml, and this rule does not run: change one of them, or delete one")
	if err := s.Delete(t.Context(), "a", Change{Base: Any}); err != nil {
		t.Fatal(err)
	}
	s.want("a file a:2 true")
}

func TestRunReadsWhatChanges(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer db.Close() //nolint:errcheck // the test is over
	dir := t.TempDir()
	changed := make(chan struct{}, 100)
	l, err := New(t.Context(), Options{
		DB: db, Dir: dir, Log: slog.New(slog.DiscardHandler), Report: func(string, error, string) {},
		Changed: func() { changed <- struct{}{} }, Poll: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	<-changed // the first look
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	if err := os.WriteFile(filepath.Join(dir, ".a"), []byte("name: A\nsearch: a:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, ".a"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	<-changed
	if all := l.All(); len(all) != 1 || all[0].Rule == nil {
		t.Errorf("%+v", all)
	}
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	<-changed
	if all := l.All(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsNearerIsSuggested(t *testing.T) {
	near := func(s string) *NotFoundError { return &NotFoundError{Name: "sshd-brut-force", Near: s} }
	for _, tc := range []struct {
		one, other *NotFoundError
		want       string
	}{
		{near("SSH brute force"), near("sshd-brute-force"), "sshd-brute-force"},
		{near("sshd-brute-force"), near("sshd-scan"), "sshd-brute-force"},
		{near(""), near("sshd-brute-force"), "sshd-brute-force"},
		{near("x"), near(""), "x"},
		{near("x"), nil, "x"},
	} {
		if got := tc.one.Nearer(tc.other).Near; got != tc.want {
			t.Errorf("of %q and %+v: %q", tc.one.Near, tc.other, got)
		}
	}
}
