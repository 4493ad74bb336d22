package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/testkit"
)

// TestBrowser drives Chromium through the pages of a real process and a stand-in for Slack, once with the embedded
// engine and once with a real cluster as the source. scripts/browser has what is done there.
func TestBrowser(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		packages := testkit.Browser(t)
		slack := standInSlack(t)
		p := testkit.Serve(t, browserConfig(t, "  - {name: logs, kind: embedded}\n", slack, ""))
		bulk := p.URL + "logs/_bulk?refresh=true"
		takeIn(t, bulk, browserEvents(time.Now()))
		drive(t, p, packages, topScripts(t), "TOCSIN_BULK="+bulk, "TOCSIN_SLACK="+slack+"/said")
	})
	t.Run("OpenSearch", func(t *testing.T) {
		packages := testkit.Browser(t)
		node := testkit.Server(t, testkit.OpenSearch)
		slack := standInSlack(t)
		index := fmt.Sprintf("browser-%06d", time.Now().UnixNano()/1000%1_000_000)
		node.Ask(t, http.MethodPut, "/"+index, browserMapping, nil)
		t.Cleanup(func() { node.Ask(t, http.MethodDelete, "/"+index, nil, nil) })
		bulk := node.URL + "/" + index + "/_bulk?refresh=true"
		takeIn(t, bulk, browserEvents(time.Now()))
		source := fmt.Sprintf("  - {name: logs, kind: opensearch, urls: [%q], indices: [%q]}\n", node.URL, index)
		p := testkit.Serve(t, browserConfig(t, source, slack, ""))
		// How pages look and keep up to date does not depend on the source.
		drive(t, p, packages, topScripts(t, "pages.mjs", "live.mjs"), "TOCSIN_BULK="+bulk, "TOCSIN_SLACK="+slack+"/said")
	})
}

// TestBrowserLogin drives Chromium through pages that need a login: what each role may do, and sessions that end.
func TestBrowserLogin(t *testing.T) {
	packages := testkit.Browser(t)
	slack := standInSlack(t)
	config := browserConfig(t, "  - {name: logs, kind: embedded}\n", slack, "login: {required: true}\n")
	p := testkit.Serve(t, config)
	for _, role := range []string{"admin", "editor", "viewer"} {
		cmd := exec.CommandContext(t.Context(), testkit.Binary(t), "users", "add", role+"-1", "--role", role, "--config", config)
		cmd.Stdin = strings.NewReader(browserPassword + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make the %s: %v\n%s", role, err, out)
		}
	}
	scripts, err := filepath.Glob(filepath.Join(testkit.Root(t), "scripts", "browser", "login", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	drive(t, p, packages, scripts, "TOCSIN_PASSWORD="+browserPassword)
}

// browserPassword is that of every user of TestBrowserLogin.
const browserPassword = "correct horse battery"

// browserMapping gives the fields of the events the types that ECS has.
const browserMapping = `{"mappings": {"properties": {
	"@timestamp": {"type": "date"}, "message": {"type": "match_only_text"}, "source": {"properties": {"ip": {"type": "ip"}}},
	"event": {"properties": {"action": {"type": "keyword"}, "outcome": {"type": "keyword"}}},
	"user": {"properties": {"name": {"type": "keyword"}}}, "host": {"properties": {"name": {"type": "keyword"}}}}}}`

// standInSlack serves Slack's API, and at /said what was said there.
func standInSlack(t *testing.T) (address string) {
	t.Helper()
	slack := demo.NewSlack(demo.SlackOptions{})
	mux := http.NewServeMux()
	mux.Handle("/", slack)
	mux.HandleFunc("GET /said", func(w http.ResponseWriter, _ *http.Request) {
		said := []string{}
		for _, m := range slack.Messages("") {
			b, err := json.Marshal(m)
			if err != nil {
				t.Error(err)
			}
			said = append(said, string(b))
		}
		if err := json.NewEncoder(w).Encode(said); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// browserConfig writes a configuration with these sources, and says each alert at once.
func browserConfig(t *testing.T, sources, slack, more string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tocsin.yaml")
	text := "listen: 127.0.0.1:0\ndata_dir: data\nsources:\n" + sources +
		`slack: {bot_token: xoxb-demo, channel: "#alerts", api_url: ` + slack + `/api/, pace: "off"}` + "\nroute: {group_by: ['...'], group_wait: 0s, rate_limit: \"off\"}\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// takeIn sends documents to the address of a _bulk.
func takeIn(t *testing.T, bulk string, lines [][]byte) {
	t.Helper()
	var body bytes.Buffer
	for _, line := range lines {
		fmt.Fprintf(&body, "{\"create\":{}}\n%s\n", line)
	}
	resp, err := http.Post(bulk, "application/x-ndjson", &body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close() //nolint:errcheck // nothing is read of it
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("take in the events: %s", resp.Status)
	}
}

// topScripts are those that a process without a login is driven with, but some.
func topScripts(t *testing.T, but ...string) []string {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(testkit.Root(t), "scripts", "browser", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	but = append(but, "browser.mjs", "server.mjs") // which the others share
	return slices.DeleteFunc(scripts, func(path string) bool { return slices.Contains(but, filepath.Base(path)) })
}

// drive runs scripts of tests against a process. TOCSIN_BROWSER_ONLY is a pattern of the tests to run, as Node has it.
func drive(t *testing.T, p *testkit.Process, packages string, scripts []string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	args := []string{"--test", "--test-concurrency=1", "--test-reporter=spec"}
	if only := os.Getenv("TOCSIN_BROWSER_ONLY"); only != "" {
		args = append(args, "--test-name-pattern="+only)
	}
	cmd := exec.CommandContext(ctx, "node", append(args, scripts...)...)
	cmd.Env = append(append(os.Environ(), "TOCSIN_URL="+p.URL, "TOCSIN_BROWSER_PACKAGES="+packages), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Log())
	}
}

// browserEvents are a day of logins, attacks on ann among them, the last of them now, and lines that are attacks on
// whoever shows them.
func browserEvents(now time.Time) (lines [][]byte) {
	users, hosts := []string{"ann", "bob", "carol", "deploy"}, []string{"web-1", "web-2", "db-1"}
	event := func(at time.Time, user, outcome, host, message string) {
		b, err := json.Marshal(message)
		if err != nil {
			panic(err) // a string is JSON
		}
		lines = append(lines, fmt.Appendf(nil, `{"@timestamp":%q,"event":{"action":"ssh_login","outcome":%q},"user":{"name":%q},"source":{"ip":"203.0.113.%d"},"host":{"name":%q},"message":%s}`,
			at.UTC().Format("2006-01-02T15:04:05.000Z"), outcome, user, len(lines)%40+1, host, b))
	}
	for i := range 720 {
		user, outcome := users[i%len(users)], "success"
		if i%5 == 0 {
			outcome = "failure"
		}
		event(now.Add(-time.Duration(i)*2*time.Minute), user, outcome, hosts[i%len(hosts)], outcome+" for "+user)
	}
	for _, ago := range []time.Duration{11 * time.Hour, 5 * time.Hour, 0} {
		for i := range 40 {
			event(now.Add(-ago-time.Duration(i)*2*time.Second), "ann", "failure", "web-1", fmt.Sprintf("Failed password for ann, try %d", i))
		}
	}
	for i, message := range []string{`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `{{constructor.constructor('alert(1)')()}}`, `javascript:alert(1)`} {
		event(now.Add(-time.Duration(i)*time.Second), "mallory", "success", `<b>db-1</b>`, message)
	}
	return lines
}
