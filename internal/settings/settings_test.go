package settings

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/config"
	"tocsin/internal/store"
)

const (
	siem  = "sources:\n- name: siem\n  kind: opensearch\n  urls: ['https://a:9200']\n  api_key: c2VjcmV0\n"
	slack = "slack:\n  bot_token: xoxb-secret\n  channel: '#a'\n"
)

// room makes one in dir, beside a file's text.
func room(t *testing.T, dir, file string) (*Settings, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Migrations: Migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // tests that reopen have closed it
	cfg, err := config.Parse("tocsin.yaml", []byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{DB: db, Dir: dir, File: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

func put(t *testing.T, s *Settings, section, text string) Section {
	t.Helper()
	out, err := s.Put(t.Context(), Change{Section: section, Text: text, Based: AnyVersion, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func effective(t *testing.T, s *Settings) *config.Config {
	t.Helper()
	cfg, wrong, err := s.Effective(t.Context())
	if err != nil || wrong != nil {
		t.Fatal(err, wrong)
	}
	return cfg
}

func TestSettingsAreAddedToTheFileAndSurvive(t *testing.T) {
	dir := t.TempDir()
	s, db := room(t, dir, "route: {group_wait: 1s}")
	put(t, s, "sources", siem)
	put(t, s, "slack", slack)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = room(t, dir, "route: {group_wait: 1s}")
	cfg := effective(t, s)
	if cfg.Source("siem").APIKey.Reveal() != "c2VjcmV0" || cfg.Slack.BotToken.Reveal() != "xoxb-secret" || cfg.Route.Channel != "#a" {
		t.Errorf("the configuration is %+v", cfg)
	}
	_, err := s.Put(t.Context(), Change{Section: "route", Text: "route: {group_wait: 2s}", Based: AnyVersion})
	var inFile *InFileError
	if !errors.As(err, &inFile) || !strings.Contains(err.Error(), "tocsin.yaml") {
		t.Errorf("a section of the file was set: %v", err)
	}
	sections, err := s.Sections(t.Context())
	if err != nil || !sections[4].InFile || sections[0].InFile || sections[0].Who != "ann" {
		t.Errorf("sections are %+v, %v", sections, err)
	}
}

func TestSecretsAreNowhereInTheClear(t *testing.T) {
	dir := t.TempDir()
	s, db := room(t, dir, "")
	for _, section := range []string{siem, slack} {
		name, _, _ := strings.Cut(section, ":")
		if out := put(t, s, name, section); strings.Contains(out.Text, "secret]") == strings.Contains(out.Text, "xoxb-") || strings.Contains(out.Text, "c2VjcmV0") {
			t.Errorf("%s is shown as %s", name, out.Text)
		}
	}
	put(t, s, "notify", "notify:\n- name: hook\n  kind: webhook\n  url: https://hooks.example/in-the-url\n  secret: signing-secret\n")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"c2VjcmV0", "xoxb-secret", "in-the-url", "signing-secret"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s is in %s", secret, filepath.Base(path))
			}
		}
		if st, err := os.Stat(path); err != nil || filepath.Base(path) == KeyName && st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, st.Mode(), err)
		}
	}
}

func TestAStoredSecretStaysWithItsHost(t *testing.T) {
	s, _ := room(t, t.TempDir(), "")
	base := "sources:\n- name: siem\n  kind: opensearch\n  urls: ['https://a:9200']\n  username: u\n  password: pw\n"
	kept := strings.Replace(base, "password: pw", "password: '[secret]'", 1)
	for _, c := range []struct{ name, text, problem string }{
		{"indices", kept + "  indices: [logs-*]\n", ""},
		{"the user", strings.Replace(kept, "username: u", "username: v", 1), ""},
		{"the host", strings.Replace(kept, "https://a:", "https://b:", 1), "sources[0].password is not known"},
		{"the scheme", strings.Replace(kept, "https://a:", "http://a:", 1), "sources[0].password is not known"},
		{"one host more", strings.Replace(kept, "9200'", "9200', 'https://b:9200'", 1), "sources[0].password is not known"},
		{"a proxy", kept + "  proxy_url: http://p:3128\n", "sources[0].password is not known"},
		{"the fingerprint", kept + "  ca_fingerprint: " + strings.Repeat("ab", 32) + "\n", "sources[0].password is not known"},
		{"the name", strings.Replace(kept, "name: siem", "name: other", 1), "sources[0].password is not known"},
		{"the host, with the secret", strings.Replace(base, "https://a:", "https://b:", 1), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			put(t, s, "sources", base)
			_, err := s.Put(t.Context(), Change{Section: "sources", Text: c.text, Based: AnyVersion})
			var problems *config.Problems
			switch {
			case c.problem == "":
				if err != nil {
					t.Fatal(err)
				}
				if got := effective(t, s).Sources[0].Password.Reveal(); got != "pw" {
					t.Errorf("the password is %q", got)
				}
			case !errors.As(err, &problems) || !strings.Contains(err.Error(), c.problem) || !strings.HasPrefix(err.Error(), "settings/sources:"):
				t.Errorf("Put: %v", err)
			}
		})
	}
}

func TestChangesAreVersions(t *testing.T) {
	s, _ := room(t, t.TempDir(), "")
	first := put(t, s, "slack", slack)
	_, err := s.Put(t.Context(), Change{Section: "slack", Text: slack, Based: 0, Who: "bob"})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Who != "ann" {
		t.Errorf("a change of an old version: %v", err)
	}
	if _, err = s.Put(t.Context(), Change{Section: "slack", Based: first.Version, Who: "bob", Note: "not needed"}); err != nil {
		t.Fatal(err)
	}
	if effective(t, s).Slack != nil {
		t.Error("what was taken back is there")
	}
	versions, err := s.Versions(t.Context(), "slack")
	if err != nil {
		t.Fatal(err)
	}
	for i := range versions {
		versions[i].At = first.At
	}
	want := []Version{{Version: 2, At: first.At, Who: "bob", Note: "not needed"}, {Version: 1, At: first.At, Who: "ann", Text: first.Text}}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeBuiltIsNotKept(t *testing.T) {
	s, _ := room(t, t.TempDir(), "")
	s.o.Try = func(context.Context, *config.Config) error { return errors.New("no such proxy") }
	s.o.Changed = func() { t.Error("a change was told") }
	var refused *RefusedError
	if _, err := s.Put(t.Context(), Change{Section: "slack", Text: slack, Based: AnyVersion}); !errors.As(err, &refused) {
		t.Errorf("Put: %v", err)
	}
	if got := effective(t, s); got.Slack != nil {
		t.Error("it was kept")
	}
}

func TestALostKeyLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	s, db := room(t, dir, "")
	put(t, s, "slack", slack)
	put(t, s, "route", "route: {group_wait: 3s}")
	if err := errors.Join(db.Close(), os.Remove(filepath.Join(dir, KeyName))); err != nil {
		t.Fatal(err)
	}
	s, _ = room(t, dir, "")
	cfg, wrong, err := s.Effective(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wrong == nil || !strings.Contains(wrong.Error(), "slack.bot_token is not known") || cfg.Slack != nil || cfg.Route.GroupWait.String() != "3s" {
		t.Errorf("wrong is %v, the configuration %+v", wrong, cfg)
	}
	put(t, s, "slack", slack)
	if effective(t, s).Slack == nil {
		t.Error("it cannot be entered again")
	}
}

// TestEverySecretComesBack: whatever text a secret is, what is stored and read again is that text.
func TestEverySecretComesBack(t *testing.T) {
	k := keyFile{dir: t.TempDir()}
	rapid.Check(t, func(t *rapid.T) {
		secret, owner := rapid.String().Draw(t, "secret"), rapid.String().Draw(t, "owner")
		sealed, err := k.seal(secret, owner)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.open(sealed, owner); err != nil || got != secret {
			t.Fatalf("open: %q, %v", got, err)
		}
		if _, err := k.open(sealed, owner+"x"); !errors.Is(err, errSealed) {
			t.Fatalf("another owner opened it: %v", err)
		}
	})
}
