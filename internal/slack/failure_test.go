package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/notice"
)

const (
	testToken   = "xoxb-test-secret-1234567890"
	testWebhook = "/services/T0TEST/B0TEST/webhooksecret"
)

// answering is a Slack that gives one answer to everything.
func answering(t *testing.T, status int, body string, header ...string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func bot(t *testing.T, base string, change ...func(*Options)) *Sender {
	t.Helper()
	o := Options{BotToken: testToken, APIURL: base + "/api/", Timeout: 10 * time.Second, Registerer: prometheus.NewRegistry()}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func hook(t *testing.T, base string, change ...func(*Options)) *Sender {
	return bot(t, base, append([]func(*Options){func(o *Options) {
		o.BotToken, o.WebhookURL = "", base+testWebhook
	}}, change...)...)
}

// what an error means, in a word that tables can hold.
func meaning(err error) string {
	var (
		retry    *notice.RetryError
		rejected *notice.RejectedError
	)
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, notice.ErrUnknown):
		return "unknown"
	case errors.Is(err, notice.ErrGone):
		return "gone"
	case errors.Is(err, notice.ErrNoHistory):
		return "no history"
	case errors.As(err, &rejected):
		return "rejected " + string(rejected.Scope)
	case errors.As(err, &retry) && retry.Doubtful:
		return fmt.Sprintf("retry %s doubtful %s", retry.Scope, retry.After)
	case errors.As(err, &retry):
		return fmt.Sprintf("retry %s %s", retry.Scope, retry.After)
	}
	return "other: " + err.Error()
}

func codes(list, means string) map[string]string {
	m := map[string]string{}
	for code := range strings.FieldsSeq(list) {
		m[code] = means
	}
	return m
}

// The codes are written out again here, from the table of classes, and not taken from the code.
var table = []map[string]string{
	codes("internal_error fatal_error service_unavailable request_timeout", "unknown"),
	codes("team_added_to_org org_login_required", "retry service 1m0s"),
	codes("no_text msg_too_long msg_blocks_too_long invalid_blocks invalid_blocks_format invalid_attachments too_many_attachments "+
		"attachment_payload_limit_exceeded metadata_too_large invalid_metadata_format invalid_metadata_schema invalid_metadata_anything "+
		"markdown_text_conflict invalid_arg_name invalid_json invalid_form_data invalid_charset invalid_arguments", "rejected message"),
	codes("channel_not_found not_in_channel is_archived restricted_action restricted_action_read_only_channel "+
		"restricted_action_thread_only_channel restricted_action_thread_locked restricted_action_non_threadable_channel "+
		"ekm_access_denied messages_tab_disabled cannot_reply_to_message", "rejected channel"),
	codes("not_authed invalid_auth token_revoked token_expired account_inactive missing_scope not_allowed_token_type no_permission "+
		"app_access_restricted access_denied accesslimited two_factor_setup_required enterprise_is_restricted", "rejected service"),
	codes("message_limit_exceeded", "retry service 1h0m0s"),
	codes("ratelimited rate_limited", "retry channel doubtful 0s"),
	codes("some_code_of_tomorrow", "retry message 0s"),
}

func TestEveryCodeOfAPostHasItsClass(t *testing.T) {
	for _, part := range table {
		for code, want := range part {
			server := answering(t, http.StatusOK, `{"ok":false,"error":"`+code+`","needed":"chat:write"}`)
			s := bot(t, server.URL)
			_, err := s.Post(t.Context(), samples()[0])
			if got := meaning(err); got != want {
				t.Errorf("%s: %s, want %s", code, got, want)
			}
			if !strings.Contains(err.Error(), code) {
				t.Errorf("%s is not named in %q", code, err)
			}
			var rejected *notice.RejectedError
			if errors.As(err, &rejected) && rejected.Scope != notice.ScopeMessage && rejected.Hint == "" {
				t.Errorf("%s: nobody is told what to do", code)
			}
		}
	}
}

func TestEveryCodeOfAnEditHasItsClass(t *testing.T) {
	own := append([]map[string]string{
		codes("message_not_found cant_update_message edit_window_closed is_inactive block_mismatch", "gone"),
		codes("update_failed", "retry message 0s"),
		codes("ratelimited rate_limited", "retry channel 0s"),
	}, table...)
	done := map[string]bool{}
	for _, part := range own {
		for code, want := range part {
			if done[code] {
				continue
			}
			done[code] = true
			s := bot(t, answering(t, http.StatusOK, `{"ok":false,"error":"`+code+`"}`).URL)
			err := s.Edit(t.Context(), samples()[0], notice.Receipt{Channel: "C0123456789", TS: "1.000001"})
			if got := meaning(err); got != want {
				t.Errorf("%s: %s, want %s", code, got, want)
			}
		}
	}
}

func TestEveryCodeOfHistoryHasItsClass(t *testing.T) {
	for _, part := range []map[string]string{
		codes("missing_scope not_allowed_token_type no_permission access_denied ekm_access_denied channel_not_found not_in_channel", "no history"),
		codes("invalid_auth token_revoked account_inactive", "rejected service"),
		codes("internal_error fatal_error ratelimited some_code_of_tomorrow", "retry channel 0s"),
	} {
		for code, want := range part {
			s := bot(t, answering(t, http.StatusOK, `{"ok":false,"error":"`+code+`","needed":"channels:history"}`).URL)
			_, err := s.Find(t.Context(), "C0123456789", time.Now(), []notice.Key{"k"})
			if got := meaning(err); got != want {
				t.Errorf("%s: %s, want %s", code, got, want)
			}
		}
	}
}

func TestStatusesOfTheWebAPI(t *testing.T) {
	const ok = `{"ok":true,"channel":"C0123456789","ts":"1774425600.000100","message":{}}`
	date := []string{"Date", "Wed, 25 Mar 2026 08:00:00 GMT", "Retry-After", "Wed, 25 Mar 2026 08:00:07 GMT"}
	for _, c := range []struct {
		name   string
		status int
		body   string
		header []string
		want   string
	}{
		{"success", 200, ok, nil, "ok"},
		{"duplicate", 200, `{"ok":true,"is_duplicate":true,"channel":"C0123456789","ts":"1.000001"}`, nil, "ok"},
		{"success that names no message", 200, `{"ok":true,"channel":"C0123456789"}`, nil, "unknown"},
		{"cut off", 200, ok[:40], nil, "unknown"},
		{"with a tail", 200, ok + "x", nil, "unknown"},
		{"empty", 200, "", nil, "unknown"},
		{"of someone else", 200, `{"status":"up"}`, nil, "unknown"},
		{"not an object", 200, `[]`, nil, "unknown"},
		{"a wrong type", 200, `{"ok":true,"ts":5}`, nil, "unknown"},
		{"HTML", 200, "<html>hello</html>", nil, "unknown"},
		{"a refusal without a word", 200, `{"ok":false}`, nil, "retry message 0s"},
		{"500", 500, "<html>", nil, "unknown"},
		{"503 with JSON", 503, `{"ok":false,"error":"service_unavailable"}`, nil, "unknown"},
		{"500 that says refused", 500, `{"ok":false,"error":"invalid_auth"}`, nil, "unknown"},
		{"500 that says ok", 500, ok, nil, "unknown"},
		{"502", 502, "", nil, "unknown"},
		{"404 of a wrong URL", 404, "<html>", nil, "unknown"},
		{"301", 301, "", []string{"Location", "/elsewhere"}, "unknown"},
		{"refused by the proxy", 407, "<html>", nil, "retry service 0s"},
		{"429", 429, `{"ok":false,"error":"ratelimited"}`, []string{"Retry-After", "30"}, "retry channel doubtful 30s"},
		{"429 of old", 429, `{"ok":false,"error":"rate_limited"}`, []string{"Retry-After", "1"}, "retry channel doubtful 1s"},
		{"429 without a word", 429, "", []string{"Retry-After", " 2 "}, "retry channel doubtful 2s"},
		{"429 with a date", 429, `{"ok":false,"error":"ratelimited"}`, date, "retry channel doubtful 7s"},
		{"429 with nonsense", 429, `{"ok":false,"error":"ratelimited"}`, []string{"Retry-After", "soon"}, "retry channel doubtful 0s"},
		{"429 with a negative", 429, `{"ok":false,"error":"ratelimited"}`, []string{"Retry-After", "-5"}, "retry channel doubtful 0s"},
		{"429 for years", 429, `{"ok":false,"error":"ratelimited"}`, []string{"Retry-After", "1e30"}, "retry channel doubtful 24h0m0s"},
		{"429 without Retry-After", 429, `{"ok":false,"error":"ratelimited"}`, nil, "retry channel doubtful 0s"},
		{"a full workspace", 429, `{"ok":false,"error":"message_limit_exceeded"}`, nil, "retry service 1h0m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := bot(t, answering(t, c.status, c.body, c.header...).URL)
			receipt, err := s.Post(t.Context(), samples()[0])
			if got := meaning(err); got != c.want {
				t.Fatalf("%s (%v), want %s", got, err, c.want)
			}
			if err == nil && (receipt.Channel != "C0123456789" || receipt.TS == "" || receipt.At.IsZero()) {
				t.Errorf("receipt %+v", receipt)
			}
		})
	}
}

func TestAnswersOfWebhooks(t *testing.T) {
	type answer struct {
		status int
		text   string
		want   string
	}
	cases := []answer{
		{200, "ok", "ok"},
		{200, "ok\n", "ok"},
		{200, "<html>sign in</html>", "unknown"},
		{200, "", "unknown"},
		{500, "rollup_error", "unknown"},
		{500, "<html>", "unknown"},
		{503, "no_service", "unknown"},
		{408, "", "unknown"},
		{302, "", "retry service 0s"},
		{407, "", "retry service 0s"},
		{400, "some_text_of_tomorrow", "rejected message"},
		{413, "<html>", "rejected message"},
		{404, "<html>", "rejected service"},
		{403, "", "rejected service"},
		{410, "", "rejected service"},
		{418, "teapot", "retry message 0s"},
		{429, `{"retry_after":3,"ok":false,"error":"rate_limited"}`, "retry channel 3s"},
		{429, "", "retry channel 0s"},
		{429, "message_limit_exceeded", "retry service 1h0m0s"},
	}
	for text, want := range map[string]string{
		"invalid_payload": "rejected message", "no_text": "rejected message", "invalid_blocks": "rejected message",
		"invalid_attachments": "rejected message", "too_many_attachments": "rejected message",
		"user_not_found": "rejected channel", "action_prohibited": "rejected channel", "posting_to_general_channel_denied": "rejected channel",
		"channel_not_found": "rejected channel", "channel_is_archived": "rejected channel",
		"invalid_token": "rejected service", "no_service": "rejected service", "no_service_id": "rejected service", "no_team": "rejected service",
		"no_active_hooks": "rejected service", "team_disabled": "rejected service",
	} {
		for _, status := range []int{200, 400, 403, 404, 410} { // they vary: the text decides
			cases = append(cases, answer{status, text, want})
		}
	}
	for _, c := range cases {
		s := hook(t, answering(t, c.status, c.text).URL)
		_, err := s.Post(t.Context(), samples()[0])
		if got := meaning(err); got != c.want {
			t.Errorf("%d %q: %s, want %s", c.status, c.text, got, c.want)
		}
		var rejected *notice.RejectedError
		if errors.As(err, &rejected) && rejected.Scope != notice.ScopeMessage && rejected.Hint == "" {
			t.Errorf("%d %q: nobody is told what to do", c.status, c.text)
		}
	}
}

func TestAMissingScopeIsNamed(t *testing.T) {
	s := bot(t, answering(t, 200, `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"users:read"}`).URL)
	_, err := s.Post(t.Context(), samples()[0])
	if !strings.Contains(err.Error(), "the app lacks chat:write") {
		t.Errorf("got %v", err)
	}
	s = bot(t, answering(t, 200, `{"ok":false,"error":"not_in_channel"}`).URL)
	if _, err := s.Post(t.Context(), samples()[0]); !strings.Contains(err.Error(), "/invite @tocsin") || !strings.Contains(err.Error(), "#alerts") {
		t.Errorf("got %v", err)
	}
}

// Slack's own words may reach a log, so nothing else may stand in them.
func TestWordsOfTheAnswerAreMadeHarmless(t *testing.T) {
	s := bot(t, answering(t, 200, `{"ok":false,"error":"bad\ncode\u001b[31m `+testToken+`","response_metadata":{"messages":["line\none `+testToken+`"]}}`).URL)
	_, err := s.Post(t.Context(), samples()[0])
	if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || strings.Contains(text, testToken) {
		t.Errorf("got %q", text)
	}
}

func TestALimitedMethodIsNotCalledAgainUntilItMay(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, methodUpdate) {
			calls++
		}
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"ok":false,"error":"ratelimited"}`)
	}))
	defer server.Close()
	s := bot(t, server.URL)
	for range 3 {
		err := s.Edit(t.Context(), samples()[0], notice.Receipt{Channel: "C0123456789", TS: "1.000001"})
		var retry *notice.RetryError
		if !errors.As(err, &retry) || retry.After <= 0 || retry.After > time.Minute || retry.Doubtful {
			t.Fatalf("got %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
	for range 2 { // posts are counted by channel, and paced elsewhere
		if _, err := s.Post(context.Background(), samples()[0]); meaning(err) != "retry channel doubtful 1m0s" {
			t.Errorf("got %v", err)
		}
	}
}
