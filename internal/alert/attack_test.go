package alert_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
)

func TestTechniquesAreKnown(t *testing.T) {
	got := alert.Threats([]string{"T1110.001", "T1078", "T0000"})
	want := []alert.Threat{
		{TacticID: "TA0006", TacticName: "Credential Access", TechniqueID: "T1110.001", TechniqueName: "Password Guessing"},
		{TacticID: "TA0001", TacticName: "Initial Access", TechniqueID: "T1078", TechniqueName: "Valid Accounts"},
		{TacticID: "TA0003", TacticName: "Persistence", TechniqueID: "T1078", TechniqueName: "Valid Accounts"},
		{TacticID: "TA0004", TacticName: "Privilege Escalation", TechniqueID: "T1078", TechniqueName: "Valid Accounts"},
		{TacticID: "TA0005", TacticName: "Defense Evasion", TechniqueID: "T1078", TechniqueName: "Valid Accounts"},
		{TechniqueID: "T0000"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if old, ok := alert.LookupTechnique("T1002"); !ok || !old.Gone || old.Successor != "T1560" {
		t.Errorf("T1002 is %+v", old)
	}
}

func TestTheTableIsWhole(t *testing.T) {
	ids := alert.TechniqueIDs()
	if len(ids) < 600 || !slices.IsSorted(ids) {
		t.Errorf("%d techniques", len(ids))
	}
	shape := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for _, id := range ids {
		technique, _ := alert.LookupTechnique(id)
		if !shape.MatchString(id) || technique.Name == "" || len(technique.Tactics) == 0 {
			t.Errorf("%+v", technique)
		}
	}
}
