package config

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// slack reads where alerts are said; nil without the section.
func (d *decoder) slack(root *mapping) *Slack {
	m := root.section("slack")
	if m == nil {
		return nil
	}
	s := &Slack{InDoubt: Resend, Pace: defaultPace}
	d.tokens(m, s)
	s.Channel = d.channel(m)
	if m.hasSecret("bot_token") && !m.has("channel") {
		d.problem(m.place, "slack has a bot_token and no channel: write where alerts go that no route sends elsewhere, such as channel: \"#alerts\"")
	}
	s.APIURL = d.apiURL(m)
	s.Pace = m.rate("pace", s.Pace)
	if word, ok := m.oneOf("in_doubt", string(Resend), string(Drop)); ok {
		s.InDoubt = InDoubt(word)
	}
	s.ProxyURL = m.proxyURL("proxy_url")
	m.close()
	return s
}

// tokens reads bot_token and app_token, or webhook_url.
func (d *decoder) tokens(m *mapping, s *Slack) {
	bot, t, ok := m.secret("bot_token", false)
	if ok && strings.HasPrefix(bot.Reveal(), "xapp-") {
		d.wrong(t, "is an app token (xapp-): the bot token begins with xoxb-; put this one into app_token")
	}
	s.BotToken = bot
	app, t, ok := m.secret("app_token", false)
	if ok && (strings.HasPrefix(app.Reveal(), "xoxb-") || strings.HasPrefix(app.Reveal(), "xoxp-")) {
		d.wrong(t, "is a bot or user token: the app token begins with xapp-; put this one into bot_token")
	}
	s.AppToken = app
	hook, t, ok := m.secret("webhook_url", false)
	if ok {
		u, err := parseURL(hook.Reveal(), "https", "http")
		switch {
		case err != nil:
			d.wrong(t, err.Error())
		case u.Scheme == "http" && !isLoopback(u.Hostname()):
			d.wrong(t, "must begin with https://: the URL is a secret, and plain http shows it to the network")
		default:
			s.WebhookURL = hook
		}
	}
	switch {
	case m.hasSecret("bot_token") && m.hasSecret("webhook_url"):
		d.problem(m.place, "slack has both bot_token and webhook_url: keep bot_token, which can look up what was said and edit it, and delete the other")
	case !m.hasSecret("bot_token") && !m.hasSecret("webhook_url"):
		m.missing("bot_token and no webhook_url: write one, or delete the section to say nothing")
	case m.hasSecret("app_token") && m.hasSecret("webhook_url"):
		d.problem(m.place, "slack has an app_token with a webhook_url: buttons need bot_token; delete app_token")
	}
}

// channel reads a channel's name or id.
func (d *decoder) channel(m *mapping) string {
	t, ok := m.text("channel")
	if !ok {
		return ""
	}
	if notChannel(t.value) {
		d.wrong(t, "is not a channel: write its name, such as \"#alerts\", or its id, such as C0123456789")
		return ""
	}
	return t.value
}

func notChannel(text string) bool {
	name := strings.TrimPrefix(text, "#")
	return name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("#<>&,", r)
	})
}

func (d *decoder) apiURL(m *mapping) *url.URL {
	fallback, err := url.Parse(defaultAPIURL)
	if err != nil {
		panic(fmt.Sprintf("the default of slack.api_url: %v", err))
	}
	u, t, ok := m.url("api_url", "https", "http")
	if !ok {
		return fallback
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		d.wrong(t, "is plain http beyond this machine: the token would be readable on the network; use https://")
		return fallback
	}
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u
}
