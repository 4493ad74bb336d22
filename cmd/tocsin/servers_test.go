package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/testkit"
)

// realDocuments reads Kibana's real documents and multiplies them: each copy has an id and a time of its own.
func realDocuments(t *testing.T, copies int) []demo.Detection {
	t.Helper()
	dir, ok := testkit.Documents(t)
	if !ok {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "kibana-alerts", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in %s: %v", dir, err)
	}
	var out []demo.Detection
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var hit struct {
			ID     string         `json:"_id"`
			Source map[string]any `json:"_source"`
		}
		if err := json.Unmarshal(b, &hit); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for n := range copies {
			id := hit.ID
			if n > 0 {
				id = fmt.Sprintf("%s%04d", hit.ID[:60], n)
				hit.Source["@timestamp"] = time.Now().Add(-time.Duration(n) * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
				if hit.Source["kibana.alert.uuid"] != nil {
					hit.Source["kibana.alert.uuid"] = id
				}
			}
			source, err := json.Marshal(hit.Source)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, demo.Detection{ID: id, Source: source})
		}
	}
	return out
}

// The whole way on real servers: detections of every shape, behind the aliases that a Kibana of the
// server's generation has, read with no more privileges than documented, posted to a Slack that loses
// answers, by a process that is killed now and then; then verified.
func TestRealServersToSlackOnceEach(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic8, testkit.Elastic7} {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			space := testkit.Unique("e2e")
			node.CleanUp(t, ".siem-signals-"+space)
			node.CleanUp(t, ".internal.alerts-security.alerts-"+space)
			old, fresh := ".siem-signals-"+space+"-000001", ".internal.alerts-security.alerts-"+space+"-000001"
			create := func(index, kibana string, aliases ...string) {
				body := demo.DetectionsIndex(kibana, 3)
				names := map[string]any{}
				for _, a := range aliases {
					names[a+space] = map[string]any{}
				}
				body["aliases"] = names
				node.Ask(t, "PUT", "/"+index, body, nil)
			}
			create(old, "7.17", ".siem-signals-", ".alerts-security.alerts-")
			create(fresh, "8.19", ".siem-signals-", ".alerts-security.alerts-")

			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			dice := rand.New(rand.NewPCG(seed, 7))
			made := demo.NewDetections(seed)
			ids := map[string]bool{}
			put := func(of ...demo.Detection) {
				var lines [][]byte
				for _, d := range of {
					index := fresh
					if strings.Contains(string(d.Source), `"signal":{`) {
						index = old
					}
					lines = append(lines, fmt.Appendf(nil, `{"create":{"_index":%q,"_id":%q}}`, index, d.ID), d.Source)
					ids[d.ID] = true
				}
				node.Bulk(t, lines...)
			}
			var first []demo.Detection
			for _, version := range []string{"7.6.2", "7.17.6", "8.1.0", "8.19.0", "9.1.0"} {
				for _, of := range demo.DetectionKinds(version) {
					if of != demo.BlockDetection {
						first = append(first, made.Make(version, of, time.Now().Add(-time.Duration(dice.IntN(3600))*time.Second)))
					}
				}
			}
			put(first...)
			if documents := realDocuments(t, 40); documents != nil {
				put(documents...)
			}

			s := newStage(t, node.URL, demo.SlackOptions{Chances: chances(), Seed: seed})
			s.login(t, node, space)
			out, err := exec.Command(testkit.Binary(t), "check", "--config", s.config).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "would take in") {
				t.Fatalf("check: %v\n%s", err, out)
			}
			for range 5 {
				p := testkit.Serve(t, s.config)
				time.Sleep(time.Duration(200+dice.IntN(1200)) * time.Millisecond)
				p.Kill()
				put(made.Make("8.19.0", demo.QueryDetection, time.Now()), made.Make("7.17.6", demo.QueryDetection, time.Now()))
			}
			p := testkit.Serve(t, s.config)
			alerts := settled(t, p, ids)
			account(t, s, alerts, maps.Clone(ids))

			out, err = exec.Command(testkit.Binary(t), "verify", "--since", "5000d", "--config", s.config).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "nothing is missing, nothing is doubled") {
				t.Errorf("verify: %v\n%s", err, out)
			}
			if took := p.Stop(); took > 5*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			out, err = exec.Command(testkit.Binary(t), "alerts", "list", "--config", s.config).Output() // now without the process
			if got := strings.Count(string(out), "\n"); err != nil || got != len(ids) {
				t.Errorf("alerts list: %d lines, want %d: %v\n%.500s", got, len(ids), err, out)
			}
		})
	}
}

// login writes into the configuration how a node is asked, and the space. Where the node has API keys it
// is one that may do what docs/least-privilege.md says and nothing else.
func (s *stage) login(t *testing.T, node testkit.Node, space string) {
	t.Helper()
	b, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	extra := ""
	if node.Username != "" {
		key, _ := node.APIKey(t, map[string]any{"indices": []any{map[string]any{
			"names":      []string{".alerts-security.alerts-" + space, ".internal.alerts-security.alerts-" + space + "-*", ".siem-signals-" + space + "*"},
			"privileges": []string{"read", "view_index_metadata"}, "allow_restricted_indices": false,
		}}})
		extra = fmt.Sprintf("    api_key: %q\n    ca_file: %q\n", key, node.CAFile)
	}
	text := strings.Replace(string(b), "detections:", extra+"detections:", 1)
	text = strings.Replace(text, "    since: all", "    since: all\n    space: "+space, 1)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A Kibana that changes what it wrote: one message, edited in place.
func TestChangesInPlaceEditTheMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program: make test runs it")
	}
	cluster := demo.NewCluster(demo.ClusterOptions{})
	server := httptest.NewServer(cluster)
	t.Cleanup(server.Close)
	s := newStage(t, server.URL, demo.SlackOptions{})
	d := demo.NewDetections(1).Make("8.19.0", demo.SuppressedDetection, time.Now())
	if err := cluster.Put(d); err != nil {
		t.Fatal(err)
	}
	p := testkit.Serve(t, s.config)
	settled(t, p, map[string]bool{d.ID: true})
	now := time.Now().Add(time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
	if err := cluster.Change(d.Index, d.ID, map[string]any{"kibana.alert.suppression.docs_count": 4711, "kibana.alert.last_detected": now}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		m := s.slack.Messages("alerts")
		if len(m) == 1 && len(m[0].Edits) == 1 && strings.Contains(m[0].Text, "4,712") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the message was not edited: %d messages\n%s", len(m), p.Log())
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.Stop()
}
