package web

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzOwnPath holds that what a browser is sent on to after signing in is a path of ours, as browsers read it.
func FuzzOwnPath(f *testing.F) {
	for _, next := range []string{"/", "/rules?a=b#c", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "javascript:x", "/%2f/evil.example", "/.//evil.example", ""} {
		f.Add(next)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := ownPath(next)
		seen := strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(got) // as browsers do
		if !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
			t.Fatalf("%q goes on to %q", next, got)
		}
		if u, err := url.Parse(got); err != nil || u.Host != "" || u.Scheme != "" {
			t.Fatalf("%q goes on to %q", next, got)
		}
	})
}
