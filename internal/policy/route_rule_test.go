package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
)

func TestARuleMaySayHowItsAlertsAreGrouped(t *testing.T) {
	of := func(rule, host string, by ...string) *alert.Alert {
		return &alert.Alert{ID: alert.ID(rule + host), Rule: alert.Rule{ID: rule, Name: "n", GroupBy: by}, Document: json.RawMessage(`{"host":{"name":"` + host + `"}}`)}
	}
	for _, solo := range []bool{false, true} {
		p, err := policy.New(policy.Options{Root: policy.Route{Path: "route", Channel: "#a", GroupBy: []string{"rule.name"}, Solo: solo, Interval: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		group := func(a *alert.Alert) string {
			v, err := p.Judge(time.Now(), a)
			if err != nil {
				t.Fatal(err)
			}
			return v.Group
		}
		by := []string{"host.name"}
		other := of("a", "x", by...)
		if other.ID = "other"; group(of("a", "x", by...)) != group(other) || group(of("a", "x", by...)) == group(of("a", "y", by...)) {
			t.Error("alerts of one rule are not grouped as it says")
		}
		if group(of("a", "x", by...)) == group(of("b", "x", by...)) {
			t.Error("two rules share a group of one of them")
		}
		if group(of("a", "x", "...")) == group(of("a", "y", "...")) {
			t.Error("a rule that wants no grouping is grouped")
		}
		if (group(of("a", "x")) == group(of("a", "y"))) == solo {
			t.Error("a rule that says nothing is not grouped as its route says")
		}
		v, err := p.Judge(time.Now(), of("a", "x", by...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]alert.Fact{{Name: "host.name", Value: "x"}}, v.By); diff != "" {
			t.Error(diff)
		}
	}
}
