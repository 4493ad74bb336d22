package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWith(t *testing.T) {
	const file = "# of git\nlisten: 127.0.0.1:0\nroute: {group_wait: 1s}"
	for _, c := range []struct {
		name, file string
		sections   []Section
		sources    []string // names
		token      string   // of Slack
		problems   string
	}{
		{name: "nothing set", file: file, sources: []string{"embedded"}},
		{
			name: "set in the browser", file: file, sources: []string{"logs", "siem"}, token: "xoxb-1",
			sections: []Section{
				{Name: "sources", Text: "sources:\n- {name: logs, kind: embedded}\n- {name: siem, kind: opensearch, urls: ['https://a:9200']}\n"},
				{Name: "slack", Text: "slack:\n  bot_token: '[secret]'\n  channel: '#a'\n", Secrets: map[string]string{"slack.bot_token": "xoxb-1"}},
			},
		},
		{
			name: "the file wins", file: "sources: [{name: git, kind: embedded}]", sources: []string{"git"},
			sections: []Section{{Name: "sources", Text: "sources: [{name: other, kind: embedded}]"}},
		},
		{
			name: "a section may name what the file has", file: "sources: [{name: siem, kind: opensearch, urls: ['https://a:9200']}]", sources: []string{"siem"},
			sections: []Section{{Name: "detections", Text: "detections: [{source: siem}]"}},
		},
		{
			name: "places in the file and in sections", file: file + "\nnonsense: 1\n",
			sections: []Section{
				{Name: "sources", Text: "sources:\n- name: siem\n  kind: opensearch\n  urls: [ftp://a]\n  password_file: /etc/shadow\n  username: ${USER}\n"},
				{Name: "detections", Text: "detections:\n- source: seim\n"},
				{Name: "slack", Text: "slack:\n  bot_token: '[secret]'\n  channel: '#a'\n"},
			},
			problems: `tocsin.yaml:4:1: "nonsense"
settings/sources:4:10: sources[0].urls[0]
settings/sources:5:3: sources[0].password_file
settings/sources:6:13: sources[0].username
settings/slack:2:14: slack.bot_token
`,
		},
		{
			name: "not YAML", file: file, sections: []Section{{Name: "slack", Text: "slack:\n  a: b: c\n"}},
			problems: "settings/slack:2:",
		},
		{
			name: "another key", file: file, sections: []Section{{Name: "slack", Text: "data_dir: /\n"}},
			problems: "settings/slack:1:1: data_dir does not belong",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, err := Parse("tocsin.yaml", []byte(c.file), environment("USER=root"))
			if c.problems == "" && err != nil {
				t.Fatal(err)
			}
			if err != nil { // the file alone is wrong: With is asked of what could be read
				base = &Config{File: "tocsin.yaml", text: []byte(c.file), env: environment("USER=root"), written: true}
			}
			got, err := base.With(c.sections)
			if c.problems != "" {
				var wrong *Problems
				if !errors.As(err, &wrong) {
					t.Fatalf("With: %v, want problems", err)
				}
				for want := range strings.Lines(c.problems) {
					if !strings.Contains(wrong.Error(), strings.TrimSpace(want)) {
						t.Errorf("%q is not among\n%v", want, wrong)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range got.Sources {
				names = append(names, s.Name)
			}
			if diff := cmp.Diff(c.sources, names); diff != "" {
				t.Error(diff)
			}
			token := ""
			if got.Slack != nil {
				token = got.Slack.BotToken.Reveal()
			}
			if token != c.token {
				t.Errorf("the token is %q", token)
			}
			if got.Listen != base.Listen || got.Route.GroupWait != base.Route.GroupWait {
				t.Error("what the file says is gone")
			}
		})
	}
}

func TestWithKeepsWhatWasSetOtherwise(t *testing.T) {
	base := Default()
	base.DataDir = "elsewhere"
	got, err := base.With([]Section{{Name: "slack", Text: "slack: {bot_token: xoxb-1, channel: '#a'}"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.DataDir != "elsewhere" || got.Slack == nil || got.Route.Channel != "#a" || base.Slack != nil {
		t.Errorf("got %+v", got)
	}
}

func TestCalendarsWindowsAndDigestsAreSetBesideTheFile(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte("slack: {bot_token: b, channel: \"#a\"}\ninhibit_rules: [{name: file, source_match: 'a: 1', target_match: 'b: 1'}]\n"), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	with, err := c.With([]Section{
		{Name: "time_intervals", Text: "time_intervals: [{name: nights, time_intervals: [{times: [{start_time: \"20:00\", end_time: \"24:00\"}]}]}]"},
		{Name: "maintenance_windows", Text: "maintenance_windows: [{name: patching, match: 'a: 1', time_intervals: [nights]}]"},
		{Name: "inhibit_rules", Text: "inhibit_rules: [{name: browser, source_match: 'a: 1', target_match: 'b: 1'}]"},
		{Name: "digests", Text: "digests: [{every: hourly}]"},
		{Name: "route", Text: "route: {routes: [{match: 'severity: low', mute_time_intervals: [nights]}]}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(with.TimeIntervals) != 1 || len(with.Maintenance) != 1 || len(with.Digests) != 1 || with.Digests[0].Channel != "#a" || len(with.Route.Routes[0].MuteTimeIntervals) != 1 {
		t.Errorf("%+v", with)
	}
	if len(with.Inhibit) != 1 || with.Inhibit[0].Name != "file" {
		t.Errorf("what the file sets does not win: %+v", with.Inhibit)
	}
	_, err = c.With([]Section{{Name: "maintenance_windows", Text: "maintenance_windows: [{name: patching, time_intervals: [none]}]"}})
	if err == nil || !strings.Contains(err.Error(), "settings/maintenance_windows:1:") {
		t.Errorf("a calendar there is not: %v", err)
	}
}
