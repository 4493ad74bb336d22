package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runSearch runs the command line and gives its status, output and errors.
func runSearch(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(&process{ctx: context.Background(), stdout: &out, stderr: &errs, getenv: func(string) (string, bool) { return "", false }}, args)
	return status, out.String(), errs.String()
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSearchPrintsEachFormat(t *testing.T) {
	dir := t.TempDir()
	events := write(t, dir, "e.ndjson", `{"u":{"n":"ann"},"b":[1,2], "@timestamp":"2024-07-01T10:00:00Z"}
{"u":{"n":"bob,\u001b[31m"},"b":null}
`)
	table := write(t, dir, "t.csv", "k,v\nann,x\n")
	broken := write(t, dir, "broken.ndjson", "{\"a\":1}\n{\"a\":\n")
	log := write(t, dir, "auth.log", "Dec 10 06:55:46 lab sshd[1]: message repeated 3 times: [ Failed password for root from 10.1.2.3 port 22 ssh2]\n")
	f := func(status int, stdout, stderr string, args ...string) {
		t.Helper()
		gotStatus, gotOut, gotErr := runSearch(t, args...)
		if gotStatus != status || gotOut != stdout || (stderr == "") != (gotErr == "") || !strings.Contains(gotErr, stderr) {
			t.Errorf("%v\nstatus %d, want %d\nout %q\nwant %q\nerr %q\nwant %q", args, gotStatus, status, gotOut, stdout, gotErr, stderr)
		}
	}
	f(0, `{"u":{"n":"ann"},"b":[1,2], "@timestamp":"2024-07-01T10:00:00Z"}`+"\n", "", "search", "--input", events, "u.n:ann")
	f(0, `{"u.n":"ann","b":[1,2]}`+"\n", "", "search", "b:2 | table u.n b", "--input", events)
	f(0, "u.n,b\nann,\"1, 2\"\n\"bob,\x1b[31m\",\n", "", "search", "--format", "csv", "--input", events, "* | table u.n b")
	f(0, "u.n             b\nann             1, 2\nbob,\\u001b[31m  \n", "", "search", "--format", "table", "--input", events, "* | table u.n b")
	f(0, `{"n":"ann","v":"x"}`+"\n"+`{"n":"bob,\u001b[31m","v":null}`+"\n", "", "search", "--input", events, "--lookup", "t="+table, "* | rename u.n as n | lookup t k as n OUTPUT v | table n v")
	f(0, `{"count":2}`+"\n", "", "search", "--dataset", "d="+events, "from d * | count")
	f(0, `{"count":1}`+"\n", "", "search", "--input", events, "--from", "2024-07-01", "--to", "2024-07-02", "* | count")
	f(0, `{"user.name":"root","count":3}`+"\n", "", "search", "--input", log, "--parse", "sshd", "event.action:ssh_login and event.outcome:failure | count by user.name")
	f(0, `{"n":3}`+"\n", "", "search", "--input", log, "--parse", `regex=repeated (?<n>\d+)`, "* | eval n=tonumber(n) | table n")
	f(2, "", "column 5: unknown command \"cuont\"\n  * | cuont\n      ~~~~~\n  try: count", "search", "--input", events, "* | cuont")
	f(2, "", "Expected end of input, whitespace but \"b\" found.\nfoo:\"bar\" baz\n----------^", "search", "--input", events, `foo:"bar" baz`)
	f(2, "", "no such file", "search", "--input", filepath.Join(dir, "no"), "*")
	f(2, "", "there is nothing to search: name a source of the configuration with --source", "search", "*")
	f(2, "", "there are table, ndjson, json, csv", "search", "--input", events, "--format", "xml", "*")
	f(2, "", `unknown kind of log "nope"`, "search", "--input", events, "--parse", "nope", "*")
	f(2, "", "exclude each other", "search", "--input", events, "--all", "--from", "-1d", "*")
	f(0, `{"count":0}`+"\n", "", "search", "--input", events, "--from", "-15m", "--to=now", "* | count")
	f(2, "", "there is no dataset \"d\"", "search", "--input", events, "from d * | count")
	f(1, "", "broken.ndjson:2: not JSON at byte", "search", "--input", broken, "*")
}

func TestJSONIsOneObject(t *testing.T) {
	events := write(t, t.TempDir(), "e.ndjson", "{\"a\":1}\n")
	for _, query := range []string{"* | count", "a:2 | table a", "*", "a:2"} {
		status, out, errs := runSearch(t, "search", "--format", "json", "--input", events, query)
		var got struct {
			Columns  []struct{ Name, Type string }
			Rows     []json.RawMessage
			Exact    *bool
			Warnings []string
			Cost     map[string]any
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 {
			t.Errorf("%s: %v: status %d, %s %s", query, err, status, out, errs)
			continue
		}
		if got.Columns == nil || got.Rows == nil || got.Exact == nil || !*got.Exact || got.Warnings == nil || got.Cost == nil {
			t.Errorf("%s: %s", query, out)
		}
	}
}

func TestExplainNeedsNoSource(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		status, out, errs := runSearch(t, append([]string{"explain"}, args...)...)
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%v: status %d, %q %q, want %q", args, status, out, errs, want)
		}
	}
	f(`{"type":"function","function":"range","arguments":[{"type":"literal","value":"a","isQuoted":false},"gt",{"type":"literal","value":"1","isQuoted":false}]}`, "--ast", "a > 1")
	f(`"@kuery-wildcard@"`, "--ast", "")
	f(`{"bool":{"should":[{"match":{"a":"1"}}],"minimum_should_match":1}}`, "--dsl", "a:1 | count by b")
	events := write(t, t.TempDir(), "e.ndjson", "")
	f("on rows:\n  | stats count by b\ncolumns: b, count\n", "--input", events, "a:1 | count by b")
}
