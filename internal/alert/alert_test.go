package alert_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
)

func TestFlattenReadsAnySplitOfAPath(t *testing.T) {
	want := alert.Fields{"host.name": {"a"}, "event.category": {"x", "y"}, "n": {json.Number("9007199254740993")}, "ok": {true}}
	for _, doc := range []string{
		`{"host":{"name":"a"},"event":{"category":["x","y"]},"n":9007199254740993,"ok":true,"gone":null}`,
		`{"host.name":"a","event.category":["x","y"],"n":9007199254740993,"ok":true,"gone":[]}`,
		`{"host":{"name":"a"},"event":[{"category":"x"},{"category":"y"}],"n":9007199254740993,"ok":true}`,
	} {
		got, err := alert.Flatten(json.RawMessage(doc))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", doc, diff)
		}
	}
	for _, doc := range []string{`[1]`, `1`, `{`, `"x"`} {
		if _, err := alert.Flatten(json.RawMessage(doc)); err == nil {
			t.Errorf("%s was read", doc)
		}
	}
}

func TestOwnNamesHideTheDocuments(t *testing.T) {
	a := alert.Alert{
		Source: "siem", Rule: alert.Rule{Name: "r"}, Severity: alert.SeverityHigh, Risk: 73, Tags: []string{"t"},
		Threat:   []alert.Threat{{TacticName: "Credential Access", TechniqueID: "T1110"}, {TacticName: "Credential Access", TechniqueID: "T1110.001"}},
		Document: json.RawMessage(`{"source":{"ip":"10.0.0.1"},"tags":["of the event"],"severity":"odd","host":{"name":"h"}}`),
	}
	f, err := a.Fields()
	if err != nil {
		t.Fatal(err)
	}
	want := alert.Fields{
		"source": {"siem"}, "source.ip": {"10.0.0.1"}, "rule.name": {"r"}, "severity": {"high"}, "risk_score": {73.0}, "tags": {"t"},
		"attack.technique": {"T1110", "T1110.001"}, "attack.tactic": {"Credential Access"}, "host.name": {"h"},
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

func TestRevisionFollowsContentAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := alert.Alert{ID: "1", Reason: rapid.String().Draw(t, "reason"), Count: rapid.IntRange(0, 9).Draw(t, "count"), Document: json.RawMessage(`{}`)}
		_, one, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		a.Index, a.Late = "elsewhere", true
		if _, two, _ := a.Encode(); one != two {
			t.Error("a copy in another index has another revision")
		}
		a.Count++
		if _, three, _ := a.Encode(); one == three {
			t.Error("another count has the same revision")
		}
	})
}

func TestSeveritiesReadWhatTheyWrite(t *testing.T) {
	for s := alert.SeverityUnknown; s <= alert.SeverityCritical; s++ {
		if got := alert.ParseSeverity(s.String()); got != s {
			t.Errorf("%s read as %s", s, got)
		}
	}
	if got := alert.ParseSeverity(" HIGH "); got != alert.SeverityHigh {
		t.Errorf("HIGH read as %s", got)
	}
}
