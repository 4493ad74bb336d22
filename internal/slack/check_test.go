package slack

import (
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/internal/demo"
)

// told makes one line of each finding, with what to do after an arrow.
func told(findings []Finding) string {
	var lines []string
	for _, f := range findings {
		line := string(f.Level) + " " + f.What
		if f.Try != "" {
			line += " -> " + f.Try
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestCheckTellsAllAtOnce(t *testing.T) {
	all := []string{"chat:write", "chat:write.public", "channels:history", "groups:history", "channels:read", "groups:read", "channels:join", "files:write"}
	without := func(names ...string) []string {
		var out []string
		for _, s := range all {
			if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+s+" ") {
				out = append(out, s)
			}
		}
		return out
	}
	channels := []demo.SlackChannel{
		{Name: "alerts"}, {Name: "soc", Private: true}, {Name: "public", Outside: true}, {Name: "hidden", Private: true, Outside: true}, {Name: "old", Archived: true},
	}
	for _, c := range []struct {
		name   string
		token  demo.SlackToken
		ask    []string
		want   []string // each is in what is told
		never  []string
		absent []Level
	}{
		{
			"all is well",
			demo.SlackToken{Token: demo.DemoToken, Scopes: all},
			[]string{"#soc", "alerts", "#public"},
			[]string{"ok slack: Demo, as tocsin", "ok slack channel #alerts: messages can be sent, edited and looked up", "ok slack channel #soc", "ok slack channel #public: found; the app joins it"},
			nil,
			[]Level{LevelWarning, LevelProblem},
		},
		{
			"many troubles",
			demo.SlackToken{Token: demo.DemoToken, Scopes: without("chat:write", "groups:history")},
			[]string{"#soc", "#hidden", "#old", "#typo"},
			[]string{
				"problem slack: the app lacks the scope chat:write: nothing can be sent -> add it",
				"warning slack: the app lacks the scope groups:history",
				"warning slack channel #soc: messages can be sent; history:", "problem slack channel #hidden: not found -> check its name; if it is private, write /invite @tocsin",
				"problem slack channel #old: archived -> unarchive it", "problem slack channel #typo: not found", "ok slack channel #alerts",
			},
			nil, nil,
		},
		{
			"may not join",
			demo.SlackToken{Token: demo.DemoToken, Scopes: without("channels:join")},
			[]string{"#public"},
			[]string{"warning slack channel #public: messages can be sent, but the app is not in it"},
			nil,
			[]Level{LevelProblem},
		},
		{
			"may neither join nor post",
			demo.SlackToken{Token: demo.DemoToken, Scopes: without("channels:join", "chat:write.public")},
			[]string{"#public"},
			[]string{"problem slack channel #public: the app is not in it -> write /invite @tocsin in it"},
			nil, nil,
		},
		{
			"may see no channels",
			demo.SlackToken{Token: demo.DemoToken, Scopes: []string{"chat:write"}},
			nil,
			[]string{"problem slack channel #alerts: not found -> ", "write its id instead"},
			nil, nil,
		},
		{
			"revoked",
			demo.SlackToken{Token: demo.DemoToken, Error: "token_revoked"},
			[]string{"#soc"},
			[]string{"problem slack: token_revoked -> the token no longer works; reinstall"},
			[]string{"#soc"},
			nil,
		},
		{
			"wrong token", demo.SlackToken{Token: "xoxb-another"}, nil, []string{"problem slack: invalid_auth -> slack.bot_token is not"}, nil, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			slack, s := standIn(t, demo.SlackOptions{Channels: channels, Tokens: []demo.SlackToken{c.token}}, func(o *Options) { o.DefaultChannel = "#alerts" })
			findings := s.Check(t.Context(), c.ask...)
			got := told(findings)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("missing %q in:\n%s", want, got)
				}
			}
			for _, never := range c.never {
				if strings.Contains(got, never) {
					t.Errorf("%q in:\n%s", never, got)
				}
			}
			for _, f := range findings {
				for _, level := range c.absent {
					if f.Level == level {
						t.Errorf("a %s: %+v", level, f)
					}
				}
			}
			if n := slack.Counts(); n.Posts != 0 {
				t.Errorf("%d posts", n.Posts)
			}
		})
	}
}

func TestCheckOfAWebhookPostsNothing(t *testing.T) {
	slack := demo.NewSlack(demo.SlackOptions{})
	server := httptest.NewServer(slack)
	defer server.Close()
	s := hook(t, server.URL, func(o *Options) { o.WebhookURL = server.URL + demo.DemoWebhook })
	if got := told(s.Check(t.Context(), "#alerts")); !strings.HasPrefix(got, "ok slack: the webhook answers\nwarning slack: through a webhook, messages cannot be edited") {
		t.Errorf("got %s", got)
	}
	s = hook(t, server.URL)
	if got := told(s.Check(t.Context())); !strings.HasPrefix(got, "problem slack webhook: no_service -> the webhook was removed") {
		t.Errorf("got %s", got)
	}
	if n := slack.Counts(); n.Posts != 0 {
		t.Errorf("%d posts", n.Posts)
	}
}

func TestCheckOfASlackThatIsNotThere(t *testing.T) {
	s := bot(t, "http://127.0.0.1:1")
	if got := told(s.Check(t.Context(), "#alerts")); !strings.Contains(got, "problem slack: ") || !strings.Contains(got, "check the network, slack.api_url and slack.proxy_url") {
		t.Errorf("got %s", got)
	}
	s = bot(t, answering(t, 404, "<html>").URL)
	if got := told(s.Check(t.Context())); !strings.Contains(got, "HTTP 404") || !strings.Contains(got, "api_url") {
		t.Errorf("got %s", got)
	}
}
