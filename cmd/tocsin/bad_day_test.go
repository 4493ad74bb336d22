package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

// TestWhatIsWrongIsNamedPerRuleAndDisturbsNoOther: an index that is gone, one field with two types, a file that broke
// while it ran, more rows than a run may tell; a rule beside them goes on.
func TestWhatIsWrongIsNamedPerRuleAndDisturbsNoOther(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic8} {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			index, source := loginIndex(t, node, node.URL)
			gone, number := index+"-gone", index+"-number"
			keyword, date := map[string]any{"type": "keyword"}, map[string]any{"type": "date"}
			for name, user := range map[string]string{gone: "keyword", number: "long"} {
				node.Ask(t, "PUT", "/"+name, map[string]any{
					"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0},
					"mappings": map[string]any{"properties": map[string]any{
						"@timestamp": date, "event": map[string]any{"properties": map[string]any{"ingested": date, "action": keyword, "outcome": keyword}},
						"user": map[string]any{"properties": map[string]any{"name": map[string]any{"type": user}}},
					}},
				}, nil)
			}
			d := newDetection(t, source, "")
			rules := filepath.Join(filepath.Dir(d.config), "rules")
			put := func(name, text string) {
				t.Helper()
				next := filepath.Join(rules, "."+name)
				if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(next, filepath.Join(rules, name)); err != nil {
					t.Fatal(err)
				}
			}
			put("gone.yaml", fmt.Sprintf("name: Gone\nevery: 2s\nenabled: shadow\nindices: [%s]\nsearch: event.action:ssh_login\n", gone))
			put("types.yaml", fmt.Sprintf("name: Types\nevery: 2s\nenabled: shadow\nindices: [%s, %s]\nwindow: 5m\nsearch: event.action:ssh_login | count by user.name | search count > 2\n", index, number))
			put("storm.yaml", fmt.Sprintf("name: Storm\nevery: 2s\nenabled: shadow\nmax_alerts: 5\nindices: [%s]\nsearch: event.action:ssh_login and user.name:many\n", index))
			put("breaks.yaml", "name: Breaks\nevery: 2s\nenabled: shadow\nsearch: event.action:ssh_login and user.name:kept\n")
			count := func(rule string) (n int) {
				for _, a := range list(t, d.p) {
					if a["rule"] == rule {
						n++
					}
				}
				return n
			}
			until := func(what string, holds func() bool) {
				t.Helper()
				for deadline := time.Now().Add(90 * time.Second); !holds(); time.Sleep(300 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%s\n%s", what, d.p.Log())
					}
				}
			}
			listed := func() map[string]string {
				out, err := exec.Command(testkit.Binary(t), "rules", "list", "--config", d.config, "--format", "ndjson").Output()
				if err != nil {
					t.Fatal(err)
				}
				problems := map[string]string{}
				for line := range strings.Lines(string(out)) {
					var r struct{ Name, Problem string }
					if err := json.Unmarshal([]byte(line), &r); err != nil {
						t.Fatal(err)
					}
					problems[r.Name] = r.Problem
				}
				return problems
			}
			until("not all rules run", func() bool { return len(listed()) == 5 })
			time.Sleep(5 * time.Second) // their first runs
			putLogins(t, node, gone, attack("ann", time.Now(), 2))
			putLogins(t, node, index, append(attack("bob", time.Now(), 3), append(attack("kept", time.Now(), 1), attack("many", time.Now(), 9)...)...))
			putLogins(t, node, number, attack("7", time.Now(), 3))
			until("what was there at first is not found", func() bool { return count("Gone") == 2 && count("Types") == 3 && count("Breaks") == 1 })
			node.Ask(t, "DELETE", "/"+gone, nil, nil)
			put("breaks.yaml", "name: Breaks\nevery: 2s\nsearch: event.action:ssh_login and (user.name:kept\n")
			until("what is wrong is not named", func() bool {
				is := listed()
				return strings.Contains(is["Gone"], "it fails: ") && strings.Contains(is["Gone"], "no such index ["+gone+"]") &&
					strings.Contains(is["Breaks"], "breaks.yaml:3:") && is["Failed logins"] == ""
			})
			putLogins(t, node, index, append(attack("kept", time.Now(), 1), attack("eve", time.Now(), 11)...))
			d.said("eve")
			until("a rule whose file broke does not go on", func() bool { return count("Breaks") == 2 })
			put("breaks.yaml", "name: Breaks\nevery: 2s\nenabled: shadow\nsearch: event.action:ssh_login and user.name:(kept or new)\n")
			putLogins(t, node, index, attack("new", time.Now(), 1))
			until("a rule that was mended does not go on", func() bool { return count("Breaks") >= 3 && listed()["Breaks"] == "" })
			if n := count("Storm"); n != 9 { // all are kept, whatever the most of a run
				t.Errorf("%d alerts of a storm", n)
			}
		})
	}
}
