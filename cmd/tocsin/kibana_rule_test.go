package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
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

// The rules that Kibana has too: one that looks at each event, one that counts.
const (
	shellUUID = "6f1d3c52-9f0e-4c5a-8a53-3d4b86a1f0c7"
	shellRule = `name: Shell of a web server, here
search: process.name:sh
source: logs
every: 1s
kibana: {uuid: ` + shellUUID + `, detections: siem/default}
`
	guessUUID = "0b0d6a0e-5a40-4d0e-9a0f-0d5f6f0f8a11"
	guessRule = `name: Guessing, here
search: event.action:ssh_login | count by user.name | search count > 2
source: logs
every: 1s
window: 1m
kibana: {uuid: ` + guessUUID + `, detections: siem/default}
`
)

// detectionOf is what Kibana writes of a rule, under an id, in the shape of 8.19.
func detectionOf(t *testing.T, made *demo.Detections, kind demo.DetectionKind, id, uuid, name string) demo.Detection {
	t.Helper()
	d := made.Make("8.19", kind, time.Now())
	var source map[string]any
	if err := json.Unmarshal(d.Source, &source); err != nil {
		t.Fatal(err)
	}
	source["kibana.alert.uuid"], source["kibana.alert.rule.uuid"], source["kibana.alert.rule.name"] = id, uuid, name
	body, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	d.ID, d.Source = id, body
	return d
}

// What Kibana and a rule here both find is one alert and one message, whoever is first; also over a crash.
func TestAnAlertOfKibanaAndOfARuleHereIsSaidOnce(t *testing.T) {
	cluster := demo.NewCluster(demo.ClusterOptions{})
	kibana := httptest.NewServer(cluster)
	t.Cleanup(kibana.Close)
	slack := demo.NewSlack(demo.SlackOptions{})
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "tocsin.yaml")
	for path, content := range map[string]string{
		"rules/shell.yaml": shellRule,
		"rules/guess.yaml": guessRule,
		"tocsin.yaml": `listen: 127.0.0.1:0
data_dir: data
rules_dir: rules
sources:
  - {name: siem, kind: elasticsearch, urls: ["` + kibana.URL + `"]}
  - {name: logs, kind: embedded, min_free: 64MiB}
detections: [{source: siem, since: all, poll: 500ms}]
slack: {bot_token: xoxb-demo, channel: "#alerts", api_url: ` + server.URL + `/api/, pace: "off"}
route: {group_by: ['...'], group_wait: 0s, rate_limit: "off"}
`,
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := testkit.Serve(t, config)
	ingest := func(ids []string, document string) {
		var body strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&body, "{\"create\":{\"_id\":%q}}\n", id)
			fmt.Fprintf(&body, document+"\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		resp, err := http.Post(p.URL+"web-000001/_bulk?refresh=true", "application/x-ndjson", strings.NewReader(body.String()))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only the status counts
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("bulk: %s", resp.Status)
		}
	}
	shell := func(id string) {
		ingest([]string{id}, `{"@timestamp":%q,"process":{"name":"sh"},"host":{"name":"web-1"}}`)
	}
	// Written out here again, so that the test agrees with Kibana and not with the program.
	idOf := func(event string) string {
		sum := sha256.Sum256([]byte("web-000001" + event + "undefined" + "default:" + shellUUID))
		return hex.EncodeToString(sum[:])
	}
	made := demo.NewDetections(5)
	forward := func(d demo.Detection) {
		if err := cluster.Put(d); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want int, what string, holds func(byID map[string]map[string]any) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			byID := map[string]map[string]any{}
			alerts := list(t, p)
			for _, a := range alerts {
				byID[fmt.Sprint(a["source_id"])] = a
			}
			if len(alerts) == want && len(byID) == want && holds(byID) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d alerts: %v\n%s", what, len(alerts), byID, p.Log())
			}
		}
	}
	rule := func(id, name string) func(map[string]map[string]any) bool {
		return func(byID map[string]map[string]any) bool {
			return byID[id]["rule"] == name && byID[id]["fate"] == "sent"
		}
	}
	const here, there = "Shell of a web server, here", "Shell of a web server, in Kibana"

	shell("e1") // found here first
	await(1, "e1 here", rule(idOf("e1"), here))
	forward(detectionOf(t, made, demo.QueryDetection, idOf("e1"), shellUUID, there))
	await(1, "e1 there", rule(idOf("e1"), there)) // Kibana's document goes before ours

	forward(detectionOf(t, made, demo.QueryDetection, idOf("e2"), shellUUID, there)) // forwarded first
	await(2, "e2 there", rule(idOf("e2"), there))
	shell("e2")
	shell("e3") // after it, so that e2 was judged when e3 is there
	await(3, "e3 here", rule(idOf("e3"), here))
	await(3, "e2 stays Kibana's", rule(idOf("e2"), there))
	p.Kill()
	p = testkit.Serve(t, config)

	// Kibana's ids of thresholds are of the moment: what it finds by the rule is excluded.
	ingest([]string{"g1", "g2", "g3"}, `{"@timestamp":%q,"event":{"action":"ssh_login"},"user":{"name":"ann"}}`)
	await(4, "the rule that counts", func(byID map[string]map[string]any) bool {
		for _, a := range byID {
			if a["rule"] == "Guessing, here" && a["fate"] == "sent" {
				return true
			}
		}
		return false
	})
	forward(detectionOf(t, made, demo.ThresholdDetection, "threshold", guessUUID, "Guessing, in Kibana"))
	await(5, "the threshold of Kibana", func(byID map[string]map[string]any) bool {
		a := byID["threshold"]
		return a["fate"] == "excluded" && strings.Contains(fmt.Sprint(a["reason"]), "Guessing, here")
	})
	posts := slices.DeleteFunc(slack.Messages(""), func(m demo.SlackMessage) bool { return m.ThreadTS != "" }) // pictures
	if len(posts) != 4 {
		t.Errorf("%d messages for 4 alerts", len(posts))
	}
	for key, n := range slack.Keys() {
		if n != 1 {
			t.Errorf("delivery key %s was said %d times", key, n)
		}
	}
}
