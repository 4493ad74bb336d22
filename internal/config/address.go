package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseListen reads the address to listen on: an IP address, localhost or nothing for every address, and a
// port. The error's text goes on after the quoted text.
func ParseListen(text string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, errors.New("is not an address: write a host and a port, such as 127.0.0.1:7171")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errors.New("has no such port: write a number from 1 to 65535, or 0 for any free one")
	}
	addr := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	switch {
	case host == "":
		addr = netip.IPv6Unspecified() // every address, of IPv4 too
	case strings.EqualFold(host, "localhost"):
	default:
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, errors.New("has a host that is no IP address: write 127.0.0.1, [::1], localhost or an address of this machine")
		}
	}
	return netip.AddrPortFrom(addr, uint16(number)), nil
}

// isLoopback says whether a host means this machine without asking a name server.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// parseURL reads an absolute URL of one of the schemes. Its error's text goes on after the quoted
// text, and holds nothing of the URL, which may hold a secret.
func parseURL(text string, schemes ...string) (*url.URL, error) {
	wanted := "it begins with " + schemes[0] + "://"
	if len(schemes) > 1 {
		wanted = "it begins with " + strings.Join(schemes[:len(schemes)-1], "://, ") + ":// or " + schemes[len(schemes)-1] + "://"
	}
	if strings.TrimSpace(text) != text || strings.ContainsAny(text, " \t\r\n") {
		return nil, errors.New("is not a URL: it holds a space")
	}
	scheme, _, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("is not a URL: " + wanted)
	}
	known := false
	for _, s := range schemes {
		known = known || strings.EqualFold(scheme, s)
	}
	if !known {
		return nil, errors.New("has the wrong scheme: " + wanted)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is not a URL: write scheme://host:port")
	}
	if u.Hostname() == "" {
		return nil, errors.New("has no host: write scheme://host:port")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has no such port: a port is a number from 1 to 65535")
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return nil, errors.New("has a colon but no port after it: write scheme://host:port")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("must end before the first ? or #")
	}
	return u, nil
}

// url reads a key that must be a URL without a user in it.
func (m *mapping) url(name string, schemes ...string) (*url.URL, text, bool) {
	t, ok := m.word(name)
	if !ok {
		return nil, t, false
	}
	u, ok := m.d.url(t, schemes...)
	return u, t, ok
}

// url reads a URL without a user in it.
func (d *decoder) url(t text, schemes ...string) (*url.URL, bool) {
	if strings.Contains(t.value, "@") { // a password may be in it
		t.secret = true
	}
	u, err := parseURL(t.value, schemes...)
	if err == nil && u.User != nil {
		said := "has a user in it: take it out of the URL"
		if strings.HasPrefix(t.key, "sources") {
			said += "; a source has username and password keys"
		}
		err = errors.New(said)
	}
	if err != nil {
		d.wrong(t, err.Error())
		return nil, false
	}
	return u, true
}

// proxyURL reads a proxy's URL, which may have a user in it.
func (m *mapping) proxyURL(name string) *url.URL {
	t, ok := m.word(name)
	if !ok {
		return nil
	}
	if strings.Contains(t.value, "@") {
		t.secret = true
	}
	u, err := parseURL(t.value, "http", "https", "socks5", "socks5h")
	if err == nil && strings.Trim(u.Path, "/") != "" {
		err = errors.New("must have no path: write scheme://host:port")
	}
	if err != nil {
		m.d.wrong(t, err.Error())
		return nil
	}
	return u
}
