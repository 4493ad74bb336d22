package parse_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/parse"
)

var now = time.Date(2024, 7, 2, 12, 0, 0, 0, time.UTC)

func lines(t *testing.T, kind string, o parse.Options, text string) []string {
	t.Helper()
	o.Now = now
	p, err := parse.New(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if err := p.Line(line, func(doc string) error {
			if !json.Valid([]byte(doc)) {
				t.Errorf("%q became %q, which is not JSON", line, doc)
			}
			out = append(out, doc)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func check(t *testing.T, kind string, o parse.Options, line string, want ...string) {
	t.Helper()
	got := lines(t, kind, o, line)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s %q\n got %s\nwant %s", kind, line, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestSSHD(t *testing.T) {
	f := func(message, want string) {
		t.Helper()
		quoted, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = "," + want
		}
		check(t, "sshd", parse.Options{}, "Jul  1 06:55:46 lab sshd[24200]: "+message,
			`{"@timestamp":"2024-07-01T06:55:46Z","host.name":"lab","process.name":"sshd","process.pid":24200,"message":`+string(quoted)+want+"}")
	}
	login := `"event.action":"ssh_login","event.category":"authentication","event.outcome":`
	f("Failed password for root from 10.1.2.3 port 4711 ssh2", login+`"failure","user.name":"root","source.ip":"10.1.2.3","source.port":4711,"ssh.method":"password"`)
	f("Failed password for invalid user web master from 10.1.2.3 port 4711 ssh2", login+`"failure","user.name":"web master","source.ip":"10.1.2.3","source.port":4711,"ssh.method":"password"`)
	f("Failed none for invalid user  from 10.1.2.3 port 4711 ssh2", login+`"failure","source.ip":"10.1.2.3","source.port":4711,"ssh.method":"none"`)
	f("Failed password for invalid user x from 6.6.6.6 port 1 ssh2 from 10.1.2.3 port 4711 ssh2", login+`"failure","user.name":"x from 6.6.6.6 port 1 ssh2","source.ip":"10.1.2.3","source.port":4711,"ssh.method":"password"`)
	f("Accepted publickey for ann from 2001:db8::1 port 22 ssh2: RSA SHA256:abc", login+`"success","user.name":"ann","source.ip":"2001:db8::1","source.port":22,"ssh.method":"publickey"`)
	f("Invalid user admin from 10.1.2.3", `"user.name":"admin","source.ip":"10.1.2.3"`)
	f("Invalid user  from 10.1.2.3 port 5", `"source.ip":"10.1.2.3","source.port":5`)
	f("Connection closed by authenticating user root 10.1.2.3 port 5 [preauth]", `"user.name":"root","source.ip":"10.1.2.3","source.port":5`)
	f("Connection closed by 10.1.2.3 [preauth]", `"source.ip":"10.1.2.3"`)
	f("Received disconnect from 10.1.2.3: 11: Bye Bye [preauth]", `"source.ip":"10.1.2.3"`)
	f("Received disconnect from 10.1.2.3 port 5:11: disconnected by user", `"source.ip":"10.1.2.3","source.port":5`)
	f("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.1.2.3  user=root", `"source.ip":"10.1.2.3","user.name":"root"`)
	f("pam_unix(sshd:session): session opened for user ann by (uid=0)", `"user.name":"ann"`)
	f("reverse mapping checking getaddrinfo for a.b [10.1.2.3] failed - POSSIBLE BREAK-IN ATTEMPT!", `"source.ip":"10.1.2.3"`)
	f("Server listening on 0.0.0.0 port 22.", "")
}

func TestRepeatedMessagesAreAsManyEvents(t *testing.T) {
	got := lines(t, "sshd", parse.Options{}, "Jul  1 06:55:46 lab sshd[1]: message repeated 5 times: [ Failed password for root from 10.1.2.3 port 4711 ssh2]")
	if len(got) != 5 {
		t.Fatalf("%d events, want 5", len(got))
	}
	for _, doc := range got {
		if !strings.Contains(doc, `"event.outcome":"failure","user.name":"root"`) || !strings.Contains(doc, `"message":"Failed password`) {
			t.Errorf("event is %s", doc)
		}
	}
}

func TestTheYearIsTheNewestNotInTheFuture(t *testing.T) {
	f := func(stamp, want string, o parse.Options) {
		t.Helper()
		if got := lines(t, "syslog", o, stamp+" h p: m")[0]; !strings.Contains(got, `"@timestamp":"`+want+`"`) {
			t.Errorf("%s became %s, want %s", stamp, got, want)
		}
	}
	berlin := time.FixedZone("east", 2*3600)
	f("Jul  2 11:59:59", "2024-07-02T11:59:59Z", parse.Options{})
	f("Jul  2 12:00:01", "2023-07-02T12:00:01Z", parse.Options{})
	f("Dec 10 06:55:46", "2023-12-10T06:55:46Z", parse.Options{})
	f("Feb 29 00:00:00", "2024-02-29T00:00:00Z", parse.Options{})
	f("Jul  2 13:00:00", "2024-07-02T11:00:00Z", parse.Options{Zone: berlin})
	f("Dec 10 06:55:46", "2017-12-10T06:55:46Z", parse.Options{Year: 2017})
	f("2024-06-01T10:00:00.123+02:00", "2024-06-01T08:00:00.123Z", parse.Options{})
	f("2024-06-01T10:00:00", "2024-06-01T08:00:00Z", parse.Options{Zone: berlin})
}

func TestSyslog(t *testing.T) {
	f := func(line, want string) { t.Helper(); check(t, "syslog", parse.Options{}, line, want) }
	f("<34>Oct 11 22:14:15 box su: 'su root' failed", `{"log.syslog.priority":34,"log.syslog.facility.code":4,"log.syslog.severity.code":2,"@timestamp":"2023-10-11T22:14:15Z","host.name":"box","process.name":"su","message":"'su root' failed"}`)
	f(`<165>1 2003-10-11T22:14:15.003Z box app 99 ID47 [x@1 a="b\]c" d="e"][y] hello`, `{"log.syslog.priority":165,"log.syslog.facility.code":20,"log.syslog.severity.code":5,"@timestamp":"2003-10-11T22:14:15.003Z","host.name":"box","process.name":"app","process.pid":99,"log.syslog.msgid":"ID47","message":"hello"}`)
	f(`<165>1 2003-10-11T22:14:15Z - - - - - hi`, `{"log.syslog.priority":165,"log.syslog.facility.code":20,"log.syslog.severity.code":5,"@timestamp":"2003-10-11T22:14:15Z","message":"hi"}`)
	f("Jul  1 10:00:00 box kernel: [1.5] usb: ok", `{"@timestamp":"2024-07-01T10:00:00Z","host.name":"box","process.name":"kernel","message":"[1.5] usb: ok"}`)
	f("no syslog at all", `{"message":"no syslog at all"}`)
}

func TestNginx(t *testing.T) {
	line := `10.0.0.1 - ann [01/Jul/2024:10:00:00 +0200] "GET /a?b=1 HTTP/1.1" 404 153 "-" "curl/8 \"x\""`
	quoted, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "nginx", parse.Options{}, line, `{"@timestamp":"2024-07-01T08:00:00Z","source.ip":"10.0.0.1","user.name":"ann","http.request.method":"GET","url.original":"/a?b=1","url.path":"/a","http.version":"1.1","http.response.status_code":404,"http.response.body.bytes":153,"user_agent.original":"curl/8 \\\"x\\\"","event.outcome":"failure","message":`+string(quoted)+`}`)
	check(t, "nginx", parse.Options{}, `2024/07/01 10:00:00 [error] 12#34: *5 open() failed, client: 10.0.0.1, server: x`,
		`{"@timestamp":"2024-07-01T10:00:00Z","log.level":"error","process.pid":12,"process.thread.id":34,"source.ip":"10.0.0.1","message":"open() failed, client: 10.0.0.1, server: x"}`)
	check(t, "nginx", parse.Options{}, "junk", `{"message":"junk"}`)
}

func TestJSONAndRegex(t *testing.T) {
	check(t, "json", parse.Options{}, `{"a":1}`, `{"a":1}`)
	check(t, "json", parse.Options{}, `{"a":1`, `{"message":"{\"a\":1"}`)
	check(t, "regex=^(?<time>\\S+) (?<user__name>\\w+) (?<n>\\d*)$", parse.Options{}, "2024-07-01T10:00:00Z ann 5",
		`{"@timestamp":"2024-07-01T10:00:00Z","user.name":"ann","n":"5","message":"2024-07-01T10:00:00Z ann 5"}`)
	for _, kind := range []string{"nope", "regex=(", "regex=x"} {
		if _, err := parse.New(kind, parse.Options{}); err == nil {
			t.Errorf("New(%q): no error", kind)
		}
	}
}

// The real lines say how many logins failed by themselves: those that begin with Failed, and those
// inside of repeated ones.
func TestRealSSHDLines(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "openssh_2k.log"))
	if os.IsNotExist(err) {
		t.Log("shared/data/openssh_2k.log is not there: only the lines above were tested")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "]: Failed ") {
			want++
		}
		var n int
		if i := strings.Index(line, "message repeated "); i >= 0 && strings.Contains(line, "[ Failed ") {
			if _, err := fmt.Sscanf(line[i:], "message repeated %d times", &n); err != nil {
				t.Fatal(err)
			}
			want += n
		}
	}
	failed, stamped, events := 0, 0, lines(t, "sshd", parse.Options{}, string(text))
	for _, e := range events {
		if strings.Contains(e, `"event.action":"ssh_login"`) && strings.Contains(e, `"event.outcome":"failure"`) {
			failed++
		}
		if strings.HasPrefix(e, `{"@timestamp":"2023-12-10T`) {
			stamped++
		}
	}
	if failed != want || stamped != len(events) || want == 0 {
		t.Errorf("%d failed logins of %d, %d events of %d with a time", failed, want, stamped, len(events))
	}
}

func FuzzLine(f *testing.F) {
	f.Add("Jul  1 06:55:46 lab sshd[1]: message repeated 2 times: [ Failed password for x from 1.2.3.4 port 1 ssh2]")
	f.Add(`<165>1 2003-10-11T22:14:15Z - - - - [x a="\]`)
	f.Add(`1.1.1.1 - - [01/Jul/2024:10:00:00 +0200] "GET / HTTP/1.1" 200 1`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, kind := range []string{"sshd", "syslog", "nginx", "json", "regex=(?<a>.)"} {
			p, err := parse.New(kind, parse.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			_ = p.Line(line, func(doc string) error {
				if n++; n == 1 && !json.Valid([]byte(doc)) {
					t.Errorf("%s %q became %q", kind, line, doc)
				}
				return nil
			})
		}
	})
}
