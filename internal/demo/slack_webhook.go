package demo

import (
	"encoding/json"
	"net/http"
)

// webhookStatus is the HTTP status that comes with the text of an error; the rest is 400.
var webhookStatus = map[string]int{
	"action_prohibited": http.StatusForbidden, "invalid_token": http.StatusForbidden,
	"posting_to_general_channel_denied": http.StatusForbidden,
	"channel_not_found":                 http.StatusNotFound, "no_service": http.StatusNotFound,
	"no_service_id": http.StatusNotFound, "no_team": http.StatusNotFound,
	"no_active_hooks": http.StatusNotFound, "team_disabled": http.StatusNotFound,
	"channel_is_archived": http.StatusGone, "rollup_error": http.StatusInternalServerError,
}

// webhookCode is a webhook's word for an error of the Web API.
var webhookCode = map[string]string{
	"is_archived": "channel_is_archived", "not_in_channel": "channel_not_found",
	"invalid_blocks_format": "invalid_blocks", "msg_blocks_too_long": "invalid_blocks",
	"restricted_action": "action_prohibited",
	"invalid_json":      "invalid_payload", "json_not_object": "invalid_payload", "invalid_form_data": "invalid_payload",
	"missing_post_type": "invalid_payload", "invalid_post_type": "invalid_payload", "invalid_arguments": "invalid_payload",
	"invalid_charset": "invalid_payload", "invalid_arg_name": "invalid_payload", "invalid_array_arg": "invalid_payload",
}

// webhook answers a post to an incoming webhook: a plain text, "ok" or an error.
func (s *Slack) webhook(c *call, bad *refusal) answer {
	s.mu.Lock()
	hook := s.webhooks[c.path]
	s.mu.Unlock()
	switch {
	case hook == nil:
		return webhookAnswer(&refusal{code: "no_service"}, "")
	case hook.Error != "":
		return webhookAnswer(&refusal{code: hook.Error}, "")
	}
	c.token = &SlackToken{App: hook.App, Scopes: []string{"chat:write.public", "incoming-webhook"}}
	if limited := s.admitPost(c, hook.Path); limited != nil {
		return limitedAnswer(c, limited.retryAfter)
	}
	if bad != nil {
		return webhookAnswer(bad, "")
	}
	ts, bad := s.postWebhook(c, hook)
	return webhookAnswer(bad, ts)
}

func (s *Slack) postWebhook(c *call, hook *SlackWebhook) (string, *refusal) {
	if !c.isJSON {
		payload, _ := c.text("payload")
		var fields map[string]json.RawMessage
		if payload == "" || json.Unmarshal([]byte(payload), &fields) != nil {
			return "", &refusal{code: "invalid_payload"}
		}
		c.args, c.cached = map[string]arg{}, nil
		if bad := c.takeJSON([]byte(payload)); bad != nil {
			return "", bad
		}
	}
	d, bad := readDraft(c)
	if bad != nil {
		return "", bad
	}
	if !d.says() {
		return "", &refusal{code: "no_text"}
	}
	d.text = cutTo(d.text, textTruncated)
	thread, bad := c.text("thread_ts")
	if bad != nil {
		return "", bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, bad := s.target(c, hook.Channel)
	if bad != nil {
		return "", bad
	}
	parent, bad := s.thread(ch, thread)
	if bad != nil {
		return "", bad
	}
	m := s.say(ch, d, message{
		SlackMessage: SlackMessage{App: hook.App, Via: "webhook", At: c.at, Key: c.key()},
		parent:       parent, hook: true,
	})
	return m.TS, nil
}

func webhookAnswer(bad *refusal, ts string) answer {
	a := answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: []byte("ok"), ts: ts, stored: ts != ""}
	if bad == nil {
		return a
	}
	code := bad.code
	if own, ok := webhookCode[code]; ok {
		code = own
	}
	a.status = http.StatusBadRequest
	if status, ok := webhookStatus[code]; ok {
		a.status = status
	}
	a.code, a.body = code, []byte(code)
	return a
}
