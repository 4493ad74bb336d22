package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
)

// ask calls a method in process and gives the answer.
func ask(t *testing.T, s *Slack, method string, args map[string]any) map[string]any {
	t.Helper()
	body, _ := askFull(t, s, method, args)
	return body
}

func askFull(t *testing.T, s *Slack, method string, args map[string]any) (map[string]any, *http.Response) {
	t.Helper()
	var r *http.Request
	if methods[method].json {
		text, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		r = httptest.NewRequest(http.MethodPost, "/api/"+method, bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	} else {
		form := url.Values{}
		for name, v := range args {
			text, isText := v.(string)
			if !isText {
				raw, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				text = string(raw)
			}
			form.Set(name, text)
		}
		r = httptest.NewRequest(http.MethodPost, "/api/"+method, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Authorization", "Bearer "+DemoToken)
	return send(t, s, r)
}

func send(t *testing.T, s *Slack, r *http.Request) (map[string]any, *http.Response) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s answered no JSON: %s", r.URL.Path, w.Body)
	}
	return body, w.Result()
}

// code is the error of an answer, or "ok".
func code(body map[string]any) string {
	if body["ok"] == true {
		return "ok"
	}
	return body["error"].(string)
}

type args = map[string]any

func TestSlackGoPostsUpdatesAndReads(t *testing.T) {
	var dates atomic.Int32
	s := NewSlack(SlackOptions{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		if w.Header().Get("Date") != "" {
			dates.Add(1)
		}
	}))
	defer server.Close()
	api := slack.New(DemoToken, slack.OptionAPIURL(server.URL+"/api/"))
	ctx := t.Context()

	who, err := api.AuthTestContext(ctx)
	if err != nil || who.TeamID == "" || who.BotID == "" {
		t.Fatalf("auth.test: %+v, %v", who, err)
	}
	meta := slack.SlackMetadata{EventType: "tocsin_notice", EventPayload: map[string]any{"delivery_key": "k1"}}
	blocks := []slack.Block{
		slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, "Critical", true, false)),
		slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "*malware* on `web-1`", false, false), []*slack.TextBlockObject{
			slack.NewTextBlockObject(slack.MarkdownType, "*Host*\nweb-1", false, false),
		}, nil),
		slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, "now", false, false)),
		slack.NewDividerBlock(),
		slack.NewActionBlock("", slack.NewButtonBlockElement("open", "1", slack.NewTextBlockObject(slack.PlainTextType, "Open", false, false)).WithURL("https://kibana.example/x")),
	}
	id, ts, err := api.PostMessageContext(ctx, "#alerts", slack.MsgOptionText("malware", false), slack.MsgOptionBlocks(blocks...), slack.MsgOptionMetadata(meta),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionAttachments(slack.Attachment{Color: "#d00000", Fallback: "x", Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, id, ts, slack.MsgOptionText("malware twice", false)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.PostMessageContext(ctx, id, slack.MsgOptionText("a reply", false), slack.MsgOptionTS(ts)); err != nil {
		t.Fatal(err)
	}
	h, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: id, Oldest: ts, Inclusive: true, IncludeAllMetadata: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Messages) != 1 || h.Messages[0].Text != "malware twice" || h.Messages[0].Metadata.EventPayload["delivery_key"] != "k1" || h.Messages[0].ReplyCount != 1 {
		t.Errorf("history: %+v", h.Messages)
	}
	replies, more, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: id, Timestamp: ts})
	if err != nil || more || len(replies) != 2 || replies[1].Text != "a reply" {
		t.Errorf("replies: %+v, %v", replies, err)
	}
	list, _, err := api.GetConversationsContext(ctx, &slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}})
	if err != nil || len(list) != 1 || list[0].ID != id || !list[0].IsMember {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := api.AddReactionContext(ctx, "white_check_mark", slack.NewRefToMessage(id, ts)); err != nil {
		t.Error(err)
	}
	if _, _, err := api.DeleteMessageContext(ctx, id, ts); err != nil {
		t.Error(err)
	}
	_, _, err = api.PostMessageContext(ctx, "#nowhere", slack.MsgOptionText("x", false))
	if answer := (slack.SlackErrorResponse{}); !errors.As(err, &answer) || answer.Err != "channel_not_found" {
		t.Errorf("posting to no channel: %v", err)
	}
	err = slack.PostWebhookContext(ctx, server.URL+DemoWebhook, &slack.WebhookMessage{Text: "by hook"})
	if err != nil {
		t.Error(err)
	}
	if dates.Load() == 0 {
		t.Error("no answer had a Date")
	}
	all := s.Messages("alerts")
	if len(all) != 3 || all[0].EditCount != 1 || len(all[0].Edits) != 1 || all[0].Blocks != nil || all[0].Attachments == nil || all[0].Deleted.IsZero() || all[2].Via != "webhook" {
		t.Errorf("stored: %+v", all)
	}
}

func TestSlackGoMeetsTheRateLimit(t *testing.T) {
	s := NewSlack(SlackOptions{Limits: SlackLimits{PostEvery: time.Second}})
	server := httptest.NewServer(s)
	defer server.Close()
	api := slack.New(DemoToken, slack.OptionAPIURL(server.URL+"/api/"))
	var err error
	for range 3 {
		_, _, err = api.PostMessageContext(t.Context(), "#alerts", slack.MsgOptionText("x", false))
	}
	if limited := (*slack.RateLimitedError)(nil); !errors.As(err, &limited) || limited.RetryAfter < time.Second {
		t.Errorf("the third post in a row: %v", err)
	}
}

func TestCallersAreKnownByTheirToken(t *testing.T) {
	s := NewSlack(SlackOptions{Tokens: []SlackToken{
		{Token: DemoToken},
		{Token: "xoxb-revoked", Error: "token_revoked"},
		{Token: "xoxb-small", Scopes: []string{"users:read", "channels:read"}},
	}})
	tests := []struct {
		header, form, method, want string
	}{
		{"", "", "chat.postMessage", "not_authed"},
		{"Bearer xoxb-wrong", "", "chat.postMessage", "invalid_auth"},
		{"", "xoxb-wrong", "auth.test", "invalid_auth"},
		{"", DemoToken, "auth.test", "ok"},
		{"Bearer " + DemoToken, "", "auth.test", "ok"},
		{"Bearer xapp-1", "", "auth.test", "not_allowed_token_type"},
		{"Bearer xoxb-revoked", "", "auth.test", "token_revoked"},
		{"Bearer xoxb-small", "", "chat.postMessage", "missing_scope"},
		{"Bearer xoxb-small", "", "auth.test", "ok"},
		{"Bearer " + DemoToken, "", "chat.shout", "unknown_method"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/api/"+tt.method, strings.NewReader(url.Values{"token": {tt.form}, "channel": {"alerts"}, "text": {"x"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		body, res := send(t, s, r)
		if code(body) != tt.want || res.StatusCode != 200 {
			t.Errorf("%s with %q and form %q: %v, want %s", tt.method, tt.header, tt.form, body, tt.want)
		}
		if tt.want == "missing_scope" && (body["needed"] != "chat:write" || body["provided"] != "users:read,channels:read") {
			t.Errorf("missing_scope says %v", body)
		}
	}
	s.SetToken(DemoToken, "account_inactive")
	if got := code(ask(t, s, "auth.test", nil)); got != "account_inactive" {
		t.Errorf("after the token was made bad: %s", got)
	}
	s.SetToken(DemoToken, "")
	if got := code(ask(t, s, "auth.test", nil)); got != "ok" {
		t.Errorf("after the token was made good: %s", got)
	}
}

func TestRequestsMustBeWellFormed(t *testing.T) {
	good := `{"channel":"alerts","text":"x"}`
	tests := []struct{ kind, body, want, warning string }{
		{"application/json; charset=utf-8", good, "ok", ""},
		{"application/json", good, "ok", "missing_charset"},
		{"application/json; charset=utf-16", good, "invalid_charset", ""},
		{"application/json; charset=utf-8", `{"channel":`, "invalid_json", ""},
		{"application/json; charset=utf-8", `[1]`, "json_not_object", ""},
		{"application/json; charset=utf-8", "{\"channel\":\"alerts\",\"text\":\"\xff\"}", "invalid_json", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":7}`, "invalid_arguments", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":"x","unfurl_links":"maybe"}`, "invalid_arguments", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":"x","parse":"some"}`, "invalid_arguments", ""},
		{"application/json; charset=utf-8", `{"text":"x"}`, "invalid_arguments", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":"x","a b":1}`, "invalid_arg_name", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":"x","as_user":true}`, "as_user_not_supported", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","text":"x","markdown_text":"y"}`, "markdown_text_conflict", ""},
		{"application/json; charset=utf-8", `{"channel":"alerts","markdown_text":"y"}`, "ok", ""},
		{"application/x-www-form-urlencoded", "channel=alerts&text=x", "ok", ""},
		{"application/x-www-form-urlencoded; charset=utf-8", "channel=alerts&text=x", "ok", "superfluous_charset"},
		{"application/x-www-form-urlencoded", "channel=alerts&text=%zz", "invalid_form_data", ""},
		{"application/x-www-form-urlencoded", "channel=alerts&text=%ff", "invalid_form_data", ""},
		{"application/x-www-form-urlencoded", "channel=alerts&text[1]=x", "invalid_array_arg", ""},
		{"application/xml", good, "invalid_post_type", ""},
		{"", good, "missing_post_type", ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/api/chat.postMessage", strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+DemoToken)
		if tt.kind != "" {
			r.Header.Set("Content-Type", tt.kind)
		}
		body, _ := send(t, NewSlack(SlackOptions{}), r)
		warning, _ := body["warning"].(string)
		if code(body) != tt.want || warning != tt.warning && tt.want == "ok" {
			t.Errorf("%s %s: %v, want %s %s", tt.kind, tt.body, body, tt.want, tt.warning)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/api/conversations.info", strings.NewReader(`{"channel":"`+channelID("alerts")+`"}`))
	r.Header.Set("Authorization", "Bearer "+DemoToken)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if body, _ := send(t, NewSlack(SlackOptions{}), r); code(body) == "ok" {
		t.Error("a method that reads took its arguments as JSON")
	}
}

func TestServeSlackServesUntilToldToStop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeSlack(ctx, l, SlackOptions{}) }()
	base := "http://" + l.Addr().String()
	api := slack.New(DemoToken, slack.OptionAPIURL(base+"/api/"))
	if _, _, err := api.PostMessageContext(ctx, "alerts", slack.MsgOptionText("hello", false)); err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %s %v", path, res.Status, err)
		}
		return string(text)
	}
	var m SlackMessage
	if err := json.Unmarshal([]byte(read("/inspect/messages?channel=alerts")), &m); err != nil || m.Text != "hello" {
		t.Errorf("message: %+v, %v", m, err)
	}
	if diff := cmp.Diff(`{"posts":1,"edits":0,"requests":1}`, strings.TrimSpace(read("/inspect/counts"))); diff != "" {
		t.Error(diff)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped by its context: %v", err)
	}
}

func jsonRequest(method, token string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/api/"+method, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}
