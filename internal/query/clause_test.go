package query_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
)

func TestClausesAreTheConjuncts(t *testing.T) {
	f, err := query.CompileFilter(`severity: (high or critical) and not tags: test and (host.name: web* and risk_score > 3)`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.Clauses() {
		got = append(got, c.String())
	}
	want := []string{"severity:(high or critical)", "not tags:test", "host.name:web*", "risk_score > 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"host.name", "risk_score", "severity", "tags"}, f.Fields()); diff != "" {
		t.Error(diff)
	}
}
