package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func made(t testing.TB, o Options) *Output {
	t.Helper()
	o.Name, o.Log = "out", quiet()
	out, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func brute() notice.Notice {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return notice.Notice{
		Key: "k1", Revision: 1, Channel: "notify:out", Kind: notice.KindAlert, Severity: alert.SeverityHigh, Count: 1, Since: at, Until: at,
		Items: []notice.Item{{
			Alert: "a1", Rule: "SSH brute force", Severity: alert.SeverityHigh, Reason: "11 failed logins of bob from 203.0.113.9",
			Host: "web-1", User: "bob", Time: at, Count: 11, Facts: []alert.Fact{{Name: "source.ip", Value: "203.0.113.9"}}, URL: "https://kibana.example/app/1",
		}},
	}
}

// taken is one request as a service got it.
type taken struct {
	header http.Header
	body   []byte
}

// listener is a service that answers as told and keeps what it got.
func listener(t *testing.T, answer func(http.ResponseWriter)) (url string, got func() []taken) {
	t.Helper()
	var mu sync.Mutex
	var all []taken
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		all = append(all, taken{r.Header.Clone(), b})
		mu.Unlock()
		answer(w)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []taken {
		mu.Lock()
		defer mu.Unlock()
		return append([]taken(nil), all...)
	}
}

func fine(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) }

func TestWebhookIsSignedAndTellsRepeatsByKey(t *testing.T) {
	url, got := listener(t, fine)
	out := made(t, Options{Kind: Webhook, URL: url, Secret: "s3cret", Username: "u", Password: "p"})
	if _, err := out.Post(t.Context(), brute()); err != nil {
		t.Fatal(err)
	}
	r := got()[0]
	if want := sign("s3cret", r.header.Get("X-Tocsin-Timestamp"), r.body); r.header.Get("X-Tocsin-Signature") != want {
		t.Errorf("signature %q, want %q", r.header.Get("X-Tocsin-Signature"), want)
	}
	if user, password, _ := (&http.Request{Header: r.header}).BasicAuth(); user != "u" || password != "p" {
		t.Errorf("basic authentication %s:%s", user, password)
	}
	var p payload
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(brute(), p.Notice); diff != "" {
		t.Error(diff)
	}
	if want := "[HIGH] SSH brute force bob on web-1"; p.Title != want || p.Key != "k1" {
		t.Errorf("title %q key %q, want %q", p.Title, p.Key, want)
	}
	if r.header.Get("Idempotency-Key") != "k1.1" {
		t.Errorf("idempotency key %q", r.header.Get("Idempotency-Key"))
	}
}

func TestAnswersDecide(t *testing.T) {
	cases := map[string]struct {
		answer func(http.ResponseWriter)
		check  func(error) bool
	}{
		"taken": {fine, func(err error) bool { return err == nil }},
		"slow down": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, func(err error) bool {
			var r *notice.RetryError
			return errors.As(err, &r) && r.After == 7*time.Second && r.Scope == notice.ScopeChannel
		}},
		"broken": {func(w http.ResponseWriter) { w.WriteHeader(500) }, func(err error) bool {
			var r *notice.RetryError
			return errors.As(err, &r) && r.Doubtful
		}},
		"not this": {func(w http.ResponseWriter) { w.WriteHeader(400) }, func(err error) bool {
			var r *notice.RejectedError
			return errors.As(err, &r) && r.Scope == notice.ScopeMessage
		}},
		"not you": {func(w http.ResponseWriter) { w.WriteHeader(403) }, func(err error) bool {
			var r *notice.RejectedError
			return errors.As(err, &r) && r.Scope == notice.ScopeChannel
		}},
		"moved": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://elsewhere.example")
			w.WriteHeader(302)
		}, func(err error) bool {
			var r *notice.RejectedError
			return errors.As(err, &r)
		}},
		"cut off": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, func(err error) bool { return errors.Is(err, notice.ErrUnknown) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			url, _ := listener(t, c.answer)
			_, err := made(t, Options{Kind: Webhook, URL: url}).Post(t.Context(), brute())
			if !c.check(err) {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + l.Addr().String() + "/token-in-path"
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = made(t, Options{Kind: Teams, URL: url}).Post(t.Context(), brute())
		var retry *notice.RetryError
		if !errors.As(err, &retry) || retry.Doubtful {
			t.Errorf("error %v, want one to be tried again", err)
		}
		if strings.Contains(err.Error(), "token-in-path") {
			t.Errorf("the error tells the secret: %v", err)
		}
	})
}

func TestPagerDutyHasOneIncidentForAKey(t *testing.T) {
	url, got := listener(t, fine)
	out := made(t, Options{Kind: PagerDuty, URL: url, Secret: "0123456789abcdef0123456789abcdef"})
	n := brute()
	if _, err := out.Post(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.Revision, n.Items[0].Status = 2, alert.StatusAcknowledged
	if err := out.Edit(t.Context(), n, notice.Receipt{}); err != nil {
		t.Fatal(err)
	}
	n.Revision, n.Items[0].Status = 3, alert.StatusClosed
	if err := out.Edit(t.Context(), n, notice.Receipt{}); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, r := range got() {
		var e pagerDutyEvent
		if err := json.Unmarshal(r.body, &e); err != nil {
			t.Fatal(err)
		}
		if e.DedupKey != "k1" || e.RoutingKey == "" {
			t.Errorf("event %+v", e)
		}
		if e.Action == "trigger" && (e.Payload.Severity != "error" || e.Payload.Source != "web-1" || e.Payload.Summary == "") {
			t.Errorf("payload %+v", e.Payload)
		}
		actions = append(actions, e.Action)
	}
	if diff := cmp.Diff([]string{"trigger", "acknowledge", "resolve"}, actions); diff != "" {
		t.Error(diff)
	}
}

func TestAlertmanagerGetsAlertsThatStayTheSame(t *testing.T) {
	url, got := listener(t, fine)
	out := made(t, Options{Kind: Alertmanager, URL: url})
	n := brute()
	n.Count = 5
	for range 2 {
		if _, err := out.Post(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	var batches [2][]alertmanagerAlert
	for i, r := range got() {
		if err := json.Unmarshal(r.body, &batches[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(batches[0]) != 2 { // the one that is named, and one for the four that are not
		t.Fatalf("%d alerts, want 2", len(batches[0]))
	}
	for i := range batches[0] {
		if diff := cmp.Diff(batches[0][i].Labels, batches[1][i].Labels); diff != "" {
			t.Error(diff)
		}
	}
	if l := batches[0][0].Labels; l["alertname"] != "SSH brute force" || l["severity"] != "high" || l["instance"] != "web-1" {
		t.Errorf("labels %v", l)
	}
}

func TestTeamsCardShowsForeignTextAsItIs(t *testing.T) {
	url, got := listener(t, fine)
	n := brute()
	n.Items[0].Reason = "[click](https://evil.example) **now**"
	if _, err := made(t, Options{Kind: Teams, URL: url}).Post(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	var m cardMessage
	if err := json.Unmarshal(got()[0].body, &m); err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, b := range m.Attachments[0].Content.Body {
		all += b.Text + "\n"
	}
	if !strings.Contains(all, `\[click\]\(https://evil.example\) \*\*now\*\*`) {
		t.Errorf("the card says %s", all)
	}
}

// mailServer takes messages as an SMTP server would, and answers the end of one with its verdict.
func mailServer(t *testing.T, verdict string) (port int, got func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu   sync.Mutex
		text strings.Builder
		all  sync.WaitGroup
	)
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			speak(c, verdict, func(line string) {
				mu.Lock()
				defer mu.Unlock()
				text.WriteString(line)
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port, func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

func speak(c net.Conn, verdict string, keep func(string)) {
	defer c.Close()                                       //nolint:errcheck // a test's connection
	say := func(s string) { io.WriteString(c, s+"\r\n") } //nolint:errcheck // as above
	say("220 mail.test ESMTP")
	r := bufio.NewReader(c)
	data := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch up := strings.ToUpper(line); {
		case data && line == ".\r\n":
			data = false
			if verdict == "" {
				return
			}
			say(verdict)
		case data:
			keep(line)
		case strings.HasPrefix(up, "DATA"):
			data = true
			say("354 go on")
		case strings.HasPrefix(up, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestMail(t *testing.T) {
	cases := map[string]struct {
		verdict string
		check   func(error) bool
	}{
		"taken":   {"250 taken", func(err error) bool { return err == nil }},
		"later":   {"451 later", func(err error) bool { var r *notice.RetryError; return errors.As(err, &r) }},
		"refused": {"554 spam", func(err error) bool { var r *notice.RejectedError; return errors.As(err, &r) }},
		"cut off": {"", func(err error) bool { return errors.Is(err, notice.ErrUnknown) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			port, got := mailServer(t, c.verdict)
			out := made(t, Options{Kind: Email, Mail: Mail{Host: "127.0.0.1", Port: port, From: "Tocsin <tocsin@example.org>", To: []string{"soc@example.org"}, Plain: true}})
			n := brute()
			n.Items[0].Rule = "SSH\r\nBcc: victim@example.org"
			_, err := out.Post(t.Context(), n)
			if !c.check(err) {
				t.Errorf("error %v", err)
			}
			text := got()
			if strings.Contains(text, "\nBcc:") {
				t.Errorf("a header was injected:\n%s", text)
			}
			for _, want := range []string{"Message-ID: <k1.1@example.org>", "Auto-Submitted: auto-generated", "203.0.113.9"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		})
	}
}

func TestShoutrrrSaysNothingOfItsURL(t *testing.T) {
	url, got := listener(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	host := strings.TrimPrefix(url, "http://")
	out := made(t, Options{Kind: Shoutrrr, URL: "generic+http://" + host + "/hook-s3cret?disabletls=yes"})
	_, err := out.Post(t.Context(), brute())
	var retry *notice.RetryError
	if !errors.As(err, &retry) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
	if len(got()) != 1 || !strings.Contains(string(got()[0].body), "SSH brute force") {
		t.Errorf("the service got %d requests", len(got()))
	}
	if out.Edits() || !errors.Is(out.Edit(context.Background(), brute(), notice.Receipt{}), notice.ErrGone) {
		t.Error("what shoutrrr said cannot be edited")
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"no kind":            {},
		"webhook, no url":    {Kind: Webhook},
		"webhook, plain":     {Kind: Webhook, URL: "http://hooks.example.com/"},
		"pagerduty, no key":  {Kind: PagerDuty},
		"email, nobody":      {Kind: Email, Mail: Mail{Host: "mail.example.org", From: "a@example.org"}},
		"email, plain":       {Kind: Email, Mail: Mail{Host: "mail.example.org", From: "a@example.org", To: []string{"b@example.org"}, Plain: true}},
		"shoutrrr, no url":   {Kind: Shoutrrr},
		"shoutrrr, slack":    {Kind: Shoutrrr, URL: "slack://token@channel"},
		"shoutrrr, nonsense": {Kind: Shoutrrr, URL: "nosuch://x"},
	} {
		o.Name, o.Log = "out", quiet()
		if _, err := New(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestForeignTextStaysOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := brute()
		n.Items[0].Rule = rapid.String().Draw(t, "rule")
		n.Items[0].Reason = rapid.String().Draw(t, "reason")
		n.Items[0].User = rapid.String().Draw(t, "user")
		n.Count = rapid.IntRange(0, 5).Draw(t, "count")
		for _, l := range append(lines(n), title(n)) {
			if strings.ContainsAny(l, "\n\r\u202e\u2028") || len([]rune(l)) > 1100 {
				t.Fatalf("line %q", l)
			}
		}
		if b := body(lines(n), 500); len([]rune(b)) > 500 {
			t.Fatalf("a body of %d characters", len([]rune(b)))
		}
	})
}
