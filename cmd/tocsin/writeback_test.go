package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/testkit"
)

// written is a document that was written back, as far as the test looks at it.
type written struct {
	ID      string `json:"_id"`
	Version int    `json:"_version"`
	Source  struct {
		Kind   string   `json:"event.kind"`
		Rule   string   `json:"kibana.alert.rule.name"`
		Reason string   `json:"kibana.alert.reason"`
		Status string   `json:"kibana.alert.workflow_status"`
		Spaces []string `json:"kibana.space_ids"`
		Tocsin struct {
			Count int    `json:"count"`
			Last  string `json:"last"`
		} `json:"tocsin"`
	} `json:"_source"`
}

// TestAlertsOfARuleAreWrittenBackOnce follows a rule's alerts into the index in which Discover shows them: the process
// is killed between, and an alert that grows changes its one document.
func TestAlertsOfARuleAreWrittenBackOnce(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic8} {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			space := testkit.Unique("detect")
			node.CleanUp(t, "tocsin-alerts-"+space)
			index, source := loginIndex(t, node, node.URL)
			d := newDetection(t, source, "", fmt.Sprintf("write_back: {source: siem, space: %s}\n", space))
			there := func(n int, ready func([]written) bool) []written {
				t.Helper()
				deadline := time.Now().Add(time.Minute)
				for {
					var answer struct {
						Hits struct{ Hits []written }
					}
					node.Ask(t, "POST", "/tocsin-alerts-"+space+"*/_search?ignore_unavailable=true&version=true", map[string]any{"size": 100}, &answer)
					if hits := answer.Hits.Hits; len(hits) == n && ready(hits) || time.Now().After(deadline) {
						if len(hits) != n {
							t.Fatalf("%d documents, want %d: %+v\n%s", len(hits), n, hits, d.p.Log())
						}
						return hits
					}
					time.Sleep(200 * time.Millisecond)
				}
			}
			always := func([]written) bool { return true }
			ids := func(all []written) map[string]bool {
				out := map[string]bool{}
				for _, w := range all {
					out[w.ID] = true
				}
				return out
			}
			putLogins(t, node, index, attack("ann", time.Now(), 11))
			d.said("ann")
			first := there(1, always)[0]
			if got := first.Source; got.Kind != "signal" || got.Rule != "Failed logins" || got.Status != "open" || got.Tocsin.Count != 11 || len(got.Spaces) != 1 || got.Spaces[0] != space {
				t.Errorf("written back: %+v", first)
			}
			d.p.Kill()
			putLogins(t, node, index, append(attack("eve", time.Now(), 12), attack("ann", time.Now(), 3)...))
			d.p = testkit.Serve(t, d.config)
			d.said("ann", "eve")
			grown := func(all []written) bool {
				for _, w := range all {
					if w.ID == first.ID && w.Source.Tocsin.Count == 14 {
						return true
					}
				}
				return false
			}
			all := there(2, grown)
			if !grown(all) {
				t.Errorf("the alert that grew is not written anew: %+v", all)
			}
			want := map[string]bool{}
			for _, a := range list(t, d.p) {
				want[fmt.Sprint(a["id"])] = true
			}
			if diff := cmp.Diff(want, ids(all)); diff != "" {
				t.Errorf("ids of alerts and of documents: %s", diff)
			}
			d.restart()
			d.said("ann", "eve")
			time.Sleep(3 * time.Second)
			again := there(2, always)
			for _, w := range again {
				for _, before := range all {
					if w.ID == before.ID && w.Version != before.Version {
						t.Errorf("%s was written again without a change: %d, then %d", w.ID, before.Version, w.Version)
					}
				}
			}
		})
	}
}
