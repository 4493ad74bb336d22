package app

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/demo"
	"tocsin/internal/parse"
	"tocsin/internal/rule"
)

// eventsOf are the events of lines as the demo stores them.
func eventsOf(t *testing.T, lines []demo.LogLine) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, line := range lines {
		p, err := parse.New(line.Kind, parse.Options{Now: line.At})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Line(line.Text, func(doc string) error {
			source, err := withHost(doc, line.Host)
			if err != nil {
				return err
			}
			var event map[string]any
			if err := json.Unmarshal(source, &event); err != nil {
				return err
			}
			if event["@timestamp"] == nil || event["host.name"] != line.Host {
				t.Errorf("the line %q is read as %s", line.Text, source)
			}
			out.Write(append(source, '\n'))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// alertsOf are how many alerts each rule of the demo makes of lines.
func alertsOf(t *testing.T, lines []demo.LogLine) map[string]int {
	t.Helper()
	documents, out := eventsOf(t, lines), map[string]int{}
	for _, e := range rule.Pack() {
		if !slices.ContainsFunc(demoPack, func(prefix string) bool { return strings.HasPrefix(e.ID, prefix) }) {
			continue
		}
		tested := *e.Rule
		tested.Tests = []rule.Test{{Name: "demo", Documents: documents, Now: lines[len(lines)-1].At.Add(time.Second)}}
		e.Rule = &tested
		results, err := RuleTester(nil).Run(t.Context(), &e)
		if err != nil {
			t.Fatal(err)
		}
		out[e.ID] = results[0].Got
	}
	return out
}

// The rules of the pack find each attack of the demo, and nothing in what happens every day.
func TestRulesOfThePackFindTheAttackersOfTheDemo(t *testing.T) {
	began := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	logs := demo.NewLogs(11, began)
	history := logs.History()
	ordinary := slices.Clone(history)
	tales := map[string][]demo.LogLine{}
	for _, line := range logs.Until(began.Add(2 * time.Hour)) {
		if line.Tale == "" && line.At.Before(began.Add(time.Hour)) {
			ordinary = append(ordinary, line)
		} else if n := len(tales[line.Tale]); line.Tale != "" && (n == 0 || line.At.Sub(tales[line.Tale][n-1].At) < time.Minute) {
			tales[line.Tale] = append(tales[line.Tale], line) // the first time that it is told
		}
	}
	before := alertsOf(t, history)
	if diff := cmp.Diff(before, alertsOf(t, ordinary)); diff != "" {
		t.Errorf("alerts of what happens every day:\n%s", diff)
	}
	want := map[string][]string{
		"path traversal":         {"web-path-traversal"},
		"break-in":               {"sshd-brute-force", "sshd-login-after-failures", "sshd-new-source", "sshd-password-from-internet"},
		"sudo abuse":             {"sudo-not-allowed", "sudo-wrong-passwords"},
		"scan":                   {"web-path-scan", "web-secret-file"},
		"password guessing":      {"sshd-brute-force"},
		"password spray":         {"sshd-password-spray"},
		"login from a new place": {"sshd-new-source"},
		"SQL injection":          {"web-sql-injection"},
		"web login guessing":     {"web-login-brute-force"},
		"JNDI lookup":            {"web-jndi-lookup"},
		"web shell":              {"web-shell"},
		"second root":            {"linux-second-root", "sudo-shell-escape"},
		"new account":            {"linux-account-created", "linux-admin-group"},
	}
	got := map[string][]string{}
	for name, lines := range tales {
		for id, n := range alertsOf(t, slices.Concat(history, lines)) {
			if n > before[id] {
				got[name] = append(got[name], id)
			}
		}
		slices.Sort(got[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
