package obs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/obs"
)

func TestNewLogger(t *testing.T) {
	for _, c := range []struct{ format, level, want string }{
		{"", "", `"msg":"two"`},
		{"auto", "info", `"msg":"two"`},
		{"json", "debug", `"msg":"one"`},
		{"text", "", "msg=two"},
		{"TEXT", "warn", "level=WARN msg=three"},
		{"text", "error", ""},
	} {
		var out bytes.Buffer
		log, err := obs.NewLogger(obs.LogOptions{Output: &out, Format: c.format, Level: c.level})
		if err != nil {
			t.Errorf("%q %q: %v", c.format, c.level, err)
			continue
		}
		log.Debug("one")
		log.Info("two")
		log.Warn("three")
		first, _, _ := strings.Cut(out.String(), "\n")
		if !strings.Contains(first, c.want) || c.want == "" && first != "" {
			t.Errorf("%q %q: first line %q, want %q", c.format, c.level, first, c.want)
		}
	}
	for _, o := range []obs.LogOptions{{Output: os.Stderr, Format: "xml"}, {Output: os.Stderr, Level: "loud"}} {
		if _, err := obs.NewLogger(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := obs.NewLogger(obs.LogOptions{Output: f})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hello")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "{") {
		t.Errorf("a file got %q, want JSON", text)
	}
}
