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
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/testkit"
)

// TestBrowser drives Chromium through the pages of a real process with the embedded engine, and a stand-in for
// Slack. scripts/browser has what is done there.
func TestBrowser(t *testing.T) {
	packages := testkit.Browser(t)
	slack := demo.NewSlack(demo.SlackOptions{})
	mux := http.NewServeMux()
	mux.Handle("/api/", slack)
	mux.HandleFunc("GET /said", func(w http.ResponseWriter, _ *http.Request) { // what was said, for the script to read
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
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := "listen: 127.0.0.1:0\ndata_dir: data\nsources:\n  - {name: logs, kind: embedded}\n" +
		`slack: {bot_token: xoxb-demo, channel: "#alerts", api_url: ` + server.URL + `/api/, pace: "off"}` + "\nroute: {group_by: ['...'], group_wait: 0s, rate_limit: \"off\"}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.Serve(t, config)
	var body bytes.Buffer
	for _, line := range browserEvents(time.Now()) {
		fmt.Fprintf(&body, "{\"create\":{}}\n%s\n", line)
	}
	resp, err := http.Post(p.URL+"logs/_bulk?refresh=true", "application/x-ndjson", &body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("take in the events: %s", resp.Status)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	scripts, err := filepath.Glob(filepath.Join(testkit.Root(t), "scripts", "browser", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--test", "--test-concurrency=1", "--test-reporter=spec"}
	for _, script := range scripts {
		if filepath.Base(script) != "browser.mjs" {
			args = append(args, script)
		}
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Env = append(os.Environ(), "TOCSIN_URL="+p.URL, "TOCSIN_SLACK="+server.URL+"/said", "TOCSIN_BROWSER_PACKAGES="+packages)
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
