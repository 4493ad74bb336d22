package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/testkit"
)

// loginRule is the search of the mission, by user.
const loginRule = `name: Failed logins
search: 'event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10'
every: 2s
window: 5m
severity: high
attack: [T1110.001]
%s`

// login is an event of sshd as --parse sshd makes it.
func login(user, outcome string, at time.Time, n int) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"event":{"action":"ssh_login","outcome":%q,"ingested":%q},"user":{"name":%q},"source":{"ip":"203.0.113.9"},"host":{"name":"web-1"},"message":"Failed password for %s, try %d"}`,
		at.UTC().Format("2006-01-02T15:04:05.000Z"), outcome, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), user, user, n)
}

// detection is a tocsin with the rule, on a source.
type detection struct {
	t      *testing.T
	slack  *demo.Slack
	config string
	p      *testkit.Process
}

func newDetection(t *testing.T, source, ruleSource string, more ...string) *detection {
	t.Helper()
	d := &detection{t: t, slack: demo.NewSlack(demo.SlackOptions{}), config: filepath.Join(t.TempDir(), "tocsin.yaml")}
	server := httptest.NewServer(d.slack)
	t.Cleanup(server.Close)
	rules := filepath.Join(filepath.Dir(d.config), "rules")
	if err := os.Mkdir(rules, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		filepath.Join(rules, "logins.yaml"): fmt.Sprintf(loginRule, ruleSource),
		d.config: "listen: 127.0.0.1:0\ndata_dir: data\nrules_dir: rules\nsources:\n" + source + `
slack: {bot_token: xoxb-demo, channel: "#alerts", api_url: ` + server.URL + `/api/, pace: "off"}
route: {group_by: ['...'], group_wait: 0s, rate_limit: "off"}
` + strings.Join(more, ""),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.p = testkit.Serve(t, d.config)
	return d
}

// restart kills the process and starts another.
func (d *detection) restart() {
	d.t.Helper()
	d.p.Kill()
	d.p = testkit.Serve(d.t, d.config)
}

// said waits until the users have an alert that was said, and no others have one; each has one message.
func (d *detection) said(users ...string) []map[string]any {
	d.t.Helper()
	slices.Sort(users)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		got := map[string]int{}
		alerts := list(d.t, d.p)
		for _, a := range alerts {
			if a["fate"] == "sent" && a["merged_into"] == nil {
				got[userOf(a)]++
			}
		}
		if slices.Equal(slices.Sorted(maps.Keys(got)), users) {
			for user, n := range got {
				if n != 1 {
					d.t.Errorf("%s has %d alerts", user, n)
				}
			}
			for key, n := range d.slack.Keys() {
				if n != 1 {
					d.t.Errorf("delivery key %s was said %d times", key, n)
				}
			}
			posts := slices.DeleteFunc(d.slack.Messages(""), func(m demo.SlackMessage) bool { return m.ThreadTS != "" }) // pictures
			if len(posts) != len(users) {
				d.t.Errorf("%d messages for %v", len(posts), users)
			}
			return alerts
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("alerts of %v, want %v\n%s", got, users, d.p.Log())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func userOf(a map[string]any) string {
	for _, f := range asList(a["facts"]) {
		if m, ok := f.(map[string]any); ok && m["name"] == "user.name" {
			return fmt.Sprint(m["value"])
		}
	}
	return fmt.Sprint(a["user"])
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// attack is more than ten failures of a user within some seconds, until now or another time.
func attack(user string, until time.Time, n int) (lines [][]byte) {
	for i := range n {
		lines = append(lines, login(user, "failure", until.Add(-time.Duration(n-i)*time.Second), i))
	}
	return lines
}

// story lets attacks come in, kills the process between them, and lets one come late.
func (d *detection) story(put func(lines [][]byte)) {
	d.t.Helper()
	put(slices.Concat(attack("ann", time.Now(), 11), attack("bob", time.Now(), 10), [][]byte{login("ann", "success", time.Now(), 0)}))
	alerts := d.said("ann")
	if reason := fmt.Sprint(alerts[0]["reason"]); reason == "" {
		d.t.Error("an alert has no reason")
	}
	if text, err := json.Marshal(d.slack.Messages("")); err != nil || !strings.Contains(string(text), "11 failed ssh_login by ann in 5 minutes, more than 10") {
		d.t.Errorf("the message does not say what happened: %s, %v", text, err)
	}
	d.p.Kill()
	put(attack("eve", time.Now(), 15)) // while nobody looks
	d.p = testkit.Serve(d.t, d.config)
	put(nil) // what could not be taken in comes now
	d.said("ann", "eve")
	put(attack("late", time.Now().Add(-2*time.Hour), 12)) // of before the rule began
	d.restart()
	d.said("ann", "eve", "late")
	put(attack("bob", time.Now(), 1)) // bob's eleventh
	d.said("ann", "bob", "eve", "late")
	for range 3 {
		d.restart()
	}
	time.Sleep(5 * time.Second)
	for _, a := range d.said("ann", "bob", "eve", "late") {
		if late, _ := a["late"].(bool); late != (userOf(a) == "late") {
			d.t.Logf("the alert of %s is late: %v", userOf(a), late)
		}
	}
}

func TestFailedLoginsAreSaidOnceOfTheEmbeddedEngine(t *testing.T) {
	d := newDetection(t, "  - {name: logs, kind: embedded, min_free: 64MiB}", "")
	var waiting [][]byte
	d.story(func(lines [][]byte) {
		waiting = append(waiting, lines...)
		var body bytes.Buffer
		for _, l := range waiting {
			body.WriteString(`{"create":{}}` + "\n" + string(l) + "\n")
		}
		resp, err := http.Post(d.p.URL+"filebeat-1/_bulk", "application/x-ndjson", &body)
		if err != nil { // nobody serves: a shipper tries again
			return
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		if resp.StatusCode != http.StatusOK {
			t.Errorf("bulk: %s", resp.Status)
		}
		waiting = nil
	})
}

// loginIndex makes an index for logins, and tells of it as a source.
func loginIndex(t *testing.T, node testkit.Node, address string) (index, source string) {
	t.Helper()
	index = testkit.Unique("detect")
	node.CleanUp(t, index)
	keyword, date := map[string]any{"type": "keyword"}, map[string]any{"type": "date"}
	node.Ask(t, "PUT", "/"+index, map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0},
		"mappings": map[string]any{"properties": map[string]any{
			"@timestamp": date, "event": map[string]any{"properties": map[string]any{"ingested": date, "action": keyword, "outcome": keyword}},
			"user": map[string]any{"properties": map[string]any{"name": keyword}},
		}},
	}, nil)
	source = fmt.Sprintf("  - {name: siem, kind: opensearch, urls: [%q], indices: [%s]", address, index)
	if node.Username != "" {
		source += fmt.Sprintf(", username: %s, password: %q, ca_file: %q", node.Username, node.Password, node.CAFile)
	}
	return index, source + "}"
}

// putLogins stores events.
func putLogins(t *testing.T, node testkit.Node, index string, lines [][]byte) {
	t.Helper()
	var all [][]byte
	for _, l := range lines {
		all = append(all, fmt.Appendf(nil, `{"create":{"_index":%q}}`, index), l)
	}
	if all != nil {
		node.Bulk(t, all...)
	}
}

func TestFailedLoginsAreSaidOnceOfACluster(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic8} {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			line := newLine(t, node.URL)
			index, source := loginIndex(t, node, line.address)
			d := newDetection(t, source, "")
			put := func(lines [][]byte) { putLogins(t, node, index, lines) }
			d.story(put)
			line.cut(true) // the cluster is out of reach, and attacked
			put(attack("out", time.Now(), 12))
			time.Sleep(8 * time.Second)
			line.cut(false)
			d.said("ann", "bob", "eve", "late", "out")
		})
	}
}

// line is a way to a node that can be cut.
type line struct {
	address string
	mu      sync.Mutex
	broken  bool
	open    map[net.Conn]bool
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{address: u.Scheme + "://" + listener.Addr().String(), open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		listener.Close() //nolint:errcheck // the test is over
		l.cut(true)
	})
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", u.Host)
			if err != nil || !l.join(from, to) {
				from.Close() //nolint:errcheck // it is as good as closed
				continue
			}
			go l.pass(from, to)
			go l.pass(to, from)
		}
	}()
	return l
}

// join notes a connection and its other half; it reports false where the line is cut.
func (l *line) join(from, to net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		to.Close() //nolint:errcheck // nothing came of it
		return false
	}
	l.open[from], l.open[to] = true, true
	return true
}

func (l *line) pass(from, to net.Conn) {
	io.Copy(to, from) //nolint:errcheck // it ends when one of them does
	from.Close()      //nolint:errcheck // both end
	to.Close()        //nolint:errcheck // both end
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, from)
	delete(l.open, to)
}

// cut cuts the line, or mends it.
func (l *line) cut(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken = broken; broken {
		for c := range l.open {
			c.Close() //nolint:errcheck // it is cut
		}
	}
}
