package demo

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestWebhooksAnswerInPlainText(t *testing.T) {
	long := strings.Repeat("x", 3001)
	tests := []struct {
		name, path, kind, body string
		status                 int
		want                   string
	}{
		{"json", DemoWebhook, "application/json", `{"text":"hello"}`, 200, "ok"},
		{"form", DemoWebhook, "application/x-www-form-urlencoded", url.Values{"payload": {`{"text":"hello"}`}}.Encode(), 200, "ok"},
		{"blocks only", DemoWebhook, "application/json", `{"blocks":[{"type":"divider"}]}`, 200, "ok"},
		{"json that is none", DemoWebhook, "application/json", `{"text":`, 400, "invalid_payload"},
		{"json as a form", DemoWebhook, "application/x-www-form-urlencoded", `{"text":"hello"}`, 400, "invalid_payload"},
		{"no content type", DemoWebhook, "", `{"text":"hello"}`, 400, "invalid_payload"},
		{"nothing", DemoWebhook, "application/json", `{}`, 400, "no_text"},
		{"bad blocks", DemoWebhook, "application/json", `{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"` + long + `"}}]}`, 400, "invalid_blocks"},
		{"bad attachments", DemoWebhook, "application/json", `{"attachments":[{"blocks":[{"type":"banner"}]}]}`, 400, "invalid_attachments"},
		{"101 attachments", DemoWebhook, "application/json", `{"attachments":[` + strings.Repeat(`{"text":"x"},`, 100) + `{"text":"x"}]}`, 400, "too_many_attachments"},
		{"unknown", "/services/T0/B0/x", "application/json", `{"text":"hello"}`, 404, "no_service"},
		{"disabled", "/services/T0/B1/off", "application/json", `{"text":"hello"}`, 404, "no_active_hooks"},
		{"wrong token", "/services/T0/B1/token", "application/json", `{"text":"hello"}`, 403, "invalid_token"},
		{"archived", "/services/T0/B1/old", "application/json", `{"text":"hello"}`, 410, "channel_is_archived"},
		{"channel gone", "/services/T0/B1/gone", "application/json", `{"text":"hello"}`, 404, "channel_not_found"},
		{"rollup", "/services/T0/B1/rollup", "application/json", `{"text":"hello"}`, 500, "rollup_error"},
	}
	s := NewSlack(SlackOptions{
		Channels: []SlackChannel{{Name: "alerts"}, {Name: "old", Archived: true}},
		Webhooks: []SlackWebhook{
			{Path: DemoWebhook, Channel: "alerts"},
			{Path: "/services/T0/B1/off", Channel: "alerts", Error: "no_active_hooks"},
			{Path: "/services/T0/B1/token", Channel: "alerts", Error: "invalid_token"},
			{Path: "/services/T0/B1/old", Channel: "old"},
			{Path: "/services/T0/B1/gone", Channel: "gone"},
			{Path: "/services/T0/B1/rollup", Channel: "alerts", Error: "rollup_error"},
		},
	})
	post := func(path, kind, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	stored := 0
	for _, tt := range tests {
		w := post(tt.path, tt.kind, tt.body)
		if w.Code != tt.status || w.Body.String() != tt.want {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
		if tt.status == 200 {
			stored++
		}
	}
	if got := s.Messages("alerts"); len(got) != stored || got[0].Via != "webhook" {
		t.Errorf("%d messages stored, want %d", len(got), stored)
	}
	s.SetWebhook("/services/T0/B1/off", "")
	if w := post("/services/T0/B1/off", "application/json", `{"text":"hello","metadata":{"event_type":"e","event_payload":{"delivery_key":"k"}}}`); w.Code != 200 || len(s.ByKey("k")) != 1 {
		t.Errorf("switched on again: %d %s", w.Code, w.Body)
	}
	body := ask(t, s, "conversations.history", args{"channel": channelID("alerts"), "limit": 1})
	if m := body["messages"].([]any)[0].(map[string]any); m["subtype"] != "bot_message" || m["bot_id"] == "" {
		t.Errorf("in history: %v", m)
	}
}
