package config

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"tocsin/internal/duration"
)

var compareConfigs = cmp.Options{
	cmpopts.IgnoreUnexported(Config{}),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b Secret) bool { return a == b }),
}

func parseURLs(t *testing.T, texts ...string) []*url.URL {
	t.Helper()
	var urls []*url.URL
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u)
	}
	return urls
}

func TestTheExampleIsValidAndMeansWhatItSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	dir := filepath.Dir(path)
	write(t, path, Example())
	got, err := Load(path, environment("ES_API_KEY=id:key\nSLACK_BOT_TOKEN=xoxb-1\n"))
	if err != nil {
		t.Fatal(err)
	}
	root := Route{
		Channel:       "#alerts",
		GroupBy:       []string{"rule.name"},
		GroupWait:     10 * time.Second,
		GroupInterval: 5 * time.Minute,
		RateLimit:     Rate{Count: 6, Per: time.Minute},
	}
	sub := root
	sub.Match, sub.Channel, sub.OwnChannel, sub.GroupWait = "severity: critical", "#soc", true, 0
	root.Routes = []Route{sub}
	want := &Config{
		File:    path,
		Listen:  netip.MustParseAddrPort("127.0.0.1:7171"),
		Login:   Login{Session: 12 * time.Hour},
		DataDir: filepath.Join(dir, "tocsin-data"),
		Sources: []Source{{
			Name: "siem", Kind: Elasticsearch, URLs: parseURLs(t, "https://es1:9200", "https://es2:9200"),
			APIKey: "id:key", Indices: []string{"logs-*", "filebeat-*"}, SearchTimeout: 5 * time.Minute,
		}, {
			Name: "logs", Kind: Embedded, Store: Store{Retention: 90 * 24 * time.Hour, MaxBytes: 50e9, MinFree: 1 << 30},
		}},
		Detections: []Detection{{
			Name: "siem/default", Source: "siem", Space: "default", Poll: 5 * time.Second, Overlap: 10 * time.Minute,
			Since: Since{Back: 24 * time.Hour}, Sweep: 24 * time.Hour, KibanaURL: parseURLs(t, "https://kibana:5601")[0],
			Match: "severity: (high or critical) and not tags: test",
		}},
		Slack: &Slack{
			BotToken: "xoxb-1", Channel: "#alerts", APIURL: parseURLs(t, "https://slack.com/api/")[0],
			Pace: Rate{Count: 1, Per: time.Second}, InDoubt: Resend,
		},
		Route: root,
	}
	if diff := cmp.Diff(want, got, compareConfigs); diff != "" {
		t.Errorf("Load(Example()) (-want +got):\n%s", diff)
	}
}

func TestLeftOutKeysHaveTheDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	for name, text := range map[string]string{"empty": "", "comment": "# nothing\n", "null": "~\n", "marker": "---\n", "bom": "\ufeff# x\n"} {
		got, err := Parse(path, []byte(text), environment(""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := Default()
		want.File, want.DataDir = path, filepath.Join(filepath.Dir(path), "tocsin-data")
		if diff := cmp.Diff(want, got, compareConfigs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	got, err := Parse(path, []byte(`
sources: [{name: a, kind: opensearch, urls: [https://x/es]}, {name: e, kind: embedded}]
detections: [{source: a}]
slack: {webhook_url: https://hooks.slack.com/services/x}
`), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	wantDetection := Detection{
		Name: "a/default", Source: "a", Space: "default", Poll: 5 * time.Second, Overlap: 10 * time.Minute,
		Since: Since{Back: 24 * time.Hour}, Sweep: 24 * time.Hour,
	}
	if diff := cmp.Diff([]Detection{wantDetection}, got.Detections, compareConfigs); diff != "" {
		t.Errorf("detections (-want +got):\n%s", diff)
	}
	wantSlack := &Slack{
		WebhookURL: "https://hooks.slack.com/services/x", APIURL: parseURLs(t, "https://slack.com/api/")[0],
		Pace: Rate{Count: 1, Per: time.Second}, InDoubt: Resend,
	}
	if diff := cmp.Diff(wantSlack, got.Slack, compareConfigs); diff != "" {
		t.Errorf("slack (-want +got):\n%s", diff)
	}
}

func TestRoutesInheritWhatTheyLeaveOut(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte(`
slack: {bot_token: b, channel: "#a", pace: off}
route:
  group_by: ['...']
  group_wait: 1s
  group_interval: 2m
  repeat_interval: 3h
  rate_limit: off
  routes:
    - match: 'x: 1'
      channel: C0123
      repeat_interval: off
      rate_limit: 10/5m
      routes:
        - match: 'y: 1'
          group_by: [host.name, user.name]
        - group_by: []
`), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	inner := Route{Channel: "C0123", OwnChannel: true, GroupBy: []string{"..."}, GroupWait: time.Second, GroupInterval: 2 * time.Minute, RateLimit: Rate{10, 5 * time.Minute}}
	first, last, middle := inner, inner, inner
	first.Match, first.GroupBy = "y: 1", []string{"host.name", "user.name"}
	last.GroupBy = []string{}
	middle.Match, middle.Routes = "x: 1", []Route{first, last}
	want := Route{
		Channel: "#a", GroupBy: []string{"..."}, GroupWait: time.Second, GroupInterval: 2 * time.Minute,
		RepeatInterval: 3 * time.Hour, Routes: []Route{middle},
	}
	if diff := cmp.Diff(want, c.Route); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
	if !c.Slack.Pace.Off() || !c.Route.Ungrouped() || c.Route.Routes[0].Routes[0].Ungrouped() {
		t.Errorf("pace %v, root ungrouped %v, inner ungrouped %v", c.Slack.Pace, c.Route.Ungrouped(), c.Route.Routes[0].Routes[0].Ungrouped())
	}
}

func TestAWebhookHasOneChannel(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte(`
slack: {webhook_url: "https://hooks.slack.com/x", channel: "#label"}
route: {routes: [{match: 'a: b', channel: "#soc"}]}
`), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Route.Routes[0].Channel; got != "#label" {
		t.Errorf("channel of the route: %q, want #label", got)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Place.Line != 3 {
		t.Errorf("warnings: %v, want one on line 3", c.Warnings)
	}
}

func TestPathsAndSecretFilesAreRelativeToTheFile(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	write(t, "etc/key", "id:key\r\n\n")
	write(t, "etc/sub/token", "xoxb-1\n")
	write(t, "etc/tocsin.yaml", `
data_dir: ../data
rules_dir: rules
sources: [{name: a, kind: elasticsearch, urls: [https://x], api_key_file: "${KEY}"}]
slack: {bot_token_file: sub/token, app_token_file: `+filepath.Join(root, "etc/sub/token2")+`, channel: a}
`)
	write(t, "etc/sub/token2", "xapp-1")
	c, err := Load("etc/tocsin.yaml", environment("KEY=key"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.DataDir, c.RulesDir, c.Sources[0].APIKey.Reveal(), c.Slack.BotToken.Reveal(), c.Slack.AppToken.Reveal()}
	want := []string{"data", "etc/rules", "id:key", "xoxb-1", "xapp-1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAliasesAndMergesAreFollowed(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte(`
sources:
  - &one {name: a, kind: elasticsearch, urls: &u [https://x], username: u, password: !!str 5}
  - <<: *one
    name: b
    urls: *u
`), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	b := c.Source("b")
	if b == nil || b.Kind != Elasticsearch || len(b.URLs) != 1 || b.Password.Reveal() != "5" {
		t.Errorf("source b: %+v", b)
	}
	if c.Source("c") != nil {
		t.Error("source c was found")
	}
}

func TestPlaceIsThatOfTheKeyOrTheSectionAroundIt(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte("sources:\n  - name: a\n    kind: elasticsearch\n    urls: [https://x, https://y]\nslack: {bot_token: b, channel: c}\n"), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"sources[0].urls[1]": "tocsin.yaml:4:23",
		"sources[0].name":    "tocsin.yaml:2:11",
		"sources[0].ca_file": "tocsin.yaml:2:5",
		"sources[3]":         "tocsin.yaml:2:3",
		"slack.channel":      "tocsin.yaml:5:32",
		"route.group_by":     "tocsin.yaml:1:1",
	} {
		if got := c.Place(key).String(); got != want {
			t.Errorf("Place(%q) = %s, want %s", key, got, want)
		}
	}
	if got := Default().Place("listen").String(); got != "" {
		t.Errorf("without a file: %q", got)
	}
}

func TestAFileThatCannotBeReadIsAProblem(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	write(t, large, strings.Repeat("#", mostBytes+1))
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "none.yaml: cannot be read: no such file or directory",
		dir:                             "cannot be read: is a directory",
		large:                           "cannot be read: it is larger than 1 MiB",
		"":                              "is empty",
	} {
		_, err := Load(path, nil)
		var problems *Problems
		if !asProblems(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q): %v, want it to say %q", path, err, want)
		}
	}
}

func TestNilEnvIsTheProcessEnvironment(t *testing.T) {
	t.Setenv("TOCSIN_CONFIG_TEST", "somewhere")
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	write(t, path, "rules_dir: /${TOCSIN_CONFIG_TEST}\n")
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.RulesDir != "/somewhere" {
		t.Errorf("rules_dir %q", c.RulesDir)
	}
}

// TestEveryKeyIsDocumented reads a file that has every section and asks the reader which keys it
// looked for.
func TestEveryKeyIsDocumented(t *testing.T) {
	reference, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	known := everyKey(t)
	if len(known["sources[]"]) < 13 || len(known["slack"]) < 10 {
		t.Fatalf("the reader knows only %v", known)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(reference)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "#### `"); ok {
			documented[strings.TrimSuffix(name, "`")] = true
		}
	}
	for section, names := range known {
		for _, name := range names {
			key := join(section, name)
			if !documented[key] {
				t.Errorf("docs/configuration.md has no heading for %s", key)
			}
			delete(documented, key)
		}
	}
	for key := range documented {
		t.Errorf("docs/configuration.md describes %s, which is not a key", key)
	}
}

// everyKey is what the reader asks for in each section.
func everyKey(t *testing.T) map[string][]string {
	t.Helper()
	d := &decoder{file: "tocsin.yaml", env: environment(""), places: map[string]Place{}}
	root, ok := d.parse([]byte(`
sources: [{name: a, kind: elasticsearch, urls: [https://x]}]
detections: [{source: a}]
slack: {bot_token: a, channel: b}
notify: [{name: w, kind: webhook, url: https://x}, {name: p, kind: pagerduty, routing_key: k}, {name: m, kind: email, host: h, from: a@x, to: [b@x]}]
time_intervals: [{name: n, time_intervals: [{times: [{start_time: "1:00", end_time: "2:00"}]}]}]
maintenance_windows: [{name: m, time_intervals: [n]}]
inhibit_rules: [{source_match: 'a: b', target_match: 'a: c'}]
digests: [{every: weekly}]
retention: {alerts: 90d}
route: {channel_from: {field: team, allow: ["#a"]}, escalation: [{after: 30m, mention: ["@here"]}], routes: [{match: 'a: b', channel_from: {field: team, allow: ["#a"]}, escalation: [{after: 30m, mention: ["@here"]}]}]}
write_back: {source: a}
login: {oidc: {issuer: https://x, client_id: a, client_secret: b, redirect_url: https://x/login/oidc/return, roles: {admin: [a]}}}
`))
	if !ok {
		t.Fatal(d.problems)
	}
	d.config(root, Default(), "", nil)
	if len(d.problems) > 0 {
		t.Fatal(d.problems)
	}
	return d.known
}

// TestDocumentedDefaultsAreTheDefaults compares "default `x`" under a key's heading with what the
// reader gives for a file that leaves the key out.
func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	reference, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse("tocsin.yaml", []byte("sources: [{name: a, kind: elasticsearch, urls: [https://x]}]\ndetections: [{source: a}]\nslack: {bot_token: a, channel: b}\n"), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	detection, slack, route, store := c.Detections[0], c.Slack, c.Route, Default().Embedded().Store
	if store.Retention != 0 || store.MaxBytes != 0 {
		t.Errorf("retention and max_size are %v, documented as off", store)
	}
	for key, is := range map[string]any{
		"listen":                   c.Listen.String(),
		"data_dir":                 "./" + c.DataDir,
		"login.session":            c.Login.Session,
		"sources[].min_free":       FormatSize(store.MinFree),
		"sources[].search_timeout": c.Sources[0].SearchTimeout,
		"detections[].space":       detection.Space,
		"detections[].poll":        detection.Poll,
		"detections[].overlap":     detection.Overlap,
		"detections[].sweep":       detection.Sweep,
		"detections[].since":       detection.Since.Back,
		"slack.api_url":            slack.APIURL.String(),
		"slack.pace":               slack.Pace.String(),
		"slack.in_doubt":           string(slack.InDoubt),
		"route.group_by":           "[" + strings.Join(route.GroupBy, ", ") + "]",
		"route.group_wait":         route.GroupWait,
		"route.group_interval":     route.GroupInterval,
		"route.repeat_interval":    "off",
		"route.rate_limit":         route.RateLimit.String(),
	} {
		_, under, ok := strings.Cut(string(reference), "#### `"+key+"`\n")
		under, _, _ = strings.Cut(under, "####")
		_, after, found := strings.Cut(under, "default `")
		said, _, _ := strings.Cut(after, "`")
		if !ok || !found {
			t.Errorf("%s: no default is documented", key)
			continue
		}
		if d, ok := is.(time.Duration); ok {
			if documented, err := duration.Parse(said); err != nil || documented != d {
				t.Errorf("%s: the default is documented as %s and is %s", key, said, duration.Format(d))
			}
		} else if said != is {
			t.Errorf("%s: the default is documented as %s and is %s", key, said, is)
		}
	}
	if route.RepeatInterval != 0 {
		t.Errorf("repeat_interval is %s, documented as off", route.RepeatInterval)
	}
}

func TestValuesAreTakenAsTheyAreMeant(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/problems/valid.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	c, err := Parse("tocsin.yaml", []byte(files["tocsin.yaml"]), environment(files["env"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ key, got, want string }{
		{"listen", c.Listen.String(), "[::1]:0"},
		{"data_dir", c.DataDir, "$HOME and ${HOME}"},
		{"cloud_id", c.Sources[0].CloudID, "my:deployment:ZXhhbXBsZS5jb20kYWJjJGRlZg=="},
		{"ca_fingerprint", c.Sources[0].CAFingerprint, strings.Repeat("aabbccddeeff00112233445566778899", 2)},
		{"urls", c.Sources[1].URLs[0].String(), "https://es.example.com:9200/base/"},
		{"password", c.Sources[1].Password.Reveal(), "hush $word ${not} looked into"},
		{"proxy_url", c.Sources[1].ProxyURL.String(), "socks5://u:hush@proxy:1080"},
		{"poll", c.Detections[0].Poll.String(), "5s"},
		{"name", c.Detections[0].Name, "My.logs/x"},
		{"kibana_url", c.Detections[1].KibanaURL.String(), "http://kibana/base"},
		{"api_url", c.Slack.APIURL.String(), "http://127.0.0.1:8080/api/"},
		{"in_doubt", string(c.Slack.InDoubt), "drop"},
	} {
		if v.got != v.want {
			t.Errorf("%s is %q, want %q", v.key, v.got, v.want)
		}
	}
	if c.Detections[0].Since != (Since{}) || c.Detections[1].Since != (Since{All: true}) {
		t.Errorf("since: %+v and %+v, want now and all", c.Detections[0].Since, c.Detections[1].Since)
	}
	if c.Route.GroupBy == nil || len(c.Route.GroupBy) != 0 || c.Route.GroupWait != 0 || c.Route.RepeatInterval != 24*time.Hour {
		t.Errorf("route: %+v", c.Route)
	}
}

func TestWhatARouteBelowTheRootSaysItselfIsKnown(t *testing.T) {
	c, err := Parse("tocsin.yaml", []byte(`
slack: {bot_token: b, channel: "#a"}
route:
  channel_from: {field: team, allow: ["#pay"]}
  routes:
    - match: 'a: 1'
    - match: 'b: 1'
      channel: "#a"
      routes: [{match: 'c: 1'}]
    - match: 'd: 1'
      channel_from: {field: site, allow: ["#hq"]}
`), environment(""))
	if err != nil {
		t.Fatal(err)
	}
	root := c.Route
	for i, test := range []struct {
		route         Route
		channel, from bool
	}{
		{root, false, false}, {root.Routes[0], false, false}, {root.Routes[1], true, false}, {root.Routes[1].Routes[0], true, false}, {root.Routes[2], false, true},
	} {
		if test.route.OwnChannel != test.channel || test.route.OwnChannelFrom != test.from {
			t.Errorf("route %d: channel of its own %v, channel_from %v", i, test.route.OwnChannel, test.route.OwnChannelFrom)
		}
	}
}
