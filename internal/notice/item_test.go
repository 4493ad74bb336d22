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

func TestFactsAreThoseOfTheRuleElseThoseOfHabit(t *testing.T) {
	document := json.RawMessage(`{"source":{"ip":"10.0.0.1","port":"4"},"process":{"args":["curl","-s","x"]},"host":{"name":"h"},"dns":{"question":{"name":["a","b","a","c","d","e","f"]}},"nested":[{"x":1},{"x":2}]}`)
	for _, tc := range []struct {
		a    alert.Alert
		want []alert.Fact
	}{
		{alert.Alert{Host: "h"}, []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}, {Name: "process.args", Value: "curl -s x"}, {Name: "dns.question.name", Value: "a, b, c, d and 2 more"}}},
		{alert.Alert{Host: "h", Rule: alert.Rule{Fields: []string{"nested.x", "host.name", "source.port", "none"}}}, []alert.Fact{{Name: "nested.x", Value: "1, 2"}, {Name: "source.port", Value: "4"}}},
		{alert.Alert{Host: "h", Rule: alert.Rule{Fields: []string{"none"}}}, []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}, {Name: "process.args", Value: "curl -s x"}, {Name: "dns.question.name", Value: "a, b, c, d and 2 more"}}},
		{alert.Alert{Facts: []alert.Fact{{Name: "source.ip", Value: "own"}}, Rule: alert.Rule{Fields: []string{"source.port"}}}, []alert.Fact{{Name: "source.ip", Value: "own"}, {Name: "source.port", Value: "4"}}},
	} {
		tc.a.Document = document
		if diff := cmp.Diff(tc.want, notice.ItemOf(&tc.a).Facts); diff != "" {
			t.Errorf("%v: %s", tc.a.Rule.Fields, diff)
		}
	}
}

func TestAnAlertOfManyEventsSaysWhereTheNewestWere(t *testing.T) {
	document := json.RawMessage(`{"user.name":"root","count":28,"tocsin":{"samples":[{"_id":"a","_source":{"user":{"name":"root"},"host":{"name":"web-1"},"source":{"ip":"10.0.0.1"}}},{"_id":"b"},{"_id":"c","_source":{"host.name":"web-1","source":{"ip":"10.0.0.2","port":7}}}]}}`)
	for name, tc := range map[string]struct {
		a    alert.Alert
		want []alert.Fact
	}{
		"by user":  {alert.Alert{User: "root", Facts: []alert.Fact{{Name: "user.name", Value: "root"}}}, []alert.Fact{{Name: "host.name, newest", Value: "web-1"}, {Name: "source.ip, newest", Value: "10.0.0.1, 10.0.0.2"}}},
		"by ip":    {alert.Alert{Facts: []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}}}, []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}, {Name: "host.name, newest", Value: "web-1"}, {Name: "user.name, newest", Value: "root"}}},
		"chosen":   {alert.Alert{User: "root", Rule: alert.Rule{Fields: []string{"source.port", "none"}}}, []alert.Fact{{Name: "source.port, newest", Value: "7"}}},
		"no place": {alert.Alert{User: "root", Host: "web-1", Facts: []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}}}, []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}}},
	} {
		tc.a.Document = document
		if diff := cmp.Diff(tc.want, notice.ItemOf(&tc.a).Facts); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRowsOfARunAreATable(t *testing.T) {
	a := &alert.Alert{Count: 40, Document: json.RawMessage(`{"tocsin":{"count":40,"rows":[{"n":12,"user.name":"ann","user":{"id":["1","2"]}},{"n":3.14159,"user.name":"bob"}]}}`)}
	want := &notice.Table{Columns: []string{"user.id", "user.name", "n"}, Rows: [][]string{{"1, 2", "ann", "12"}, {"", "bob", "3.14"}}, Total: 40}
	it := notice.ItemOf(a)
	if diff := cmp.Diff(want, it.Table); diff != "" {
		t.Error(diff)
	}
	if it.Chart != nil {
		t.Errorf("a chart of rows without a time: %+v", it.Chart)
	}
}

func TestRowsOverTimeAreAChart(t *testing.T) {
	a := &alert.Alert{Document: json.RawMessage(`{"tocsin":{"rows":[{"@timestamp":"2026-03-25T08:05:00Z","count":7},{"@timestamp":"2026-03-25T08:00:00Z","count":3}]}}`)}
	it := notice.ItemOf(a)
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	if diff := cmp.Diff(&notice.Chart{Title: "count", Points: []notice.Point{{At: at, Value: 3}, {At: at.Add(5 * time.Minute), Value: 7}}}, it.Chart); diff != "" {
		t.Error(diff)
	}
	a.Document = json.RawMessage(`{"user.name":"x","tocsin":{"series":{"title":"count","points":[[1774425600000,3],[1774425900000,12]],"fired":[1774425900000,12],"threshold":10,"inclusive":true}}}`)
	limit := 10.0
	if diff := cmp.Diff(&notice.Chart{Title: "count", Threshold: &limit, Inclusive: true, Fired: &notice.Point{At: at.Add(5 * time.Minute), Value: 12}, Points: []notice.Point{{At: at, Value: 3}, {At: at.Add(5 * time.Minute), Value: 12}}}, notice.ItemOf(a).Chart); diff != "" {
		t.Error(diff)
	}
	for value, fires := range map[float64]bool{10: true, 9.9: false, 10.1: true} {
		if c := notice.ItemOf(a).Chart; c.Beyond(value) != fires {
			t.Errorf("%v fires: %v", value, !fires)
		}
	}
	if c := (&notice.Chart{Threshold: &limit, Below: true}); c.Beyond(10) || c.Beyond(11) || !c.Beyond(9) || (&notice.Chart{}).Beyond(1) {
		t.Error("what fires below 10 is told wrongly")
	}
	for _, broken := range []string{`{"tocsin":7}`, `{"tocsin":{"rows":[1,2]}}`, `{"tocsin":{"series":{"points":[["x"]]}}}`, `{"tocsin":`} {
		a.Document = json.RawMessage(broken)
		if it := notice.ItemOf(a); it.Table != nil || it.Chart != nil {
			t.Errorf("%s tells %+v %+v", broken, it.Table, it.Chart)
		}
	}
}

// What is over keeps what it said while it fired, whatever the alert says now.
func TestWhatIsOverKeepsTheValuesThatFired(t *testing.T) {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	n := notice.Notice{Kind: notice.KindAlert, Count: 1}
	a := alert.Alert{ID: "1", Reason: "12 within 5 minutes", Count: 12, Ongoing: true}
	n.Fill([]alert.Alert{a})
	a.Reason, a.Count = "40 within 5 minutes", 40
	n.Fill([]alert.Alert{a})
	if n.Items[0].Count != 40 {
		t.Errorf("while it fires it says %d", n.Items[0].Count)
	}
	a.Reason, a.Count, a.Ended = "2 within 5 minutes", 2, at
	for range 2 {
		n.Fill([]alert.Alert{a})
		if it := n.Items[0]; it.Count != 40 || it.Reason != "40 within 5 minutes" || it.State != notice.StateResolved || !it.StateAt.Equal(at) {
			t.Errorf("after its end it says %+v", it)
		}
	}
	if s := n.Stands(); s.Resolved != 1 || !s.Over() {
		t.Errorf("it stands %+v", s)
	}
	a.Ended, a.Count = time.Time{}, 50
	if n.Fill([]alert.Alert{a}); n.Items[0].Count != 50 || n.Items[0].State != notice.StateFiring {
		t.Errorf("when it fires again it says %+v", n.Items[0])
	}
}

func TestAFieldOfObjectsIsReadable(t *testing.T) {
	a := &alert.Alert{
		Rule:     alert.Rule{Fields: []string{"nested.a", "process", "none", "wide"}},
		Document: json.RawMessage(`{"nested":{"a":[[{"b":1},{"b":[2,3]}],"x",null,{"c":{"d":"e"}}]},"process":{"name":"sshd","pid":7},"wide":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}}`),
	}
	want := []alert.Fact{{Name: "nested.a", Value: "x; b: 1, 2, 3; c.d: e"}, {Name: "process", Value: "name: sshd; pid: 7"}, {Name: "wide", Value: "a: 1; b: 2; c: 3; d: 4; and 2 more"}}
	if diff := cmp.Diff(want, notice.ItemOf(a).Facts); diff != "" {
		t.Error(diff)
	}
}
