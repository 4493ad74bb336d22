package demo

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slack-go/slack"
)

func TestSlackGoSharesAFileInAThread(t *testing.T) {
	s := NewSlack(SlackOptions{})
	server := httptest.NewServer(s)
	defer server.Close()
	api := slack.New(DemoToken, slack.OptionAPIURL(server.URL+"/api/"))
	channel, ts, err := api.PostMessageContext(t.Context(), "alerts", slack.MsgOptionText("x", false))
	if err != nil {
		t.Fatal(err)
	}
	picture := "\x89PNG\r\n\x1a\nrest"
	f, err := api.UploadFileContext(t.Context(), slack.UploadFileParameters{
		Reader: strings.NewReader(picture), FileSize: len(picture), Filename: "chart.png", Title: "count", AltTxt: "a chart", Channel: channel, ThreadTimestamp: ts,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := s.Messages("alerts")
	if len(all) != 2 || all[1].ThreadTS != ts || len(all[1].Files) != 1 || all[1].Files[0].ID != f.ID || all[1].Files[0].Alt != "a chart" || all[0].Replies != 1 {
		t.Fatalf("stored %+v", all)
	}
	if content, ok := s.File(f.ID); !ok || string(content) != picture {
		t.Errorf("the file holds %q", content)
	}
	w := httptest.NewRecorder()
	page := NewPage(s, PageOptions{})
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/files/"+f.ID, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/png" || w.Body.String() != picture {
		t.Errorf("the page shows %d %s", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if !strings.Contains(w.Body.String(), `<img src="files/`+f.ID+`" alt="a chart"`) {
		t.Error("the page does not show the picture")
	}
}

func TestUploadsAreJudged(t *testing.T) {
	s := NewSlack(SlackOptions{
		Tokens:   []SlackToken{{Token: DemoToken}, {Token: "xoxb-small", Scopes: []string{"chat:write"}}},
		Channels: []SlackChannel{{Name: "alerts"}, {Name: "far", Outside: true}},
	})
	ask := func(method string, args map[string]any) map[string]any {
		t.Helper()
		body, _ := askFull(t, s, method, args)
		return body
	}
	for _, tt := range []struct {
		args map[string]any
		want string
	}{
		{map[string]any{"filename": "x.png", "length": 0}, "invalid_arguments"},
		{map[string]any{"length": 3}, "invalid_arguments"},
		{map[string]any{"filename": "../x.png", "length": 3}, "invalid_arguments"},
		{map[string]any{"filename": "x.png", "length": 1 << 30}, "file_upload_size_restricted"},
		{map[string]any{"filename": "x.png", "length": 3, "alt_txt": strings.Repeat("x", 1001)}, "alt_txt_too_large"},
	} {
		if got := code(ask("files.getUploadURLExternal", tt.args)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.args, got, tt.want)
		}
	}
	got := ask("files.getUploadURLExternal", map[string]any{"filename": "x.png", "length": 3})
	file, address := got["file_id"].(string), got["upload_url"].(string)
	put := func(content string) int {
		r := httptest.NewRequest(http.MethodPost, address, bytes.NewReader([]byte(content)))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	share := func(channel, thread string) string {
		t.Helper()
		return code(ask("files.completeUploadExternal", map[string]any{"files": []any{map[string]any{"id": file}}, "channel_id": channel, "thread_ts": thread}))
	}
	alerts, far := channelID("alerts"), channelID("far")
	if got := share(alerts, ""); got != "file_not_found" {
		t.Errorf("shared before it was uploaded: %s", got)
	}
	if put("four") == 200 {
		t.Error("a wrong length was taken")
	}
	if c := put("abc"); c != 200 {
		t.Errorf("the upload was answered %d", c)
	}
	if put("abc") == 200 {
		t.Error("an address was good twice")
	}
	for _, tt := range []struct{ channel, thread, want string }{
		{"#alerts", "", "invalid_arguments"},
		{"C0NOSUCH000", "", "channel_not_found"},
		{far, "", "not_in_channel"},
		{alerts, "1.000000", "thread_not_found"},
		{alerts, "x", "invalid_thread_ts"},
		{alerts, "", "ok"},
		{alerts, "", "file_not_found"},
	} {
		if got := share(tt.channel, tt.thread); got != tt.want {
			t.Errorf("share with %s %q: %s, want %s", tt.channel, tt.thread, got, tt.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/api/files.getUploadURLExternal", strings.NewReader("filename=x&length=3"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer xoxb-small")
	if body, _ := send(t, s, r); code(body) != "missing_scope" || body["needed"] != "files:write" {
		t.Errorf("without the scope: %v", body)
	}
}
