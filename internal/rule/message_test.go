package rule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/alert"
)

func TestMessagesAreRendered(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	data := MessageData{
		Rule: &Rule{ID: "r", Name: "Many failures", Owner: "ops", Tags: []string{"ssh", "prod"}}, Severity: alert.SeverityHigh, Risk: 73, Count: 3,
		First: at, Last: at.Add(time.Minute),
		Fields: map[string][]any{
			"user.name": {"root"}, "source.ip": {"10.0.0.1", "10.0.0.2"}, "count": {json.Number("12")}, "ratio": {0.25}, "ok": {true},
			"rule.name": {"of the document"}, "time_taken": {"7"},
		},
		Rows: []map[string][]any{{"user.name": {"ann"}, "count": {int64(2)}}, {"user.name": {"bob"}}},
	}
	f := func(template, want string) {
		t.Helper()
		m, _, err := newMessage(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			return
		}
		got, err := m.Render(data)
		if err != nil || got != want {
			t.Errorf("%s\n got %q %v\nwant %q", template, got, err, want)
		}
	}
	f("plain text", "plain text")
	f("{{.user.name}} failed {{.count}} times from {{.source.ip}}", "root failed 12 times from 10.0.0.1, 10.0.0.2")
	f("{{.rule.name}} {{.severity}} {{.risk_score}} {{.tags}} {{.owner}}", "Many failures high 73 ssh, prod ops")
	f("{{.host.name}}", "(missing)")
	f(`{{default "a host" .host.name}} {{.runbook | default "no runbook"}}`, "a host no runbook")
	f("{{if .host.name}}on {{.host.name}}{{else}}nowhere{{end}}", "nowhere")
	f("{{if gt .count 10}}many{{end}} {{if lt .ratio 0.5}}few{{end}} {{if eq .time_taken 7}}seven{{end}}", "many few seven")
	f("{{range .source.ip}}<{{.}}>{{end}}{{range .user.name}}[{{.}}]{{end}}{{range .nothing}}x{{else}}-{{end}}", "<10.0.0.1><10.0.0.2>[root]-")
	f("{{range $i, $r := .rows}}{{$i}}:{{$r.user.name}}={{.count}} of {{$.count}};{{end}}", "0:ann=2 of 12;1:bob=(missing) of 12;")
	f("{{with .user.name}}{{upper .}}{{end}} {{len .rows}}", "ROOT 2")
	f(`{{join "+" .source.ip}} {{truncate 4 "abcdef"}} {{printf "%s!" .user.name}}`, "10.0.0.1+10.0.0.2 abc… root!")
	f(`{{.first}} {{date "15:04" "Europe/Berlin" .last}} {{.ratio}} {{.ok}}`, "2026-03-01T12:00:00Z 13:01 0.25 true")
	f(`{{$u := .user.name}}{{$u}} {{field "source.ip" $}}`, "root 10.0.0.1, 10.0.0.2")
	f("{{range .rows}}{{.}}{{end}}", "(a row: name a field of it)(a row: name a field of it)")
}

func TestAMessageThatCannotBeMadeSaysWhy(t *testing.T) {
	m, _, err := newMessage("{{range .user.name}}{{.age}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Render(MessageData{Rule: &Rule{ID: "r"}, Fields: map[string][]any{"user.name": {"root"}}})
	if err == nil || !strings.Contains(err.Error(), "root is a value and has no field age") {
		t.Errorf("error is %v", err)
	}
}

func TestWrongTemplatesArePlaced(t *testing.T) {
	f := func(template, at, said string) {
		t.Helper()
		_, offset, err := newMessage(template)
		if err == nil {
			t.Errorf("%s was read", template)
			return
		}
		if !strings.HasPrefix(template[offset:], at) || !strings.Contains(err.Error(), said) {
			t.Errorf("%s\nat %q: %v", template, template[offset:], err)
		}
	}
	f("a {{.user.name", "{{.user.name", "unclosed action")
	f("a\nb {{foo .x}}", "foo", `function "foo" not defined`)
	f("{{if .x}}", "", "ends before")
	f("a {{end}}", "{{end", "unexpected {{end}}")
	f("{{range .x}}{{$y}}{{end}}", "$y", "undefined variable")
	f("x {{upper}}", "upper", "wrong number of args for upper: want 1 got 0")
	f(`{{define "x"}}{{end}}`, "define", "one template")
	f(`{{template "x"}}`, "", "one template")
}

func TestNoTemplateBreaksTheProgram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := []string{"{{", "}}", ".user.name", "range ", "if ", "end", "else", " ", "$x", ":=", "|", "upper", "(", ")", `"a"`, "1", ".", "rows", "index ", "text", "{{end}}", "with ", "\n"}
		written := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), "")
		m, at, err := newMessage(written)
		if err != nil {
			if at < 0 || at > len(written) {
				t.Fatalf("%q: error at %d", written, at)
			}
			return
		}
		_, _ = m.Render(MessageData{Rule: &Rule{}, Fields: map[string][]any{"user.name": {"a", "b"}}, Rows: []map[string][]any{{"x": {1}}}})
	})
}
