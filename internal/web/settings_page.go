package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/duration"
	"tocsin/internal/settings"
)

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return settings.AnyVersion
	}
	return n
}

// sectionView is a section as the page of settings has it.
type sectionView struct {
	settings.Section
	Versions []settings.Version
	Wrong    string
	Text     string // as it was typed, where it is wrong
	Example  string
	About    string
}

// aboutSections says what each is for.
var aboutSections = map[string][2]string{
	"sources":    {"Where documents are: clusters, and the embedded engine.", "sources:\n- name: siem\n  kind: elasticsearch\n  urls: [https://es1:9200]\n  api_key: id:key\n"},
	"detections": {"Kibana's detection alerts that are forwarded.", "detections:\n- source: siem\n  space: default\n  kibana_url: https://kibana:5601\n"},
	"slack":      {"Where alerts are said.", "slack:\n  bot_token: xoxb-...\n  channel: \"#alerts\"\n"},
	"notify":     {"Ways out beside Slack: e-mail, webhooks, Teams, PagerDuty, Alertmanager.", "notify:\n- name: oncall\n  kind: pagerduty\n  routing_key: ...\n"},
	"route":      {"Who hears what, and how alerts are put together.", "route:\n  group_by: [rule.name]\n  group_wait: 10s\n  routes:\n  - match: 'severity: critical'\n    channel: \"#soc\"\n"},

	"time_intervals":      {"Calendars, for quiet hours and maintenance windows.", "time_intervals:\n- name: nights\n  time_intervals:\n  - times: [{start_time: \"20:00\", end_time: \"24:00\"}, {start_time: \"00:00\", end_time: \"06:00\"}]\n    location: Europe/Berlin\n"},
	"maintenance_windows": {"Times in which alerts that match are silenced.", "maintenance_windows:\n- name: patching\n  match: 'host.name: db-*'\n  time_intervals: [nights]\n"},
	"inhibit_rules":       {"Alerts that hide others.", "inhibit_rules:\n- name: host down\n  source_match: 'rule.name: \"Host is down\"'\n  target_match: 'tags: service'\n  equal: [host.name]\n"},
	"digests":             {"What sums up an hour, a day or a week in a channel.", "digests:\n- every: daily\n  at: \"08:00\"\n  location: Europe/Berlin\n  channel: \"#security-daily\"\n"},
}

type slackForm struct {
	How, BotToken, WebhookURL, Channel, APIURL string
	HasToken, HasWebhook                       bool
	Typed                                      string // by what those that were tested are asked for
}

// routeForm is the root of the routes: what holds for every alert that no route below says otherwise of.
type routeForm struct {
	GroupBy, GroupWait, GroupInterval, RateLimit string
	Version                                      int64
	InFile                                       bool
	Wrong                                        string
	Below                                        int // routes
}

type settingsView struct {
	Route    routeForm
	File     string
	Slack    slackForm
	Sections []sectionView
	Wrong    string // of the form of Slack
	Test     *SlackTest
	CanEdit  bool
	Manifest string
	Version  int64 // of slack
	InFile   bool  // slack is
	Welcome  bool
}

func (s *settingsPart) settingsPage(rw http.ResponseWriter, r *http.Request) {
	v, err := s.settingsView(r)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	s.render(rw, r, http.StatusOK, "settings", v)
}

func (s *settingsPart) settingsView(r *http.Request) (settingsView, error) {
	v := settingsView{File: s.o.Config.File, CanEdit: who(r).Role.Allows(account.Admin), Manifest: slackManifest}
	ctx := context.WithoutCancel(r.Context())
	all, err := s.o.Settings.Sections(ctx)
	if err != nil {
		return v, err
	}
	for _, one := range all {
		section := sectionView{Section: one, Text: one.Text, About: aboutSections[one.Name][0], Example: aboutSections[one.Name][1]}
		if v.CanEdit && !one.InFile {
			if section.Versions, err = s.o.Settings.Versions(ctx, one.Name); err != nil {
				return v, err
			}
		}
		v.Sections = append(v.Sections, section)
		if one.Name == "route" {
			v.Route = s.routeNow(one)
		}
		if one.Name != "slack" {
			continue
		}
		v.InFile, v.Version = one.InFile, one.Version
		items, err := settings.Items("slack", one.Text)
		if err != nil {
			return v, err
		}
		v.Slack = slackForm{How: "token", Channel: "#alerts"}
		if len(items) > 0 {
			now := items[0]
			v.Slack = slackForm{How: "token", Channel: now.Text("channel"), APIURL: now.Text("api_url"), HasToken: now["bot_token"] != nil, HasWebhook: now["webhook_url"] != nil}
			if v.Slack.HasWebhook {
				v.Slack.How = "webhook"
			}
		}
	}
	return v, nil
}

// settingsForm sets Slack by its fields, a section by its text, or goes back to a version.
func (s *settingsPart) settingsForm(rw http.ResponseWriter, r *http.Request) {
	if !s.form(rw, r) {
		return
	}
	name := r.PostFormValue("section")
	switch r.PostFormValue("do") {
	case "slack", "slack-test":
		s.slackForm(rw, r, "/settings")
	case "route":
		s.routeForm(rw, r)
	case "text":
		s.keepText(rw, r, settings.Change{Section: name, Text: r.PostFormValue("text"), Based: number(r.PostFormValue("version"))}, name+" is set.")
	case "back":
		wanted := number(r.PostFormValue("to"))
		versions, err := s.o.Settings.Versions(r.Context(), name)
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		i := slices.IndexFunc(versions, func(v settings.Version) bool { return v.Version == wanted })
		if i < 0 {
			s.setFlash(rw, "bad", "There is no such version of "+name+".")
			http.Redirect(rw, r, "/settings", http.StatusSeeOther)
			return
		}
		s.keepText(rw, r, settings.Change{
			Section: name, Text: versions[i].Text, Based: number(r.PostFormValue("version")), Note: "back to version " + strconv.FormatInt(wanted, 10),
		}, name+" is as in version "+strconv.FormatInt(wanted, 10)+".")
	default:
		s.sorry(rw, r, http.StatusBadRequest, "This form cannot be read", "Go back, reload the page, and send it again.")
	}
}

func (s *settingsPart) keepText(rw http.ResponseWriter, r *http.Request, c settings.Change, said string) {
	c.Who = who(r).Name
	_, err := s.o.Settings.Put(context.WithoutCancel(r.Context()), c)
	if err == nil {
		noted(r, c.Section, said)
		s.done(rw, r, "/settings", strings.ToUpper(said[:1])+said[1:])
		return
	}
	status, fault, v, ok := s.faulted(rw, r, err)
	if !ok {
		return
	}
	for i := range v.Sections {
		if v.Sections[i].Name == c.Section {
			v.Sections[i].Wrong, v.Sections[i].Text = fault.Error, c.Text
		}
	}
	s.render(rw, r, status, "settings", v)
}

// faulted is the page again for a setting that was not kept, and what its author can mend. Where it is not the
// author's, it has answered.
func (s *settingsPart) faulted(rw http.ResponseWriter, r *http.Request, err error) (status int, fault SettingFailure, v settingsView, ok bool) {
	if status, fault = settingFault(err); status == 0 {
		s.broken(rw, r, err)
		return 0, fault, v, false
	}
	if v, err = s.settingsView(r); err != nil {
		s.broken(rw, r, err)
		return 0, fault, v, false
	}
	return status, fault, v, true
}

// slackForm tests Slack, or sets it and goes on.
func (s *settingsPart) slackForm(rw http.ResponseWriter, r *http.Request, to string) {
	f := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	form := slackForm{How: f("how"), BotToken: f("bot_token"), WebhookURL: f("webhook_url"), Channel: f("channel"), APIURL: f("api_url"), Typed: f("typed")}
	section, items, err := s.items(r.Context(), "slack")
	if err != nil {
		s.cannot(rw, r, to, err)
		return
	}
	values := settings.Values{}
	if len(items) > 0 {
		values = items[0]
	}
	form.HasToken, form.HasWebhook = values["bot_token"] != nil, values["webhook_url"] != nil
	set := func(key, value string) {
		if value == "" {
			delete(values, key)
		} else {
			values[key] = value
		}
	}
	keep := func(written string, stored bool) string {
		if written == "" && stored {
			return config.Kept
		}
		return written
	}
	if form.How == "webhook" {
		set("webhook_url", keep(form.WebhookURL, form.HasWebhook))
		set("bot_token", "")
		set("app_token", "")
	} else {
		set("bot_token", keep(form.BotToken, form.HasToken))
		set("webhook_url", "")
	}
	set("channel", form.Channel)
	set("api_url", form.APIURL)
	if form.How == "webhook" && form.WebhookURL == "" {
		s.tested.fill(form.Typed, who(r).Name, values, "webhook_url")
	} else if form.How != "webhook" && form.BotToken == "" {
		s.tested.fill(form.Typed, who(r).Name, values, "bot_token")
	}
	text, err := settings.WriteOne("slack", values)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	c := settings.Change{Section: "slack", Text: text, Based: section.Version, Who: who(r).Name}
	cfg, err := s.o.Settings.Preview(r.Context(), c)
	if err == nil && f("do") == "slack" {
		if _, err = s.o.Settings.Put(context.WithoutCancel(r.Context()), c); err == nil {
			noted(r, "slack", "Slack is connected")
			s.done(rw, r, to, "Slack is connected.")
			return
		}
	}
	var test *SlackTest
	wrong, status := "", http.StatusOK
	if err == nil {
		found := s.o.TestSlack(r.Context(), cfg, true)
		test = &found
		form.Typed = s.tested.keep(who(r).Name, values)
	} else {
		var fault SettingFailure
		if status, fault = settingFault(err); status == 0 {
			s.broken(rw, r, err)
			return
		}
		wrong = plainProblems(fault)
	}
	if to == "/welcome" {
		v := s.welcome(r)
		v.Slack.Slack, v.Slack.Wrong, v.Slack.Test = form, wrong, test
		s.render(rw, r, status, "welcome", v)
		return
	}
	v, err := s.settingsView(r)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v.Slack, v.Wrong, v.Test = form, wrong, test
	s.render(rw, r, status, "settings", v)
}

// routeNow is the root of the routes as it holds.
func (s *settingsPart) routeNow(one settings.Section) routeForm {
	root := &s.o.Config.Route
	rate := "off"
	if !root.RateLimit.Off() {
		rate = root.RateLimit.String()
	}
	return routeForm{
		GroupBy: strings.Join(root.GroupBy, ", "), GroupWait: duration.Format(root.GroupWait), GroupInterval: duration.Format(root.GroupInterval),
		RateLimit: rate, Version: one.Version, InFile: one.InFile, Below: len(root.Routes),
	}
}

// routeForm sets the root of the routes, and leaves what else the section has.
func (s *settingsPart) routeForm(rw http.ResponseWriter, r *http.Request) {
	f := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	_, items, err := s.items(r.Context(), "route")
	if err != nil {
		s.cannot(rw, r, "/settings", err)
		return
	}
	values := settings.Values{}
	if len(items) > 0 {
		values = items[0]
	}
	form := routeForm{GroupBy: f("group_by"), GroupWait: f("group_wait"), GroupInterval: f("group_interval"), RateLimit: f("rate_limit"), Version: number(f("version"))}
	values["group_by"] = strings.FieldsFunc(form.GroupBy, func(c rune) bool { return c == ',' || c == ' ' })
	values["group_wait"], values["group_interval"], values["rate_limit"] = form.GroupWait, form.GroupInterval, form.RateLimit
	text, err := settings.WriteOne("route", values)
	if err == nil {
		_, err = s.o.Settings.Put(context.WithoutCancel(r.Context()), settings.Change{Section: "route", Text: text, Based: form.Version, Who: who(r).Name})
	}
	if err == nil {
		noted(r, "route", "the defaults of routes are set")
		s.done(rw, r, "/settings", "The defaults of routes are set.")
		return
	}
	status, fault, v, ok := s.faulted(rw, r, err)
	if !ok {
		return
	}
	form.Wrong, form.Below = plainProblems(fault), v.Route.Below
	v.Route = form
	s.render(rw, r, status, "settings", v)
}

// slackManifest is what Slack makes the app from; docs/slack-setup.md says what each scope is for.
const slackManifest = `display_information:
  name: Tocsin
  description: Security alerts, each of them once
  background_color: "#12343b"
features:
  bot_user:
    display_name: tocsin
    always_online: true
oauth_config:
  scopes:
    bot:
      - chat:write
      - chat:write.public
      - channels:history
      - groups:history
      - channels:read
      - groups:read
      - channels:join
      - files:write
      - reactions:write
      - users:read
      - metadata.message:read
settings:
  interactivity:
    is_enabled: true
  org_deploy_enabled: false
  socket_mode_enabled: true
  token_rotation_enabled: false
`
