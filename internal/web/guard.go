package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard protects an address without login from other people's pages and from being published by a proxy
// by mistake: the host must be a loopback name (a rebound DNS name is none), a request that came through
// a proxy is refused, and a write must come from our own page or from no page.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
				fail(w, http.StatusForbidden, "this request came through a proxy, and there is no login here: turn login on before publishing Tocsin")
				return
			}
		}
		if !loopbackName(r.Host) {
			fail(w, http.StatusForbidden, "the host must be a loopback name such as localhost or 127.0.0.1")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !ownPage(r) {
			fail(w, http.StatusForbidden, "a page of another site may not change anything here")
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", plainPolicy)
		next.ServeHTTP(w, r)
	})
}

func loopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// ownPage reports whether a write comes from our own page, or from a program that is no browser.
func ownPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
