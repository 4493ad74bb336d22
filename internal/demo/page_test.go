package demo

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

const attack = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

func get(t *testing.T, h http.Handler, path string) (string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String(), w.Header()
}

// everywhere is a message with the same text in every place that is shown.
func everywhere(text string) args {
	p, m := args{"type": "plain_text", "text": text}, args{"type": "mrkdwn", "text": text}
	return args{
		"channel": "alerts", "text": text,
		"blocks": []any{
			args{"type": "header", "text": p},
			args{"type": "section", "text": m, "fields": []any{m, p}},
			args{"type": "divider"},
			args{"type": "context", "elements": []any{m, p, args{"type": "image", "image_url": "https://x.example/i.png", "alt_text": text}}},
			args{"type": "actions", "elements": []any{args{"type": "button", "text": p, "url": "https://x.example/?" + "q", "value": text}}},
			args{"type": "image", "image_url": "https://x.example/i.png", "alt_text": text, "title": p},
			args{"type": "markdown", "text": text},
			args{"type": "rich_text", "elements": []any{
				args{"type": "rich_text_section", "elements": []any{args{"type": "text", "text": text, "style": args{"bold": true}}, args{"type": "link", "url": "javascript://x/%0aalert(1)", "text": text}, args{"type": "user", "user_id": text}}},
				args{"type": "rich_text_list", "style": "bullet", "elements": []any{args{"type": "rich_text_section", "elements": []any{args{"type": "text", "text": text}}}}},
				args{"type": "rich_text_preformatted", "elements": []any{args{"type": "text", "text": text}}},
			}},
		},
		"attachments": []any{args{
			"color": "#d00000", "fallback": text, "pretext": text, "author_name": text, "title": text, "title_link": "javascript:alert(1)",
			"text": text, "footer": text, "fields": []any{args{"title": text, "value": text}}, "blocks": []any{args{"type": "section", "text": m}},
		}},
	}
}

func TestWhatAlertsSayStaysText(t *testing.T) {
	s := NewSlack(SlackOptions{Team: attack, Tokens: []SlackToken{{Token: DemoToken, App: attack}}, Channels: []SlackChannel{{Name: "alerts"}, {Name: attack}}})
	said := ask(t, s, "chat.postMessage", everywhere(attack))
	if code(said) != "ok" {
		t.Fatal(said)
	}
	edit := everywhere(attack)
	edit["channel"], edit["ts"] = said["channel"], said["ts"]
	if body := ask(t, s, "chat.update", edit); code(body) != "ok" {
		t.Fatal(body)
	}
	ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": attack, "thread_ts": said["ts"]})
	s.Post("alerts", attack, attack)
	h := NewPage(s, PageOptions{Title: attack, Intro: attack, Status: func() []Stat { return []Stat{{attack, attack}} }})
	for _, path := range []string{"/", "/messages", "/?channel=" + "%3Cscript%3E"} {
		body, _ := get(t, h, path)
		if n := strings.Count(body, "<script"); n > 1 || n == 1 && !strings.Contains(body, `<script src="page.js" defer></script>`) {
			t.Errorf("%s holds %d scripts", path, n)
		}
		if strings.Contains(body, "<img") || strings.Contains(body, "javascript:") || regexp.MustCompile(`<[^>]* (on\w+|style)=`).MatchString(body) {
			t.Errorf("%s holds markup of the message's", path)
		}
		if n := strings.Count(body, "&lt;script&gt;alert(1)&lt;/script&gt;"); n < 40 {
			t.Errorf("%s shows the text %d times: something is left out", path, n)
		}
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%s: the template refused a value", path)
		}
		for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !regexp.MustCompile(`^(#log|icon\.svg|page\.css|\?channel=.*)$`).MatchString(href[1]) {
				t.Errorf("%s links to %s", path, href[1])
			}
		}
	}
}

func TestThePageShowsWhatWasSaid(t *testing.T) {
	s := NewSlack(SlackOptions{Channels: []SlackChannel{{Name: "quiet"}, {Name: "alerts"}, {Name: "old", Archived: true}}})
	h := NewPage(s, PageOptions{Status: func() []Stat { return []Stat{{"alerts read", "17"}} }})
	if body, _ := get(t, h, "/"); !strings.Contains(body, "Nothing was said in #quiet yet") || !strings.Contains(body, "<dd>17</dd>") {
		t.Error("the empty page does not help")
	}
	said := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "not shown", "blocks": []any{
		args{"type": "header", "text": args{"type": "plain_text", "text": "Malware on web-1"}},
		args{"type": "actions", "elements": []any{args{"type": "button", "style": "danger", "text": args{"type": "plain_text", "text": "Open"}, "url": "https://kibana.example/a"}}},
	}})
	shown := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "shown above", "attachments": []any{args{"color": "d00000", "blocks": []any{
		args{"type": "section", "text": args{"type": "mrkdwn", "text": "*inside* <https://kibana.example/b|link>"}},
	}}}})
	ask(t, s, "chat.update", args{"channel": shown["channel"], "ts": shown["ts"], "text": "newer text"})
	ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "a reply", "thread_ts": said["ts"]})
	ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": strings.Repeat("long ", 900)})
	gone := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "regretted"})
	s.Delete("alerts", gone["ts"].(string))

	body, _ := get(t, h, "/")
	for _, want := range []string{
		`<h3 class="header">Malware on web-1</h3>`, `<span class="button danger" title="In Slack this leads to https://kibana.example/a">Open</span>`,
		`fill="#d00000"`, `<b>inside</b> <a href="https://kibana.example/b"`, "newer text", "(edited)", "shown above", "1 reply", "a reply",
		"part 1 of 2", `aria-current="page"><span class="sign" aria-hidden="true">#</span><span class="name">alerts</span>`, "archived",
		"<dt>messages posted</dt><dd>6</dd>", "<dt>edits in place</dt><dd>1</dd>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, unwanted := range []string{"not shown", "regretted", `href="https://kibana.example/a"`} {
		if strings.Contains(body, unwanted) {
			t.Errorf("the page shows %s", unwanted)
		}
	}
	if body, _ := get(t, h, "/messages?channel=quiet"); !strings.Contains(body, "Nothing was said in #quiet yet") {
		t.Error("the channel asked for is not shown")
	}
}

func TestThePageShowsTheNewestOfMany(t *testing.T) {
	s := NewSlack(SlackOptions{Light: true})
	for range pageMessages + 7 {
		ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})
	}
	body, _ := get(t, NewPage(s, PageOptions{}), "/messages")
	if n := strings.Count(body, `<li class="message"`); n != pageMessages || !strings.Contains(body, "7 earlier messages are not shown") {
		t.Errorf("%d messages shown", n)
	}
}

func TestThePageRunsNothingButItsOwn(t *testing.T) {
	h := NewPage(NewSlack(SlackOptions{}), PageOptions{})
	for path, kind := range map[string]string{"/": "text/html", "/messages": "text/html", "/page.js": "text/javascript", "/page.css": "text/css", "/icon.svg": "image/svg+xml"} {
		body, head := get(t, h, path)
		csp := head.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") || head.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(head.Get("Content-Type"), kind) {
			t.Errorf("%s: %v", path, head)
		}
		if kind == "text/html" && regexp.MustCompile(`(?i)<style|<script>|\son[a-z]+=|\sstyle=`).MatchString(body) {
			t.Errorf("%s holds inline script or style, which its own policy forbids", path)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
	if w.Code != http.StatusNotFound || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("an unknown path: %d %v", w.Code, w.Header())
	}
}

func TestAnOpenPageIsToldOfChanges(t *testing.T) {
	s := NewSlack(SlackOptions{})
	server := httptest.NewServer(NewPage(s, PageOptions{}))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	next := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	if first := next(); first != "data: 0" {
		t.Errorf("first %q", first)
	}
	for i := range 3 {
		ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})
		if got := next(); got != "data: "+string(rune('1'+i)) {
			t.Errorf("after message %d: %q", i+1, got)
		}
	}
	stop()
	if _, err := io.ReadAll(lines); err == nil {
		t.Error("the stream ended by itself")
	}
}
