package slack

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// quotaHold is how long everything waits when the workspace is full. It stays so until messages are
// deleted or the plan changes.
const quotaHold = time.Hour

// class is what a code of Slack's means for a message.
type class int

const (
	classUnheard class = iota // a code we do not know: refused, and perhaps not for ever
	classDoubt                // the message may have been stored
	classLimited
	classQuota
	classLater   // refused for now, everything
	classMessage // refused for ever: this message
	classChannel // this channel
	classToken   // everything
	classGone    // an edit: the message cannot be edited
	classBusy    // an edit: try it again
)

// classes are Slack's codes for chat.postMessage and chat.update.
var classes = func() map[string]class {
	m := map[string]class{}
	for c, codes := range map[class]string{
		classDoubt:   "internal_error fatal_error service_unavailable request_timeout",
		classLimited: "ratelimited rate_limited",
		classQuota:   "message_limit_exceeded",
		classLater:   "team_added_to_org org_login_required",
		classMessage: "no_text msg_too_long msg_blocks_too_long invalid_blocks invalid_blocks_format invalid_attachments too_many_attachments " +
			"attachment_payload_limit_exceeded metadata_too_large invalid_metadata_format invalid_metadata_schema " +
			"markdown_text_conflict invalid_arg_name invalid_array_arg invalid_arguments invalid_json json_not_object invalid_form_data " +
			"invalid_charset invalid_post_type missing_post_type",
		classChannel: "channel_not_found not_in_channel is_archived restricted_action restricted_action_read_only_channel " +
			"restricted_action_thread_only_channel restricted_action_thread_locked restricted_action_non_threadable_channel " +
			"ekm_access_denied messages_tab_disabled cannot_reply_to_message",
		classToken: "not_authed invalid_auth token_revoked token_expired account_inactive missing_scope not_allowed_token_type no_permission " +
			"app_access_restricted access_denied accesslimited two_factor_setup_required enterprise_is_restricted team_access_not_granted metadata_must_be_sent_from_app",
		classGone: "message_not_found cant_update_message edit_window_closed is_inactive block_mismatch",
		classBusy: "update_failed",
	} {
		for code := range strings.FieldsSeq(codes) {
			m[code] = c
		}
	}
	return m
}()

// classOf tells what a failure with an answer means.
func (f *failure) classOf() class {
	c, known := classes[f.code]
	switch {
	case f.code == "message_limit_exceeded" && f.status < 500:
		return classQuota
	case f.status == http.StatusTooManyRequests:
		return classLimited
	case f.status >= 500, f.code == "":
		return classDoubt
	case !known && strings.HasPrefix(f.code, "invalid_metadata_"):
		return classMessage
	case !known && strings.HasPrefix(f.code, "restricted_action"):
		return classChannel
	}
	return c
}

// unsent reports that Slack never had the request: it did not leave, or our own proxy sent it back.
func (f *failure) unsent() bool {
	return !f.wrote && f.status == 0 || f.status == http.StatusProxyAuthRequired
}

// notMember reports that Slack refused because the app is not in the channel. A server's error is no
// refusal, whatever it says.
func (f *failure) notMember() bool { return f.code == "not_in_channel" && f.status < 500 }

// judgePost turns a failed post to a channel into what the outbox decides by.
func (f *failure) judgePost(channel string) error {
	if f.unsent() {
		return &notice.RetryError{Scope: notice.ScopeService, Code: f.cause(), Err: f.err}
	}
	switch f.classOf() {
	case classDoubt:
		return fmt.Errorf("%w: %w", notice.ErrUnknown, f)
	case classLimited:
		return &notice.RetryError{After: f.after, Scope: notice.ScopeChannel, Code: f.code, Doubtful: f.method == methodPost}
	case classQuota:
		return &notice.RetryError{
			After: cmp.Or(f.after, quotaHold), Scope: notice.ScopeService, Code: f.code,
			Err: errors.New("the workspace is full; delete old messages or change its plan"),
		}
	case classLater:
		return &notice.RetryError{After: time.Minute, Scope: notice.ScopeService, Code: f.code, Err: errors.New("the workspace is being moved into an organisation")}
	case classMessage:
		return &notice.RejectedError{Scope: notice.ScopeMessage, Code: f.code, Hint: f.hint(channel)}
	case classChannel:
		return &notice.RejectedError{Scope: notice.ScopeChannel, Code: f.code, Hint: f.hint(channel)}
	case classToken:
		return &notice.RejectedError{Scope: notice.ScopeService, Code: f.code, Hint: f.hint(channel)}
	default:
		return &notice.RetryError{Scope: notice.ScopeMessage, Code: f.code, Err: textError(f.detail)}
	}
}

// judgeEdit is judgePost for an edit, which may be repeated whatever came of it.
func (f *failure) judgeEdit(channel string) error {
	if f.classOf() == classGone && !f.unsent() {
		return fmt.Errorf("%w: %w", notice.ErrGone, f)
	}
	return f.judgePost(channel)
}

// judgeRead is judgePost for reading a channel's history. Reading stores nothing, so whatever is not
// refused for good may be tried again.
func (f *failure) judgeRead(channel string) error {
	if f.unsent() {
		return &notice.RetryError{Scope: notice.ScopeService, Code: f.cause(), Err: f.err}
	}
	switch f.code {
	case "missing_scope", "not_allowed_token_type", "no_permission", "access_denied", "ekm_access_denied",
		"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type", "unknown_method":
		hint := f.hint(channel)
		if hint != "" {
			hint = ": " + hint
		}
		return fmt.Errorf("%w: %w%s", notice.ErrNoHistory, f, hint)
	}
	switch f.classOf() {
	case classDoubt:
		return &notice.RetryError{Scope: notice.ScopeChannel, Code: cmp.Or(f.code, "unreadable"), Err: f}
	case classToken:
		return &notice.RejectedError{Scope: notice.ScopeService, Code: f.code, Hint: f.hint(channel)}
	default:
		return &notice.RetryError{After: f.after, Scope: notice.ScopeChannel, Code: f.code, Err: textError(f.detail)}
	}
}

func textError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// cause names what kept a request from reaching Slack.
func (f *failure) cause() string {
	var dns *net.DNSError
	switch {
	case f.status == http.StatusProxyAuthRequired:
		return "proxy"
	case errors.Is(f.err, context.Canceled):
		return "canceled"
	case errors.As(f.err, &dns):
		return "dns"
	case isTLS(f.err):
		return "tls"
	case strings.Contains(f.err.Error(), "proxy"):
		return "proxy"
	default:
		return "unreachable"
	}
}

func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &unknown)
}

// result names a judged error for the metrics.
func result(err error) string {
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
		return "unread"
	case errors.As(err, &rejected):
		return "rejected"
	case errors.As(err, &retry):
		switch retry.Code {
		case "canceled", "dns", "tls", "proxy", "unreachable":
			return "unreachable"
		case "ratelimited", "rate_limited", "message_limit_exceeded":
			return "limited"
		}
		return "retry"
	default:
		return "unknown"
	}
}
