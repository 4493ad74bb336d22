package slack

import "cmp"

// hint says what a person can do about a refusal. It is a sentence without its full stop.
func (f *failure) hint(channel string) string {
	channel = cmp.Or(channel, "the channel")
	switch f.code {
	case "missing_scope":
		scope := cmp.Or(f.needed, "a scope that "+f.method+" needs")
		return "the app lacks " + scope + "; add it under OAuth & Permissions, Bot Token Scopes, and reinstall the app to the workspace"
	case "not_authed", "invalid_auth", "not_allowed_token_type":
		return "slack.bot_token is not a bot token of this workspace; copy the Bot User OAuth Token (xoxb-) from the app's page OAuth & Permissions"
	case "token_revoked", "account_inactive", "token_expired":
		return "the token no longer works; reinstall the app to the workspace and put the new Bot User OAuth Token into slack.bot_token"
	case "app_access_restricted", "access_denied", "accesslimited", "no_permission", "enterprise_is_restricted", "team_access_not_granted":
		return "the workspace does not let this app in; ask its owner to approve the app"
	case "two_factor_setup_required":
		return "the workspace requires two-factor authentication that the app's owner has not set up"
	case "channel_not_found":
		return channel + " does not exist, or it is private and the app is not in it; check the name, or write /invite @tocsin in it"
	case "not_in_channel":
		return "the app is not in " + channel + "; write /invite @tocsin in it"
	case "is_archived", "channel_is_archived":
		return channel + " is archived; unarchive it or name another channel"
	case "restricted_action", "restricted_action_read_only_channel", "action_prohibited", "posting_to_general_channel_denied":
		return "the workspace's settings do not let the app post in " + channel + "; ask its owner to allow it, or name another channel"
	case "restricted_action_thread_only_channel", "restricted_action_thread_locked", "restricted_action_non_threadable_channel", "cannot_reply_to_message":
		return channel + " takes no new messages of this kind; name another channel"
	case "ekm_access_denied":
		return "the workspace's encryption keys have been withdrawn; ask its administrator"
	case "messages_tab_disabled":
		return "the app's Messages tab is off; turn it on under App Home, or name a channel"
	case "user_not_found":
		return "the person whom the webhook writes to is gone; make a new webhook"
	case "no_service", "no_service_id", "no_active_hooks", "invalid_token":
		return "the webhook was removed or its URL is wrong; make a new one on the app's page Incoming Webhooks and put it into slack.webhook_url"
	case "no_team", "team_disabled":
		return "the workspace of the webhook is gone"
	case "metadata_must_be_sent_from_app":
		return "slack.bot_token is not the token of an app; use a Bot User OAuth Token (xoxb-)"
	}
	return f.detail
}
