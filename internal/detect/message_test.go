package detect

import (
	"strings"
	"testing"

	"tocsin/internal/rule"
)

// A message that cannot be made of an alert keeps no alert back.
func TestAMessageThatFailsLeavesTheUsualSentence(t *testing.T) {
	r, err := rule.Parse([]byte(`name: r
search: event.outcome:failure
message: "{{range .user.name}}{{.age}}{{end}}"
`), rule.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set := &ruleset{rule: r}
	usual := func() string { return "it happened" }
	for user, want := range map[string]string{
		"root": "it happened (the rule's message could not be made, at 1:23: root is a value and has no field age)",
	} {
		if got := set.message(rule.MessageData{Rule: r, Fields: map[string][]any{"user.name": {user}}}, usual); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	if got := set.message(rule.MessageData{Rule: r, Fields: map[string][]any{}}, usual); strings.Contains(got, "it happened") {
		t.Errorf("a message that can be made is not: %q", got)
	}
}

// What a detection command finds is said as what it means, not as what its filter asks for.
func TestTheSentenceSaysWhatACommandFound(t *testing.T) {
	for search, c := range map[string]struct {
		row    []Column
		fields map[string][]any
		want   string
	}{
		"event.action:heartbeat | missing by host.name over 6h": {
			row: []Column{{"host.name", `"web-1"`}}, want: "No heartbeat by web-1 for 6 hours",
		},
		"host.name:* | missing by host.name over 1d": {
			row: []Column{{"host.name", `""`}}, want: "No events by (empty) for 1 day",
		},
		"event.action:ssh_login | sequence by user.name maxspan=5m [event.outcome:failure] with runs=3 [event.outcome:success]": {
			row: []Column{{"user.name", `"ann"`}}, want: "Failed events 3 times, then successful events by ann within 5 minutes",
		},
		"* | sequence by user.name maxspan=30s [event.action:open and event.outcome:success] ![event.action:close]": {
			row: []Column{{"user.name", `"ann"`}}, want: "Successful open, then no close by ann within 30 seconds",
		},
		"* | sequence maxspan=30s [bytes > 5] ![process.name:(a or b)]": {
			want: "What matches bytes > 5, then no process.name:(a or b) within 30 seconds",
		},
		"event.action:heartbeat | spike by host.name factor=3 baseline=24h": {
			row:  []Column{{"host.name", `"web-1"`}, {"count", "52"}, {"baseline", "1.2345"}},
			want: "52 heartbeat by web-1 in 5 minutes, against 1.2 on average before",
		},
		"event.outcome:failure | dc(user.name) as users by source.ip over 30s | where users >= 4": {
			row:  []Column{{"source.ip", `"10.0.0.2"`}, {"users", "13"}},
			want: "Failed events by 10.0.0.2 in 30 seconds: users is 13, at least 4",
		},
		"event.outcome:failure | count by user.name over 5m | search count > 10": {
			row: []Column{{"user.name", `""`}, {"count", "12"}}, want: "12 failed events by (empty) in 5 minutes, more than 10",
		},
		"event.action:ssh_login | newterms user.name, host.name over 2d": {
			fields: map[string][]any{"user.name": {"ann", "root"}, "host.name": {"web-1"}},
			want:   "Ssh_login by ann on web-1. Not seen in the 2 days before: user.name ann and root with host.name web-1",
		},
		"event.action:ssh_login | changed source.ip by user.name": {
			fields: map[string][]any{"user.name": {"ann"}, "source.ip": {"10.0.0.2"}, "previous.source.ip": {"10.0.0.1"}},
			want:   "Ssh_login by ann from 10.0.0.2. Changed: source.ip was 10.0.0.1 and is now 10.0.0.2",
		},
	} {
		r, err := rule.Parse([]byte("name: r\nsearch: '"+search+"'\n"), rule.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSearch(r, &Source{Name: "logs"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c.fields != nil {
			got = s.ofDocument(c.fields)
		} else {
			got = s.ofWindow(&Window{Row: c.row})
		}
		if got != c.want {
			t.Errorf("%s:\n said %q\n want %q", search, got, c.want)
		}
	}
}
