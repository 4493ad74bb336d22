package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tocsin/internal/notice"
)

// Level tells how bad a finding is.
type Level string

// The levels.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning" // it works, and something is lost
	LevelProblem Level = "problem" // messages cannot be sent
)

// Finding is one thing that Check found.
type Finding struct {
	Level Level
	What  string // a sentence without its full stop
	Try   string // what to do about it; empty when nothing is
}

// authorised is a success of auth.test.
type authorised struct {
	URL    string `json:"url"`
	Team   string `json:"team"`
	User   string `json:"user"`
	UserID string `json:"user_id"`
	BotID  string `json:"bot_id"`
}

// scopes are what the app asks for, and what is lost without each.
var scopes = []struct {
	name  string
	level Level
	loss  string
}{
	{"chat:write", LevelProblem, "nothing can be sent"},
	{"chat:write.public", LevelWarning, "the app has to be in every channel it writes to"},
	{"channels:history", LevelWarning, "in public channels, posts without an answer cannot be looked up"},
	{"groups:history", LevelWarning, "in private channels, posts without an answer cannot be looked up"},
	{"channels:read", LevelWarning, "public channels cannot be found by name"},
	{"groups:read", LevelWarning, "private channels cannot be found by name"},
	{"files:write", LevelWarning, "charts are drawn as text and not as pictures"},
	{"channels:join", LevelWarning, "the app cannot join a public channel by itself"},
}

// Probe asks whether Slack takes us, without sending anything. Its errors are those of Post. A webhook
// cannot be asked.
func (s *Sender) Probe(ctx context.Context) error {
	if s.webhook != "" {
		return nil
	}
	var a authorised
	err := s.post(ctx, methodAuth, struct{}{}, &a)
	var f *failure
	if errors.As(err, &f) {
		return f.judgePost("")
	}
	if err == nil {
		s.meet(identity{bot: a.BotID, user: a.UserID})
	}
	return err
}

// Check asks Slack what can be sent and looked up, without posting or changing anything, and tells
// all of it. channels are those that routes name; the default channel is always among them.
func (s *Sender) Check(ctx context.Context, channels ...string) []Finding {
	if s.webhook != "" {
		return s.checkWebhook(ctx)
	}
	var who authorised
	header, err := s.method(ctx, methodAuth, "application/json; charset=utf-8", []byte("{}"), &who)
	if err != nil {
		return []Finding{problemOf("slack", err)}
	}
	s.meet(identity{bot: who.BotID, user: who.UserID})
	out := []Finding{{Level: LevelOK, What: fmt.Sprintf("slack: %s, as %s", s.say(who.Team), s.say(who.User))}}
	if who.BotID == "" {
		out = append(out, Finding{LevelWarning, "slack: the token is a person's, not a bot's", "put the Bot User OAuth Token (xoxb-) into slack.bot_token"})
	}
	given, told := scopesOf(header)
	for _, scope := range scopes {
		if told && !slices.Contains(given, scope.name) {
			out = append(out, Finding{
				scope.level, "slack: the app lacks the scope " + scope.name + ": " + scope.loss,
				"add it under OAuth & Permissions, Bot Token Scopes, and reinstall the app to the workspace",
			})
		}
	}
	if s.channel != "" {
		channels = append([]string{s.channel}, channels...)
	}
	seen := map[string]bool{}
	for _, name := range channels {
		if key := bareName(name); name != "" && !seen[key] {
			seen[key] = true
			out = append(out, s.checkChannel(ctx, name, func(scope string) bool { return !told || slices.Contains(given, scope) })...)
		}
	}
	return out
}

// scopesOf reads the scopes of the token, which Slack tells with every answer; a stand-in may not.
func scopesOf(h http.Header) (scopes []string, told bool) {
	text := h.Get("X-OAuth-Scopes")
	for scope := range strings.SplitSeq(text, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			scopes = append(scopes, scope)
		}
	}
	return scopes, len(scopes) > 0
}

func (s *Sender) checkChannel(ctx context.Context, name string, may func(scope string) bool) []Finding {
	about := "slack channel " + name
	c, err := s.lookup(ctx, name)
	var f *failure
	switch {
	case errors.As(err, &f) && f.code == "missing_scope":
		return []Finding{{LevelWarning, about + ": it cannot be looked up", f.hint(name)}}
	case err != nil && !(errors.As(err, &f) && f.code == "channel_not_found"):
		return []Finding{problemOf(about, err)}
	case c == nil:
		return []Finding{{
			LevelProblem, about + ": not found",
			"check its name; if it is private, write /invite @tocsin in it" + missingList(may),
		}}
	case c.Archived:
		return []Finding{{LevelProblem, about + ": archived", "unarchive it or name another channel"}}
	}
	s.ids.learn(ctx, s.log, name, c.ID)
	switch {
	case c.Member:
	case c.Private:
		return []Finding{{LevelProblem, about + ": private, and the app is not in it", "write /invite @tocsin in it"}}
	case may("channels:join"):
		return []Finding{{LevelOK, about + ": found; the app joins it when it needs to", ""}}
	case may("chat:write.public"):
		return []Finding{{
			LevelWarning, about + ": messages can be sent, but the app is not in it and cannot look up posts without an answer",
			"write /invite @tocsin in it",
		}}
	default:
		return []Finding{{LevelProblem, about + ": the app is not in it", "write /invite @tocsin in it"}}
	}
	err = s.get(ctx, methodHistory, url.Values{"channel": {c.ID}, "limit": {"1"}, "include_all_metadata": {"true"}}, nil)
	if errors.As(err, &f) {
		err = f.judgeRead(name)
	}
	if err != nil {
		out := problemOf(about, err)
		out.Level = LevelWarning
		out.What = about + ": messages can be sent; history: " + strings.TrimPrefix(out.What, about+": ")
		return []Finding{out}
	}
	return []Finding{{LevelOK, about + ": messages can be sent, edited and looked up", ""}}
}

func missingList(may func(scope string) bool) string {
	if may("channels:read") && may("groups:read") {
		return ""
	}
	return "; or write its id instead, since the app lacks the scopes to see all channels"
}

// checkWebhook sends what the webhook must refuse: a message without text.
func (s *Sender) checkWebhook(ctx context.Context) []Finding {
	poor := Finding{
		LevelWarning, "slack: through a webhook, messages cannot be edited, nor looked up when Slack's answer is lost",
		"use slack.bot_token; slack.in_doubt says what happens to a post without an answer",
	}
	f := s.tellWebhook(ctx, message{Parse: "none"})
	if f == nil || f.code == "no_text" || f.code == "invalid_payload" {
		return []Finding{{LevelOK, "slack: the webhook answers", ""}, poor}
	}
	var err error = f
	if judged := f.judgeWebhook("its channel"); !errors.Is(judged, notice.ErrUnknown) {
		err = judged
	}
	return []Finding{problemOf("slack webhook", err), poor}
}

// problemOf tells an error as a finding.
func problemOf(about string, err error) Finding {
	var f *failure
	switch heard := errors.As(err, &f); {
	case errors.Is(err, notice.ErrNoHistory):
	case heard && !f.unsent() && f.classOf() == classDoubt:
		return Finding{LevelProblem, about + ": " + f.Error(), "check slack.api_url and slack.proxy_url; if they are right, Slack has trouble: wait, and check again"}
	case heard:
		err = f.judgePost("")
	}
	var rejected *notice.RejectedError
	if errors.As(err, &rejected) {
		return Finding{LevelProblem, about + ": " + rejected.Code, rejected.Hint}
	}
	var retry *notice.RetryError
	switch {
	case errors.As(err, &retry) && retry.Code == "tls":
		return Finding{LevelProblem, about + ": " + err.Error(), "check slack.api_url, and that the system trusts the certificate of the proxy in between"}
	case errors.As(err, &retry) && (retry.Code == "dns" || retry.Code == "unreachable" || retry.Code == "proxy"):
		return Finding{LevelProblem, about + ": " + err.Error(), "check the network, slack.api_url and slack.proxy_url"}
	case errors.As(err, &retry):
		return Finding{LevelProblem, about + ": " + err.Error(), "wait, and check again"}
	}
	return Finding{LevelProblem, about + ": " + err.Error(), ""}
}
