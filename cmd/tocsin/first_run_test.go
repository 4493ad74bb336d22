package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

// TestFirstRun goes through the first steps in Chromium, with a real process that has nothing but an address, a real
// cluster and a stand-in for Slack; scripts/browser/first has what is done there.
func TestFirstRun(t *testing.T) {
	packages := testkit.Browser(t)
	node := testkit.Server(t, testkit.OpenSearch)
	slack := standInSlack(t)
	index := fmt.Sprintf("logs-%06d", time.Now().UnixNano()/1000%1_000_000)
	takeIn(t, node.URL+"/"+index+"/_bulk?refresh=true", browserEvents(time.Now()))
	t.Cleanup(func() { node.Ask(t, http.MethodDelete, "/"+index, nil, nil) })

	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(config, []byte("listen: 127.0.0.1:0\ndata_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.Serve(t, config)
	script := filepath.Join(testkit.Root(t), "scripts", "browser", "first", "first_run.mjs")
	drive(t, p, packages, []string{script}, "TOCSIN_SLACK="+slack+"/said", "TOCSIN_SLACK_API="+slack+"/api/", "TOCSIN_OPENSEARCH="+node.URL, "TOCSIN_INDEX="+index)
}
