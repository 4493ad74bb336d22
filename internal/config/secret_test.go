package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestASecretIsShownNowhere(t *testing.T) {
	type holder struct {
		Token  Secret
		Tokens []Secret
		ByName map[string]Secret
		Any    any
	}
	h := holder{"hush", []Secret{"hush"}, map[string]Secret{"a": "hush"}, Secret("hush")}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&shown, verb+"\n", h)
		fmt.Fprintf(&shown, verb+"\n", Secret("hush"))
	}
	fmt.Fprintln(&shown, h, Secret("hush"), fmt.Errorf("wrapped: %w (%v)", fmt.Errorf("%s", h.Token), h))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(handler).Info("hello", "token", h.Token, "holder", h, "list", h.Tokens)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		b, err := marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(b)
	}
	if strings.Contains(shown.String(), "hush") {
		t.Errorf("a secret is shown:\n%s", &shown)
	}
	if !strings.Contains(shown.String(), hidden) {
		t.Errorf("nothing stands in the secret's place:\n%s", &shown)
	}
	if got := Secret("hush").Reveal(); got != "hush" {
		t.Errorf("Reveal gives %q", got)
	}
	if got := Secret("").String(); got != "" {
		t.Errorf("an empty secret is shown as %q", got)
	}
}
