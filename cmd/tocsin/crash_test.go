package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/testkit"
)

// stage is a cluster, a Slack and a configuration between them.
type stage struct {
	slack  *demo.Slack
	config string
}

// yaml is the configuration of the crash tests: every alert a message, and no limits.
const yaml = `
listen: 127.0.0.1:0
data_dir: ./data
sources:
  - name: siem
    kind: elasticsearch
    urls: [%s]
detections:
  - source: siem
    poll: 200ms
    since: all
slack:
  bot_token: xoxb-demo
  channel: "#alerts"
  api_url: %s/api/
  pace: "off"
route:
  group_by: ['...']
  group_wait: 0s
  rate_limit: "off"
`

func newStage(t *testing.T, cluster string, opts demo.SlackOptions) *stage {
	t.Helper()
	s := &stage{slack: demo.NewSlack(opts), config: filepath.Join(t.TempDir(), "tocsin.yaml")}
	server := httptest.NewServer(s.slack)
	t.Cleanup(server.Close)
	if err := os.WriteFile(s.config, fmt.Appendf(nil, yaml, cluster, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// list reads all alerts of a running tocsin.
func list(t *testing.T, p *testkit.Process) []map[string]any {
	t.Helper()
	var got struct {
		Alerts []map[string]any `json:"alerts"`
	}
	p.Get("/api/v1/alerts", &got)
	return got.Alerts
}

// settled waits until every one of the ids has a fate that is not pending, and returns the alerts.
func settled(t *testing.T, p *testkit.Process, ids map[string]bool) []map[string]any {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		alerts := list(t, p)
		pending := 0
		for _, a := range alerts {
			if a["fate"] == "pending" {
				pending++
			}
		}
		if len(alerts) >= len(ids) && pending == 0 {
			return alerts
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d alerts are seen and %d are pending\n%s", len(alerts), len(ids), pending, p.Log())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// account checks that every id was seen once and said in a message of its own, and that Slack holds
// these messages and no other.
func account(t *testing.T, s *stage, alerts []map[string]any, ids map[string]bool) {
	t.Helper()
	for key, n := range s.slack.Keys() {
		if n != 1 {
			t.Errorf("delivery key %s was said %d times", key, n)
		}
	}
	byTS := map[string]string{}
	for _, a := range alerts {
		id := a["source_id"].(string)
		if !ids[id] {
			t.Errorf("alert %s is not of the cluster, or stands twice in the ledger", id)
		}
		delete(ids, id)
		ts, _ := a["message_ts"].(string)
		if a["fate"] != "sent" || ts == "" || byTS[ts] != "" {
			t.Errorf("alert %s is %v with message %q (of %q too): %v", id, a["fate"], ts, byTS[ts], a["reason"])
		}
		byTS[ts] = id
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		t.Errorf("alert %s was lost", id)
	}
	for _, m := range s.slack.Messages("") {
		if byTS[m.TS] == "" {
			t.Errorf("message %s in Slack is no alert's", m.TS)
		}
	}
}

// chances are the ways in which Slack's answers get lost.
func chances() []demo.SlackChance {
	post := []string{"chat.postMessage"}
	return []demo.SlackChance{
		{P: 0.03, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackDrop, Stored: true}},
		{P: 0.02, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackReset, Stored: true}},
		{P: 0.01, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackHTML, Stored: true}},
		{P: 0.01, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackCutOff, Stored: true}},
		{P: 0.01, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackDrop}},
		{P: 0.01, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackLimited, RetryAfter: 1}},
		{P: 0.005, Methods: post, Fault: demo.SlackFault{Kind: demo.SlackLimited, RetryAfter: 1, Stored: true}},
		{P: 0.05, Methods: []string{"conversations.history"}, Fault: demo.SlackFault{Kind: demo.SlackDrop}},
	}
}

func TestFiftyKillsLoseNothingAndDoubleNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute: make test runs it")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	cluster := demo.NewCluster(demo.ClusterOptions{Seed: seed})
	server := httptest.NewServer(cluster)
	t.Cleanup(server.Close)
	s := newStage(t, server.URL, demo.SlackOptions{Chances: chances(), Seed: seed})
	made := demo.NewDetections(seed)
	ids := map[string]bool{}
	add := func(n int) {
		for range n {
			d := made.Make("8.19.0", demo.QueryDetection, time.Now())
			if err := cluster.Put(d); err != nil {
				t.Fatal(err)
			}
			ids[d.ID] = true
		}
	}
	for range 50 {
		add(dice.IntN(40))
		p := testkit.Serve(t, s.config)
		time.Sleep(time.Duration(dice.IntN(900)) * time.Millisecond)
		p.Kill()
	}
	add(5)
	p := testkit.Serve(t, s.config)
	alerts := settled(t, p, maps.Clone(ids))
	account(t, s, alerts, ids)
	if took := p.Stop(); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if strings.Contains(p.Log(), "xoxb-") {
		t.Error("the log holds the bot token")
	}
}
