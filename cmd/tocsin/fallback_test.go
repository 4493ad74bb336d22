package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

const fallsBack = "timestamp_field: event.created\ntimestamp_fallback: '@timestamp'\n"

// created is a failed login that was made at one time and shipped at another, or of which only one time is known.
func created(user string, made, shipped time.Time, n int) []byte {
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	of := map[string]any{"action": "ssh_login", "outcome": "failure", "ingested": at(time.Now())}
	if !made.IsZero() {
		of["created"] = at(made)
	}
	b, err := json.Marshal(map[string]any{"@timestamp": at(shipped), "event": of, "user": map[string]any{"name": user}, "n": n})
	if err != nil {
		panic(err)
	}
	return b
}

// mixed are events of users at some time, of which every other one lacks the rule's time field. The other time of those
// that have it says nothing.
func mixed(user string, at time.Time, n int) (lines [][]byte) {
	for i := range n {
		when := at.Add(-time.Duration(n-i) * time.Second)
		if i%2 == 0 {
			lines = append(lines, created(user, when, when.Add(-3*time.Hour), i))
		} else {
			lines = append(lines, created(user, time.Time{}, when, i))
		}
	}
	return lines
}

// fallsBackEverywhere: of ann eleven are near each other by the time that each has, of bob only half are; late's are found
// though they come late.
func (d *detection) fallsBackEverywhere(put func(lines [][]byte)) {
	d.t.Helper()
	now := time.Now()
	var bob [][]byte
	for i := range 8 {
		bob = append(bob, created("bob", now.Add(-time.Duration(i)*time.Second), now, i), created("bob", time.Time{}, now.Add(-30*time.Minute), 10+i))
	}
	put(slices.Concat(mixed("ann", now, 11), bob))
	d.said("ann")
	put(mixed("late", time.Now().Add(-2*time.Hour), 12))
	d.said("ann", "late")
	for range 2 {
		d.restart()
	}
	put(mixed("eve", time.Now(), 14))
	d.said("ann", "eve", "late")
}

func TestARuleFallsBackToAnotherTimeOnTheEmbeddedEngine(t *testing.T) {
	d := newDetection(t, "  - {name: logs, kind: embedded, min_free: 64MiB}", fallsBack)
	d.fallsBackEverywhere(func(lines [][]byte) { d.ingest("filebeat-1", lines) })
}

func TestARuleFallsBackToAnotherTimeOnClusters(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic8, testkit.Elastic7} {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			index, source := loginIndex(t, node, node.URL)
			d := newDetection(t, source, fallsBack)
			d.fallsBackEverywhere(func(lines [][]byte) { putLogins(t, node, index, lines) })
		})
	}
}

// ingest stores events in the embedded engine, and gives their ids; those named have an id of their own.
func (d *detection) ingest(index string, lines [][]byte, ids ...string) (stored []string) {
	d.t.Helper()
	var body bytes.Buffer
	for i, l := range lines {
		create := `{"create":{}}`
		if i < len(ids) {
			create = fmt.Sprintf(`{"create":{"_id":%q}}`, ids[i])
		}
		body.WriteString(create + "\n" + string(l) + "\n")
	}
	resp, err := http.Post(d.p.URL+index+"/_bulk", "application/x-ndjson", &body)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var answer struct {
		Errors bool
		Items  []struct {
			Create struct {
				ID string `json:"_id"`
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK || answer.Errors {
		d.t.Fatalf("bulk: %s, errors: %v, %v", resp.Status, answer.Errors, err)
	}
	for _, item := range answer.Items {
		stored = append(stored, item.Create.ID)
	}
	return stored
}

// why asks the program why the rule did not alert on the document of an id.
func (d *detection) why(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(testkit.Binary(d.t), append([]string{"alerts", "why", "--config", d.config, "--rule", "Failed logins"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return string(out)
}

// TestWhyOfADocumentByItsIDInTheEmbeddedEngine: with ids that the shipper gave and ids that the engine made.
func TestWhyOfADocumentByItsIDInTheEmbeddedEngine(t *testing.T) {
	d := newDetection(t, "  - {name: logs, kind: embedded, min_free: 64MiB}", "")
	d.ingest("filebeat-1", slices.Concat(attack("ann", time.Now(), 11), attack("bob", time.Now(), 7), [][]byte{login("ann", "success", time.Now(), 0)}),
		slices.Concat(names(11, "ann"), names(7, "bob"), []string{"good-1"})...)
	d.ingest("filebeat-2", attack("bob", time.Now().Add(-2*time.Hour), 1), "bob-3")
	made := d.ingest("filebeat-1", attack("eve", time.Now(), 3))
	d.said("ann")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"ann-4"}, []string{"it did alert: ", " is sent", "the filter matches", "it takes part in alert"}},
		{[]string{"bob-2"}, []string{"it did not alert: count 7, needs more than 10"}},
		{[]string{"good-1"}, []string{"it did not alert", "event.outcome:failure", "is success"}},
		{[]string{"--index", "filebeat-2", "bob-3"}, []string{"it did not alert: count 1, needs more than 10"}},
		{[]string{"bob-3"}, []string{"filebeat-1 and filebeat-2: name the index too"}},
		{[]string{"nobody-1"}, []string{"nobody-1", "logs"}},
	} {
		got := d.why(c.args...)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("why %v lacks %q:\n%s", c.args, want, got)
			}
		}
	}
	if got := d.why(made[0]); !strings.Contains(got, "count 3, needs more than 10") {
		t.Errorf("an id that the engine made: %s", got)
	}
}

func names(n int, of string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(of, "-", i))
	}
	return out
}
