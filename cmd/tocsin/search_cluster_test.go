package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/testkit"
)

// clusterEvents are logins of two users; one of them failed three times.
const clusterEvents = `{"@timestamp":"2024-07-01T10:00:00Z","event":{"action":"ssh_login","outcome":"failure"},"user":{"name":"root"},"source":{"ip":"10.0.0.1"}}
{"@timestamp":"2024-07-01T10:00:01Z","event":{"action":"ssh_login","outcome":"failure"},"user":{"name":"root"},"source":{"ip":"10.0.0.1"}}
{"@timestamp":"2024-07-01T10:00:02Z","event":{"action":"ssh_login","outcome":"failure"},"user":{"name":"root"},"source":{"ip":"10.0.0.2"}}
{"@timestamp":"2024-07-01T10:00:03Z","event":{"action":"ssh_login","outcome":"success"},"user":{"name":"ann"},"source":{"ip":"10.0.0.3"}}
`

func TestSearchReadsAClusterAsItReadsAFile(t *testing.T) {
	const query = "event.action:ssh_login and event.outcome:failure | count by source.ip | search count > 1"
	for _, kind := range testkit.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			node := testkit.Server(t, kind)
			index := node.Index(t, "tocsin-search")
			keyword := map[string]any{"type": "keyword"}
			node.Ask(t, "PUT", "/"+index, map[string]any{"mappings": map[string]any{"properties": map[string]any{
				"@timestamp": map[string]any{"type": "date"}, "event.action": keyword, "event.outcome": keyword, "user.name": keyword,
				"source.ip": map[string]any{"type": "ip"},
			}}}, nil)
			var bulk strings.Builder
			for line := range strings.Lines(clusterEvents) {
				bulk.WriteString(`{"index":{}}` + "\n" + line)
			}
			node.Ask(t, "POST", "/"+index+"/_bulk?refresh=true", bulk.String(), nil)

			address, err := url.Parse(node.URL)
			if err != nil {
				t.Fatal(err)
			}
			source := fmt.Sprintf("sources:\n  - name: siem\n    kind: elasticsearch\n    urls: [%s]\n    indices: [%s]\n", node.URL, index)
			at := []string{"--index", index}
			if node.Username != "" {
				address.User = url.UserPassword(node.Username, node.Password)
				source += fmt.Sprintf("    username: %s\n    password: %s\n", node.Username, node.Password)
			}
			if node.CAFile != "" {
				at = append(at, "--ca-file", node.CAFile)
				source += "    ca_file: " + node.CAFile + "\n"
			}
			at = append(at, "--url", address.String())
			cfg := write(t, t.TempDir(), "tocsin.yaml", source)
			configured := []string{"--config", cfg, "--source", "siem"}

			misspelt := append(append([]string{"search", "--all"}, at...), "user.nam:root or user.name.keyword:x | count")
			if _, _, errs := runSearch(t, misspelt...); !strings.Contains(errs, `there is no field "user.nam"`) || !strings.Contains(errs, "user.name") ||
				strings.Contains(errs, `"user.name.keyword"`) {
				t.Errorf("a misspelt field is warned of by %q", errs)
			}

			newest := strings.Split(strings.TrimSpace(clusterEvents), "\n")
			slices.Reverse(newest) // a file is in its own order, a cluster newest first
			for _, tc := range []struct {
				query, want string
				flags       []string
			}{
				{query, `{"source.ip":"10.0.0.1","count":2}` + "\n", nil},
				{"user.name:ro* | sort source.ip | table source.ip, user.name", `{"source.ip":"10.0.0.1","user.name":"root"}` + "\n" +
					`{"source.ip":"10.0.0.1","user.name":"root"}` + "\n" + `{"source.ip":"10.0.0.2","user.name":"root"}` + "\n", nil},
				{"", strings.Join(newest, "\n") + "\n", nil},
				{"* | head 2 | fields source.ip", `{"source.ip":"10.0.0.3"}` + "\n" + `{"source.ip":"10.0.0.2"}` + "\n", nil},
				{"* | stats count, latest(user.name)", `{"count":4,"latest(user.name)":"ann"}` + "\n", nil},
				{"* | count", `{"count":2}` + "\n", []string{"--from", "2024-07-01T10:00:01Z", "--to", "2024-07-01T10:00:03Z"}},
			} {
				if tc.flags == nil {
					tc.flags = []string{"--all"}
				}
				for _, cluster := range [][]string{at, configured} {
					args := slices.Concat([]string{"search", "--format", "ndjson"}, cluster, tc.flags, []string{tc.query})
					if status, got, errs := runSearch(t, args...); status != 0 || got != tc.want {
						t.Errorf("%v\nstatus %d %s\ngot:\n%s\nwant:\n%s", args, status, errs, got, tc.want)
					}
				}
			}
			// Nothing is that young, so the default of 15 minutes finds nothing.
			if status, got, errs := runSearch(t, append(append([]string{"search"}, at...), "*")...); status != 0 || got != "" || errs != "" && !strings.Contains(errs, "http") {
				t.Errorf("%d %q %q", status, got, errs)
			}
			_, got, errs := runSearch(t, append(append([]string{"explain", "--all"}, at...), query)...)
			for _, want := range []string{"| stats count by source.ip (source)", `"composite"`, "/_search", "on rows:\n  | search count > 1"} {
				if !strings.Contains(got, want) {
					t.Errorf("explain lacks %q:\n%s%s", want, got, errs)
				}
			}
			_, got, errs = runSearch(t, append(append([]string{"explain", "--dsl"}, configured...), "user.name:root")...)
			if !strings.Contains(got, `{"term":{"user.name":{"value":"root"}}}`) {
				t.Errorf("the types of fields were not asked for: %s%s", got, errs)
			}
			if status, _, errs := runSearch(t, append(append([]string{"search"}, at...), "--index", index+"-none", "*")...); status != 1 || !strings.Contains(errs, "no such index") {
				t.Errorf("%d %s", status, errs)
			}
		})
	}
}

func TestSearchRefusesHalfACluster(t *testing.T) {
	cfg := write(t, t.TempDir(), "tocsin.yaml", "sources:\n  - name: siem\n    kind: opensearch\n    urls: [\"http://127.0.0.1:9\"]\n  - name: own\n    kind: embedded\n")
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"--url needs --index PATTERN", []string{"--url", "http://127.0.0.1:9"}},
		{"--index needs a cluster", []string{"--index", "logs-*"}},
		{"exclude each other", []string{"--url", "http://127.0.0.1:9", "--index", "a", "--source", "siem"}},
		{"there are siem, own", []string{"--config", cfg, "--source", "nope"}},
		{"embedded engine: leave one out", []string{"--config", cfg, "--source", "own", "--parse", "sshd"}},
		{"--timeout", []string{"--config", cfg, "--source", "siem", "--timeout", "soon"}},
		{"leave one out", []string{"--config", cfg, "--source", "siem", "--input", filepath.Join(t.TempDir(), "x")}},
		{"not a URL", []string{"--url", "http://user:secret@[", "--index", "a"}},
	} {
		var out, errs bytes.Buffer
		status := run(&process{ctx: context.Background(), stdout: &out, stderr: &errs, getenv: func(string) (string, bool) { return "", false }},
			append(append([]string{"search"}, tc.args...), "*"))
		if status != exitWrongInput || !strings.Contains(errs.String(), tc.want) || strings.Contains(errs.String(), "secret") {
			t.Errorf("%v: status %d, %q", tc.args, status, errs.String())
		}
	}
}
