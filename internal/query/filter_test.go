package query_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
)

func TestFilterMatchesFields(t *testing.T) {
	fields := map[string][]any{
		"severity":   {"critical"},
		"risk_score": {json.Number("73")},
		"tags":       {"prod", "linux"},
		"source.ip":  {"10.1.2.3"},
		"seen":       {time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		"count":      {uint8(7)},
		"message":    {"Failed password for root"},
	}
	now := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	f := func(text string, want bool) {
		t.Helper()
		filter, err := query.CompileFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Match(fields, now); got != want {
			t.Errorf("%s: matches %v", text, got)
		}
	}
	f("", true)
	f("*", true)
	f("severity: critical", true)
	f("severity: Critical", false)
	f("severity: (high or critical) and risk_score >= 70", true)
	f("tags: linux and not tags: test", true)
	f("source.ip: 10.0.0.0/8", true)
	f("seen >= now-2h", true)
	f("seen < now-2h", false)
	f("count: 7", true)
	f("message: password", true)
	f("not host.name: *", true)
}

func TestErrorsCarryTheirPlace(t *testing.T) {
	_, err := query.CompileFilter("a:b and\n c:(d or )")
	var e *query.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T", err)
	}
	line, column := e.Position()
	got := []any{e.Start, e.End, line, column, e.Message}
	want := []any{17, 18, 2, 10, `Expected "(", NOT, value but ")" found.`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(e.Message+"\na:b and\n c:(d or )\n-----------------^", e.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsAreShownUnderTheirPlace(t *testing.T) {
	filter, err := query.CompileFilter("severity: high or\n\trule.nane: \"ssh*\"")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range filter.Warnings("severity", "rule.name") {
		got = append(got, w.String())
	}
	want := []string{
		"line 2, column 2: there is no field \"rule.nane\"\n  \trule.nane: \"ssh*\"\n  \t~~~~~~~~~\n  try: rule.name",
		"line 2, column 13: * in quotes is a plain character, so this is no wildcard\n  \trule.nane: \"ssh*\"\n  \t           ~~~~~~\n  try: ssh*",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := filter.String(); got != `severity:high or rule.nane:"ssh*"` {
		t.Errorf("String is %s", got)
	}
}

func TestTheTreeShowsSubsearchesAsTheirText(t *testing.T) {
	q, err := query.Compile("a:b and [from x c:d | fields e]", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(q.AST()); !strings.Contains(got, `"value":"[from x c:d | fields e]"`) {
		t.Error(got)
	}
}
