package detect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/testkit"
)

func TestIDsAreThoseOfKibana(t *testing.T) {
	const uuid = "6f1d3c52-9f0e-4c5a-8a53-3d4b86a1f0c7"
	terms := []string{"user.name", "source.port", "known"}
	sample := Sample{Index: "logs-linux-000001", ID: "a1b2"}
	columns := []Column{{"@timestamp", `"2024-07-01T10:00:00Z"`}, {"known", "true"}, {"source.port", "22"}, {"user.name", `"zoë 🙂"`}}
	for _, tc := range []struct {
		name   string
		kibana *rule.Kibana
		of     document
		want   string
	}{
		{"none", nil, document{Sample: sample}, ""},
		{"query of 8.x", &rule.Kibana{Type: rule.KibanaQuery, UUID: uuid, Space: "soc"}, document{Sample: sample}, "2f04fa6ed47824f3bc4d68ab8ddf4653548440443863e91a149d40ea83c9861d"},
		{"query of 7.x", &rule.Kibana{Type: rule.KibanaQuery, RuleID: "netcat-started", Space: "soc"}, document{Sample: sample}, "8eb26d305558152543a5cf5f51b03a895da8f31ea7084f03bcd0416e4f791d5e"},
		{"second row", &rule.Kibana{Type: rule.KibanaQuery, UUID: uuid, Space: "soc"}, document{Sample: sample, Row: 1}, ""},
		{"document of no id", &rule.Kibana{Type: rule.KibanaQuery, UUID: uuid, Space: "soc"}, document{Sample: Sample{Index: "logs"}}, ""},
		{"new terms", &rule.Kibana{Type: rule.KibanaNewTerms, UUID: uuid, Space: "soc", Terms: terms}, document{Sample: sample, Columns: columns}, "8f8639e815e8a57dd72d073e407219a96d67be85"},
		{"new terms that are dropped", &rule.Kibana{Type: rule.KibanaNewTerms, UUID: uuid, Space: "soc", Terms: terms}, document{Sample: sample}, ""},
		{"threshold", &rule.Kibana{Type: rule.KibanaThreshold, UUID: uuid, Space: "soc"}, document{Sample: sample}, ""},
	} {
		r := &ruleset{rule: &rule.Rule{ID: "r", Kibana: tc.kibana}, source: &Source{Name: "siem"}}
		if got := r.kibanaID(&tc.of); got != tc.want {
			t.Errorf("%s: %s", tc.name, got)
		}
		want := documentID("r", "siem", tc.of.Index, tc.of.ID, tc.of.Row)
		if tc.want != "" {
			want = string(alert.NewID("siem/soc", tc.want))
		}
		if got := r.idOf(&tc.of); got != want {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
}

// The ids of alerts that real Kibanas wrote follow from what the alerts tell of rule and event.
func TestIDsOfRealAlertsCanBeComputed(t *testing.T) {
	dir, ok := testkit.Documents(t)
	if !ok {
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "kibana-alerts", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in %s: %v", dir, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var hit struct {
			ID     string          `json:"_id"`
			Source json.RawMessage `json:"_source"`
		}
		if err := json.Unmarshal(content, &hit); err != nil {
			t.Fatal(err)
		}
		fields, err := alert.Flatten(hit.Source)
		if err != nil {
			t.Fatal(err)
		}
		of := func(names ...string) string {
			for _, name := range names {
				if v := fields.First(name); v != "" {
					return v
				}
			}
			return ""
		}
		k := &rule.Kibana{Type: rule.KibanaQuery, UUID: of("kibana.alert.rule.uuid"), Space: of("kibana.space_ids")}
		if k.UUID == "" {
			k.RuleID = of("signal.rule.rule_id")
		}
		r := &ruleset{rule: &rule.Rule{Kibana: k}, source: &Source{Name: "siem"}}
		d := document{Sample: Sample{Index: of("kibana.alert.ancestors.index", "signal.ancestors.index"), ID: of("kibana.alert.ancestors.id", "signal.ancestors.id")}}
		if got := r.kibanaID(&d); got != hit.ID {
			t.Errorf("%s: %s, not %s (%+v of %+v)", filepath.Base(file), got, hit.ID, d, k)
		}
	}
}
