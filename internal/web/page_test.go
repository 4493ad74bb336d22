package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// askPage asks as a browser does, and answers with the header too.
func askPage(t *testing.T, h http.Handler, method, path, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:7171"
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pages are the addresses of pages without parameters.
func pages(t *testing.T, h http.Handler) []string {
	t.Helper()
	out := []string{"/", "/no-such-page"}
	for _, m := range regexp.MustCompile(`<a href="(/[a-z]*)"`).FindAllStringSubmatch(read(t, askPage(t, h, "GET", "/", "")), -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestPagesLetNothingInlineRun(t *testing.T) {
	h := newWeb(t).Loopback()
	inline := regexp.MustCompile(`(?i)<script(>|[^>]*[^"]>[^<])|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for _, path := range pages(t, h) {
		resp := askPage(t, h, "GET", path, "")
		body := read(t, resp)
		if found := inline.FindString(body); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "base-uri 'none'", "frame-ancestors 'none'", "connect-src 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %q: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
		if !strings.Contains(body, `class="skip"`) || !strings.Contains(body, `<html lang="en"`) || strings.Count(body, "<h1") != 1 {
			t.Errorf("%s has no skip link, language, or not one heading", path)
		}
	}
}

func TestAssetsAreKeptForEverAndComeCompressed(t *testing.T) {
	h := newWeb(t).Loopback()
	body := read(t, askPage(t, h, "GET", "/", ""))
	addresses := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(addresses) < 4 {
		t.Fatalf("the page names %d assets", len(addresses))
	}
	for _, m := range addresses {
		plain := askPage(t, h, "GET", m[1], "")
		text := read(t, plain)
		if plain.StatusCode != 200 || !strings.Contains(plain.Header.Get("Cache-Control"), "immutable") || plain.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d %v", m[1], plain.StatusCode, plain.Header)
		}
		zipped := askPage(t, h, "GET", m[1], "", "Accept-Encoding", "gzip;q=0.5, br;q=0")
		r, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		if unzipped, err := io.ReadAll(r); err != nil || string(unzipped) != text {
			t.Errorf("%s: the gzip is another text: %v", m[1], err)
		}
		if br := askPage(t, h, "GET", m[1], "", "Accept-Encoding", "gzip, deflate, br, zstd"); br.Header.Get("Content-Encoding") != "br" {
			t.Errorf("%s: Brotli is not used: %v", m[1], br.Header)
		}
	}
	if resp := askPage(t, h, "GET", "/assets/app.000000000000.js", ""); resp.StatusCode != 404 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("another version's file: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestTheThemeIsSwitchedWithoutScript(t *testing.T) {
	h := newWeb(t).Loopback()
	for back, want := range map[string]string{"/delivery?a=b": "/delivery?a=b", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example": "/", "": "/"} {
		form := "back=" + strings.NewReplacer("?", "%3F", "=", "%3D", "/", "%2F", `\`, "%5C", ":", "%3A").Replace(back)
		resp := askPage(t, h, "POST", "/theme", form, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
		if resp.StatusCode != 303 || resp.Header.Get("Location") != want || !strings.Contains(resp.Header.Get("Set-Cookie"), "tocsin-theme=dark") {
			t.Errorf("back to %q: %d %v", back, resp.StatusCode, resp.Header)
		}
	}
	if body := read(t, askPage(t, h, "GET", "/delivery", "", "Cookie", "tocsin-theme=dark")); !strings.Contains(body, `data-theme="dark"`) {
		t.Error("the chosen theme is not drawn")
	}
	if body := read(t, askPage(t, h, "GET", "/delivery", "", "Cookie", `tocsin-theme="><script>`)); strings.Contains(body, "data-theme") {
		t.Error("a theme that is none is drawn")
	}
}

func TestAPageThatIsNotThereSaysSo(t *testing.T) {
	h := newWeb(t).Loopback()
	resp := askPage(t, h, "GET", "/no-such-page", "")
	if body := read(t, resp); resp.StatusCode != 404 || !strings.Contains(body, "no such page") || !strings.Contains(body, `href="/"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
