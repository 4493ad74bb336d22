package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// webhookClasses are the texts that incoming webhooks answer with.
var webhookClasses = map[string]class{
	"invalid_payload": classMessage, "no_text": classMessage, "invalid_blocks": classMessage, "invalid_blocks_format": classMessage,
	"invalid_attachments": classMessage, "too_many_attachments": classMessage, "msg_too_long": classMessage, "msg_blocks_too_long": classMessage,
	"user_not_found": classChannel, "action_prohibited": classChannel, "posting_to_general_channel_denied": classChannel,
	"channel_not_found": classChannel, "channel_is_archived": classChannel,
	"invalid_token": classToken, "no_service": classToken, "no_service_id": classToken, "no_team": classToken,
	"no_active_hooks": classToken, "team_disabled": classToken,
	"rollup_error": classDoubt, "message_limit_exceeded": classQuota,
}

// postWebhook says a message through the webhook, which knows its own channel and takes no metadata.
func (s *Sender) postWebhook(ctx context.Context, m message) (notice.Receipt, error) {
	asked := m.Channel
	m.Channel = ""
	if f := s.tellWebhook(ctx, m); f != nil {
		err := f.judgeWebhook(asked)
		s.metrics.answers.WithLabelValues(methodWebhook, result(err)).Inc()
		return notice.Receipt{}, err
	}
	s.metrics.answers.WithLabelValues(methodWebhook, "ok").Inc()
	return notice.Receipt{Channel: asked, At: s.clock.now()}, nil
}

// tellWebhook is one request to the webhook; nil means that it said ok.
func (s *Sender) tellWebhook(ctx context.Context, body any) *failure {
	raw, err := json.Marshal(body)
	if err != nil {
		return &failure{method: methodWebhook, err: err, code: "invalid_payload", status: http.StatusBadRequest}
	}
	r, f := s.exchange(ctx, methodWebhook, s.webhook, "application/json; charset=utf-8", raw)
	if f != nil {
		return f
	}
	text := string(bytes.TrimSpace(r.body[:min(len(r.body), 1000)]))
	f = &failure{method: methodWebhook, wrote: true, status: r.status}
	switch {
	case r.status == http.StatusTooManyRequests:
		s.hear(r)
		f.after, f.code = webhookLimit(r, s.clock.now())
		f.code = cmp.Or(s.word(f.code), "rate_limited")
		return f
	case r.status/100 == 2 && text == "ok":
		s.hear(r)
		return nil
	}
	if _, known := webhookClasses[text]; known {
		s.hear(r)
		f.code = text
		return f
	}
	f.err = notSlack(r, errors.New("it is none of the answers of a Slack webhook"))
	return f
}

// webhookLimit reads a 429: its header, else its body, which has been seen as JSON and as text.
func webhookLimit(r *reply, now time.Time) (time.Duration, string) {
	var body struct {
		RetryAfter float64 `json:"retry_after"`
		Error      string  `json:"error"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		text := strings.TrimSpace(string(r.body[:min(len(r.body), 100)]))
		if _, known := webhookClasses[text]; known || text == "rate_limited" || text == "ratelimited" {
			body.Error = text
		}
	}
	after := retryAfter(r.header, now)
	if after == 0 && body.RetryAfter > 0 {
		after = time.Duration(min(body.RetryAfter, retryMost.Seconds()) * float64(time.Second))
	}
	return after, body.Error
}

// judgeWebhook judges by the text of the answer, and by its status where the text is not Slack's: the
// statuses that go with a text have been seen to vary.
func (f *failure) judgeWebhook(channel string) error {
	if f.unsent() || f.code == "" && f.status/100 == 3 { // Slack sends no one elsewhere; a login page of the network does
		return &notice.RetryError{Scope: notice.ScopeService, Code: f.cause(), Err: f.err}
	}
	c := webhookClasses[f.code]
	switch {
	case f.status == http.StatusTooManyRequests:
		return f.judgePost(channel)
	case f.status >= 500:
		c = classDoubt
	case f.code != "":
	case f.status == http.StatusRequestTimeout, f.status < 400:
		c = classDoubt
	case f.status == http.StatusBadRequest, f.status == http.StatusRequestEntityTooLarge:
		f.code, c = httpCode(f.status), classMessage
	case f.status == http.StatusUnauthorized, f.status == http.StatusForbidden, f.status == http.StatusNotFound, f.status == http.StatusGone:
		f.code, c = httpCode(f.status), classToken
	default:
		f.code = httpCode(f.status)
	}
	if c == classDoubt {
		f.code = ""
		f.err = cmp.Or(f.err, errors.New(http.StatusText(f.status)))
		return f.judgePost(channel)
	}
	hint := f.hint(channel)
	switch c {
	case classMessage:
		return &notice.RejectedError{Scope: notice.ScopeMessage, Code: f.code, Hint: hint}
	case classChannel:
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: f.code, Hint: hint}
	case classToken:
		if hint == "" {
			hint = "the answer is not Slack's; check slack.webhook_url and slack.proxy_url"
		}
		return &notice.RejectedError{Scope: notice.ScopeService, Code: f.code, Hint: hint}
	case classQuota:
		return f.judgePost(channel)
	default:
		return &notice.RetryError{Scope: notice.ScopeMessage, Code: f.code, Err: f.err}
	}
}

func httpCode(status int) string {
	return "http_" + strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}
