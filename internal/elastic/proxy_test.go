package elastic_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/internal/elastic"
)

// pipe joins two connections until one ends.
func pipe(a, b net.Conn) {
	go func() { _, _ = io.Copy(a, b); a.Close() }()
	_, _ = io.Copy(b, a)
	b.Close()
}

// tunnels runs an http proxy that knows CONNECT and wants the user u with password topsecret.
func tunnels(t *testing.T) (address string, tunnelled *[]string) {
	t.Helper()
	tunnelled = new([]string)
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic dTp0b3BzZWNyZXQ=" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		*tunnelled = append(*tunnelled, r.Host)
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		from, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n")
		pipe(from, to)
	})), tunnelled
}

// socks runs a SOCKS5 proxy without authentication.
func socks(t *testing.T) (address string, tunnelled *[]string) {
	t.Helper()
	tunnelled = new([]string)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serveOne := func(from net.Conn) {
		head := make([]byte, 2)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		_, _ = io.ReadFull(from, make([]byte, head[1]))
		_, _ = from.Write([]byte{5, 0})
		ask := make([]byte, 4)
		if _, err := io.ReadFull(from, ask); err != nil {
			return
		}
		var host string
		switch ask[3] {
		case 1:
			ip := make([]byte, 4)
			_, _ = io.ReadFull(from, ip)
			host = net.IP(ip).String()
		case 3:
			n := make([]byte, 1)
			_, _ = io.ReadFull(from, n)
			name := make([]byte, n[0])
			_, _ = io.ReadFull(from, name)
			host = string(name)
		}
		port := make([]byte, 2)
		_, _ = io.ReadFull(from, port)
		target := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(port)))
		*tunnelled = append(*tunnelled, target)
		to, err := net.Dial("tcp", target)
		if err != nil {
			from.Close()
			return
		}
		_, _ = from.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		pipe(from, to)
	}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go serveOne(from)
		}
	}()
	return "socks5://" + l.Addr().String(), tunnelled
}

func TestTLSGoesThroughProxies(t *testing.T) {
	ca := issue(t, "our CA", nil, time.Now().Add(time.Hour))
	node := serveTLS(t, issue(t, "node", ca, time.Now().Add(time.Hour), "127.0.0.1"), ca)
	host := strings.TrimPrefix(node, "https://")
	httpProxy, byHTTP := tunnels(t)
	socksProxy, bySocks := socks(t)
	for _, tc := range []struct {
		name, proxy string
		tunnelled   *[]string
		want        string
	}{
		{"http", strings.Replace(httpProxy, "://", "://u:topsecret@", 1), byHTTP, ""},
		{"http, wrong password", strings.Replace(httpProxy, "://", "://u:wrongsecret@", 1), nil, "Proxy Authentication Required"},
		{"http, dead", "http://u:topsecret@127.0.0.1:1", nil, "connection refused"},
		{"socks5", socksProxy, bySocks, ""},
		{"socks5h", strings.Replace(socksProxy, "socks5", "socks5h", 1), bySocks, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.tunnelled != nil {
				*tc.tunnelled = nil
			}
			c := client(t, elastic.Options{Name: "siem", URLs: []string{node}, CAFingerprint: ca.fingerprint(), ProxyURL: tc.proxy})
			err := c.Do(t.Context(), "GET", "/", nil, nil, nil)
			switch {
			case tc.want == "" && (err != nil || len(*tc.tunnelled) != 1 || (*tc.tunnelled)[0] != host):
				t.Errorf("%v, went to %v, want %s", err, *tc.tunnelled, host)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret")):
				t.Errorf("%v\nwant %s", err, tc.want)
			}
		})
	}
}

// A node may close a connection just when it is used again: a search is then sent again, a change is not.
func TestConnectionsThatWentStale(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // answers once a connection, then hangs up on what comes next
				defer conn.Close()
				buf := make([]byte, 4096)
				if _, err := conn.Read(buf); err != nil {
					return
				}
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"items\":[]}")
				_, _ = conn.Read(buf)
			}()
		}
	}()
	c := client(t, elastic.Options{URLs: []string{"http://" + l.Addr().String()}})
	for i := range 6 {
		if err := c.Do(t.Context(), "POST", "/i/_search", nil, map[string]any{}, nil); err != nil {
			t.Errorf("search %d: %v", i, err)
		}
	}
	c.Close()
	if err := c.Do(t.Context(), "POST", "/_bulk", nil, map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "POST", "/_bulk", nil, map[string]any{}, nil); err == nil {
		t.Error("a change was sent twice")
	}
}
