package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/settings"
	"tocsin/internal/web"
)

// serving runs Serve with a configuration's text until the test ends, and gives its address.
func serving(t *testing.T, text string) (url string) {
	t.Helper()
	cfg, err := config.Parse("tocsin.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Options{Config: cfg, Version: "test", Log: slog.New(slog.DiscardHandler)}, func(a *App) error {
			begun <- a.URL()
			return nil
		})
	}()
	select {
	case url = <-begun:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	return url
}

// call asks the API; out may be nil.
func call(t *testing.T, method, url string, in, out any) int {
	t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.NewReader(string(b))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true // the next may be answered by the next App
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is read whole
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, answer)
		}
	}
	return resp.StatusCode
}

func set(t *testing.T, url, section, text string) {
	t.Helper()
	var out json.RawMessage
	if status := call(t, http.MethodPut, url+"api/v1/settings/"+section, map[string]string{"text": text}, &out); status != http.StatusOK {
		t.Fatalf("set %s: %d %s", section, status, out)
	}
}

// TestNothingIsLostWhileTheConfigurationChanges: detections come in without a pause while sources and Slack are
// connected and routes change again and again. Every detection is said once, and no connection is refused meanwhile.
func TestNothingIsLostWhileTheConfigurationChanges(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	slack := demo.NewSlack(demo.SlackOptions{Channels: []demo.SlackChannel{{Name: "alerts"}}})
	slackAt, stopSlack, err := standIn(quiet, slack)
	if err != nil {
		t.Fatal(err)
	}
	defer stopSlack()
	cluster := demo.NewCluster(demo.ClusterOptions{Seed: 1})
	clusterAt, stopCluster, err := standIn(quiet, cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer stopCluster()
	url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+t.TempDir())

	stop, refused := make(chan struct{}), make(chan error, 1)
	var answered atomic.Int64
	go func() { // a new connection each time, so that the listener itself is asked
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		for {
			select {
			case <-stop:
				refused <- nil
				return
			case <-time.After(time.Millisecond):
			}
			resp, err := c.Get(url + "healthz")
			if err != nil {
				refused <- err
				return
			}
			resp.Body.Close() //nolint:errcheck // nothing is read of it
			answered.Add(1)
		}
	}()

	made := demo.NewDetections(1)
	const rounds, each = 7, 10
	for i := range rounds {
		for range each {
			if err := cluster.Put(made.Make("8.19", demo.QueryDetection, time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		switch i {
		case 0:
			set(t, url, "sources", "sources:\n- {name: siem, kind: elasticsearch, urls: ['"+clusterAt.String()+"'], api_key: 'a:b'}\n")
			set(t, url, "slack", "slack: {bot_token: "+demo.DemoToken+", channel: '#alerts', api_url: '"+slackAt.String()+"/api/', pace: 'off'}\n")
			// What is forwarded before there is a channel is kept and not said.
		case 1:
			set(t, url, "detections", "detections:\n- {source: siem, poll: 100ms, since: all}\n")
		default:
			set(t, url, "route", fmt.Sprintf("route: {group_by: ['...'], group_wait: 0s, group_interval: %ds, rate_limit: 'off'}\n", i))
		}
	}
	var health struct {
		Alerts []struct {
			Fate alert.Fate `json:"fate"`
		} `json:"alerts"`
	}
	settled := func() (seen, waiting int) {
		call(t, http.MethodGet, url+"api/v1/alerts?limit=1000", nil, &health)
		for _, a := range health.Alerts {
			if a.Fate == alert.Pending {
				waiting++
			}
		}
		return len(health.Alerts), waiting
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		seen, waiting := settled()
		if seen == rounds*each && waiting == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d detections are there, %d wait", seen, rounds*each, waiting)
		}
	}
	close(stop)
	if err := <-refused; err != nil {
		t.Errorf("a connection was refused: %v", err)
	}
	if answered.Load() == 0 {
		t.Error("nobody was answered")
	}
	keys := map[string]bool{}
	for _, m := range slack.Messages("") {
		if keys[m.Key] {
			t.Errorf("said twice: %s", m.Text)
		}
		keys[m.Key] = true
	}
	for _, a := range health.Alerts {
		if a.Fate != alert.Sent && a.Fate != alert.Grouped {
			t.Errorf("an alert is %s", a.Fate)
		}
	}
}

func TestWhatIsWrongIsRefusedAndWhatHeldGoesOn(t *testing.T) {
	url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+t.TempDir())
	var refused struct {
		Problems []config.Problem `json:"problems"`
	}
	if status := call(t, http.MethodPut, url+"api/v1/settings/sources", map[string]string{"text": "sources:\n- name: siem\n  kind: elastic\n"}, &refused); status != http.StatusUnprocessableEntity {
		t.Fatalf("answered %d", status)
	}
	if len(refused.Problems) < 2 || refused.Problems[0].Place.File != "settings/sources" || refused.Problems[0].Place.Line == 0 {
		t.Errorf("problems are %+v", refused.Problems)
	}
	var sources struct {
		Sources []struct{ Name string } `json:"sources"`
	}
	call(t, http.MethodGet, url+"api/v1/sources", nil, &sources)
	if len(sources.Sources) != 1 || sources.Sources[0].Name != config.DefaultSource {
		t.Errorf("sources are %+v", sources)
	}
}

// TestARefusedChangeOfRoomsFallsBack: what cannot be made, though it could be read, leaves what held before.
func TestARefusedChangeOfRoomsFallsBack(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Parse("tocsin.yaml", []byte("listen: 127.0.0.1:0\ndata_dir: "+dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Instead: cfg, Why: io.ErrUnexpectedEOF})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	told := false
	for _, p := range a.health.Report().Parts {
		told = told || p.Name == settingsPart && strings.Contains(p.Error, "unexpected EOF")
	}
	if !told {
		t.Errorf("nothing tells why: %+v", a.health.Report())
	}
}

// TestPagesOfSettingsByRole: everybody sees how sources are, admins alone change connections.
func TestPagesOfSettingsByRole(t *testing.T) {
	s := serveWhole(t)
	page := func(role account.Role, method, path, form string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(s.URL(), "/")+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.tokens[role])
		r.Header.Set("Accept", "text/html")
		if form != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it is read whole
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, c := range []struct {
		method, path, form    string
		viewer, editor, admin int
	}{
		{"GET", "/", "", 303, 303, 303}, // to the first steps
		{"GET", "/welcome", "", 200, 200, 200},
		{"GET", "/welcome/events", "", 200, 200, 200},
		{"GET", "/sources", "", 200, 200, 200},
		{"GET", "/settings", "", 200, 200, 200},
		{"GET", "/sources/edit", "", 403, 403, 200},
		{"POST", "/sources/edit", "do=save&name=siem&kind=elasticsearch&auth=none", 403, 403, 422}, // it has no URL
		{"POST", "/settings", "do=text&section=route&text=route:+{group_wait:+no}&version=0", 403, 403, 422},
		{"POST", "/settings", "do=route&group_by=rule.name&group_wait=soon&group_interval=5m&rate_limit=6/m&version=0", 403, 403, 422},
		{"POST", "/welcome", "do=slack-test&how=token&channel=%23a", 403, 403, 422}, // it has no token
	} {
		for role, want := range map[account.Role]int{account.Viewer: c.viewer, account.Editor: c.editor, account.Admin: c.admin} {
			status, body := page(role, c.method, c.path, c.form)
			if status != want {
				t.Errorf("%s %s as %s: %d, want %d", c.method, c.path, role, status, want)
			}
			if role != account.Admin && c.method == "GET" && (strings.Contains(body, `href="/sources/edit`) || strings.Contains(body, `value="slack-test"`)) {
				t.Errorf("%s offers %s what only admins may", c.path, role)
			}
		}
	}
}

// TestASecretIsNeverShown: neither a page nor the API has it once it is set.
func TestASecretIsNeverShown(t *testing.T) {
	url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+t.TempDir())
	set(t, url, "slack", "slack: {bot_token: xoxb-hidden, channel: '#a', api_url: 'http://127.0.0.1:1/'}")
	set(t, url, "notify", "notify:\n- {name: hook, kind: webhook, url: 'https://example.com/hidden-url', secret: hidden-too}\n")
	for _, path := range []string{"settings", "welcome", "sources", "api/v1/settings", "api/v1/settings/slack", "api/v1/settings/notify", "api/v1/audit", "delivery"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close() //nolint:errcheck // it is read whole
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
		}
		if strings.Contains(string(b), "xoxb-hidden") || strings.Contains(string(b), "hidden-url") || strings.Contains(string(b), "hidden-too") {
			t.Errorf("%s shows a secret", path)
		}
		if path == "api/v1/audit" && strings.Count(string(b), "PUT /api/v1/settings/{section}") != 2 {
			t.Errorf("the log of changes has not who set what: %s", b)
		}
	}
}

// TestASourceIsTested: what a cluster tells, with the detections that could be forwarded, and what to do where none answers.
func TestASourceIsTested(t *testing.T) {
	cluster := demo.NewCluster(demo.ClusterOptions{Seed: 1})
	at, stop, err := standIn(slog.New(slog.DiscardHandler), cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+t.TempDir())
	var found web.SourceTest
	test := func(address string) {
		t.Helper()
		found = web.SourceTest{}
		text := "sources:\n- {name: siem, kind: elasticsearch, urls: ['" + address + "'], api_key: 'a:b'}\n"
		if status := call(t, http.MethodPost, url+"api/v1/sources/test", map[string]string{"name": "siem", "text": text}, &found); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	test("http://127.0.0.1:1")
	if found.OK || !strings.Contains(found.Error, "refused") || !strings.Contains(found.Hint, "Nothing listens there") {
		t.Errorf("of a closed port: %+v", found)
	}
	test(at.String())
	if found.Product != "elasticsearch" || found.Version == "" {
		t.Errorf("of a cluster: %+v", found)
	}
	for index, space := range map[string]string{
		".internal.alerts-security.alerts-default-000001": "default", ".siem-signals-red-team-000042": "red-team", ".alerts-security.alerts-a": "a", "other": "default",
	} {
		if got := spaceOf(index); got != space {
			t.Errorf("%s is of the space %q, want %q", index, got, space)
		}
	}
}

// TestCommandsKnowWhatIsSet: beside a process that serves, and without one.
func TestCommandsKnowWhatIsSet(t *testing.T) {
	cfg, err := config.Parse("tocsin.yaml", []byte("listen: 127.0.0.1:0\ndata_dir: "+t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := WithSettings(t.Context(), cfg); err != nil || got != cfg {
		t.Fatalf("of a directory without data: %v", err)
	}
	a, err := New(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	text := "sources:\n- {name: siem, kind: opensearch, urls: ['https://a:9200'], username: u, password: pw}\n"
	if _, err := a.settings.Put(t.Context(), settings.Change{Section: "sources", Text: text, Based: settings.AnyVersion}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, a.socket, a.web.Local()) }()
	known := func(when string) {
		t.Helper()
		got, err := WithSettings(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if one := got.Source("siem"); one == nil || one.Password.Reveal() != "pw" {
			t.Errorf("%s: sources are %+v", when, got.Sources)
		}
	}
	known("beside a process")
	stop()
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Fatal(err)
	}
	known("without a process")
	if status := func() int {
		url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+t.TempDir())
		return call(t, http.MethodGet, strings.TrimSuffix(url, "/")+settingsPath, nil, nil)
	}(); status != http.StatusNotFound {
		t.Errorf("the address that is not the socket answers %d", status)
	}
}

// TestWhatCannotBeMadeLeavesWhatHeld: a change that was kept and then cannot be put in place, as others can read the
// key, leaves the process serving by what held, and saying why; once that is mended the next change has all.
func TestWhatCannotBeMadeLeavesWhatHeld(t *testing.T) {
	dir := t.TempDir()
	url := serving(t, "listen: 127.0.0.1:0\ndata_dir: "+dir)
	set(t, url, "slack", "slack: {bot_token: xoxb-1, channel: '#a', api_url: 'http://127.0.0.1:1/'}")
	// told is what the settings' part says once it says that; the rooms of before may still answer at first.
	told := func(says func(string) bool) (said string) {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			var report struct {
				Parts []struct{ Name, Error string }
			}
			if call(t, http.MethodGet, url+"readyz", nil, &report) != http.StatusOK {
				continue
			}
			said = ""
			for _, p := range report.Parts {
				if p.Name == settingsPart {
					said = p.Error
				}
			}
			if says(said) {
				break
			}
		}
		return said
	}
	nothing := func(said string) bool { return said == "" }
	toMend := func(said string) bool { return strings.Contains(said, "chmod 600") }
	if said := told(nothing); !nothing(said) {
		t.Fatalf("before: %s", said)
	}
	key := filepath.Join(dir, settings.KeyName)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	set(t, url, "route", "route: {group_wait: 7s}")
	if said := told(toMend); !toMend(said) {
		t.Errorf("it says %q", said)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, url, "route", "route: {group_wait: 8s}")
	if said := told(nothing); !nothing(said) {
		t.Errorf("after it was mended: %s", said)
	}
}
