package alert

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed attack.tsv
var attackTable string

// Tactic is an ATT&CK tactic.
type Tactic struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Tactics are those of ATT&CK's enterprise matrix, in its order.
var Tactics = []Tactic{
	{"TA0043", "Reconnaissance"},
	{"TA0042", "Resource Development"},
	{"TA0001", "Initial Access"},
	{"TA0002", "Execution"},
	{"TA0003", "Persistence"},
	{"TA0004", "Privilege Escalation"},
	{"TA0005", "Defense Evasion"},
	{"TA0006", "Credential Access"},
	{"TA0007", "Discovery"},
	{"TA0008", "Lateral Movement"},
	{"TA0009", "Collection"},
	{"TA0011", "Command and Control"},
	{"TA0010", "Exfiltration"},
	{"TA0040", "Impact"},
}

// Technique is an ATT&CK technique or subtechnique.
type Technique struct {
	ID   string
	Name string // a subtechnique's own name
	// Tactics are those it serves, in the matrix's order.
	Tactics []Tactic
	// Gone says that ATT&CK has it no more; Successor is then the id of what replaced it, or empty.
	Gone      bool
	Successor string
}

// techniques are all techniques by id.
var techniques = sync.OnceValue(func() map[string]Technique {
	out := map[string]Technique{}
	for line := range strings.Lines(attackTable) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(fields) != 4 {
			continue
		}
		t := Technique{ID: fields[0], Name: fields[1], Gone: fields[3] != ""}
		if t.Gone && fields[3] != "deprecated" {
			t.Successor = fields[3]
		}
		for _, tactic := range Tactics {
			if slices.Contains(strings.Split(fields[2], ","), tactic.ID) {
				t.Tactics = append(t.Tactics, tactic)
			}
		}
		out[t.ID] = t
	}
	return out
})

// LookupTechnique finds a technique by its id, such as T1110.001; also those that ATT&CK has no more.
func LookupTechnique(id string) (Technique, bool) {
	t, ok := techniques()[id]
	return t, ok
}

// TechniqueIDs are the ids of all techniques that ATT&CK has, in order.
func TechniqueIDs() []string {
	var out []string
	for id, t := range techniques() {
		if !t.Gone {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Threats are techniques as an alert carries them: one for each tactic that a technique serves. What is no
// technique stands with its id alone.
func Threats(ids []string) []Threat {
	var out []Threat
	for _, id := range ids {
		t, ok := LookupTechnique(id)
		if !ok || len(t.Tactics) == 0 {
			out = append(out, Threat{TechniqueID: id, TechniqueName: t.Name})
			continue
		}
		for _, tactic := range t.Tactics {
			out = append(out, Threat{TacticID: tactic.ID, TacticName: tactic.Name, TechniqueID: id, TechniqueName: t.Name})
		}
	}
	return out
}
