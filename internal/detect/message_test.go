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
