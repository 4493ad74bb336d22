package notice_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

func TestItemsSayNothingTwice(t *testing.T) {
	a := &alert.Alert{ID: "1", Host: "h", User: "u", Facts: []alert.Fact{
		{Name: "user.name", Value: "u"}, {Name: "host.name", Value: "other"}, {Name: "source.ip", Value: "h"},
	}}
	want := []alert.Fact{{Name: "host.name", Value: "other"}, {Name: "source.ip", Value: "h"}}
	if diff := cmp.Diff(want, notice.ItemOf(a).Facts); diff != "" {
		t.Error(diff)
	}
}

// Whether a message has to be edited is found by comparing what was kept as JSON with what is now.
func TestItemsReadTheSameAfterJSON(t *testing.T) {
	a := &alert.Alert{ID: "1", Time: time.Now(), Threat: []alert.Threat{{TechniqueID: "T1"}}, Count: 3, Risk: 47.5}
	item := notice.ItemOf(a)
	b, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	var back notice.Item
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !item.Same(back) {
		t.Errorf("%+v is not the same as %+v", item, back)
	}
	back.Count++
	if item.Same(back) {
		t.Error("a changed count is not seen")
	}
}

func TestTalliesAreWorstFirst(t *testing.T) {
	tallies := []notice.Tally{{Rule: "b", Severity: alert.SeverityLow, Count: 9}, {Rule: "c", Severity: alert.SeverityHigh, Count: 1}, {Rule: "a", Severity: alert.SeverityHigh, Count: 1}, {Rule: "d", Severity: alert.SeverityHigh, Count: 2}}
	notice.SortTallies(tallies)
	got := ""
	for _, tally := range tallies {
		got += tally.Rule
	}
	if got != "dacb" {
		t.Errorf("order %s, want dacb", got)
	}
}
