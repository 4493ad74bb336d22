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

// TestFirstRun goes through the first steps in Chromium, with a real process that has nothing but an address, a real
// cluster and a stand-in for Slack; scripts/browser/first has what is done there.
func TestFirstRun(t *testing.T) {
	packages := testkit.Browser(t)
	node := testkit.Server(t, testkit.OpenSearch)
	slack := demo.NewSlack(demo.SlackOptions{})
	mux := http.NewServeMux()
	mux.Handle("/api/", slack)
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

	index := fmt.Sprintf("logs-%06d", time.Now().UnixNano()/1000%1_000_000)
	var body bytes.Buffer
	for _, line := range browserEvents(time.Now()) {
		fmt.Fprintf(&body, "{\"create\":{}}\n%s\n", line)
	}
	ask := func(method, path string, body *bytes.Buffer) {
		t.Helper()
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, node.URL+"/"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close() //nolint:errcheck // nothing is read of it
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
	}
	ask(http.MethodPost, index+"/_bulk?refresh=true", &body)
	t.Cleanup(func() { ask(http.MethodDelete, index, &bytes.Buffer{}) })

	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(config, []byte("listen: 127.0.0.1:0\ndata_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.Serve(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", filepath.Join(testkit.Root(t), "scripts", "browser", "first", "first_run.mjs"))
	cmd.Env = append(os.Environ(), "TOCSIN_URL="+p.URL, "TOCSIN_SLACK="+server.URL+"/said", "TOCSIN_SLACK_API="+server.URL+"/api/",
		"TOCSIN_OPENSEARCH="+node.URL, "TOCSIN_INDEX="+index, "TOCSIN_BROWSER_PACKAGES="+packages)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Log())
	}
}
