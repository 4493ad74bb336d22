package kibana

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/demo"
)

func newParser(t testing.TB, kibanaURL string) *Parser {
	t.Helper()
	p, err := NewParser(ParserOptions{Source: "siem", KibanaURL: kibanaURL})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(s string) time.Time {
	t, ok := ParseTime(s)
	if !ok {
		panic("no time: " + s)
	}
	return t
}

var wholeAlerts = []struct {
	name, id, document string
	want               alert.Alert
}{
	{
		name: "7.6 query without meta, parents and reason", id: "a76",
		document: `{"@timestamp":"2020-03-01T10:00:00.000Z","host":{"name":"db1"},"user":{"name":"root"},"event":{"kind":"signal","category":["authentication","process"]},
			"source":{"ip":["10.0.0.1"],"port":22},"process":{"name":"-"},
			"signal":{"parent":{"rule":"r-1","id":"x","type":"event","index":"auditbeat","depth":1},"original_time":"2020-03-01T09:59:30Z","status":"open",
			"rule":{"id":"r-1","rule_id":"sig-1","name":"Root login","description":"d","risk_score":"50","severity":"high","type":"query","query":"*","tags":["__internal_rule_id:sig-1","linux"],
			"threat":[{"framework":"MITRE ATT&CK","tactic":{"id":"TA0001","name":"Initial Access"},"technique":[{"id":"T1078","name":"Valid Accounts"}]}],"references":["https://example.com/a"],"version":1,"note":"n"}}}`,
		want: alert.Alert{
			Time: at("2020-03-01T10:00:00Z"), Updated: at("2020-03-01T10:00:00Z"), Event: at("2020-03-01T09:59:30Z"),
			Rule: alert.Rule{
				Name: "Root login", ID: "sig-1", UUID: "r-1", Type: "query", Description: "d", Version: "1", References: []string{"https://example.com/a"},
				URL: "https://kibana:5601/app/siem#/detections/rules/id/r-1",
			},
			Severity: alert.SeverityHigh, Risk: 50, Status: alert.StatusOpen, Host: "db1", User: "root", Tags: []string{"linux"},
			Reason: "authentication, process event with source 10.0.0.1:22, by root on db1 created high alert Root login.",
			Threat: []alert.Threat{{TacticID: "TA0001", TacticName: "Initial Access", TechniqueID: "T1078", TechniqueName: "Valid Accounts"}},
			URL: "https://kibana:5601/app/siem#/detections?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22a76%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272020-03-01T10%3A00%3A00.000Z%27%2Ckind%3Aabsolute%2Cto%3A%272020-03-01T10%3A05%3A00.000Z%27%29%29%29",
		},
	},
	{
		name: "7.9 threshold", id: "a79",
		document: `{"@timestamp":1598918400123,"signal":{"status":"in-progress","threshold_count":9,"rule":{"name":"Many","type":"threshold","risk_score":21.5,"severity":"low","threshold":{"field":"user.name","value":5}}}}`,
		want: alert.Alert{
			Time: at("2020-09-01T00:00:00.123Z"), Updated: at("2020-09-01T00:00:00.123Z"),
			Rule:     alert.Rule{Name: "Many", Type: "threshold"},
			Severity: alert.SeverityLow, Risk: 21.5, Status: alert.StatusAcknowledged, Count: 9,
			Reason: "event created low alert Many.",
			URL: "https://kibana:5601/app/siem#/detections?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22a79%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272020-09-01T00%3A00%3A00.123Z%27%2Ckind%3Aabsolute%2Cto%3A%272020-09-01T00%3A05%3A00.123Z%27%29%29%29",
		},
	},
	{
		name: "7.10 threshold with one value", id: "a710",
		document: `{"@timestamp":"1606780800000","signal":{"_meta":{"version":25},"status":"open","threshold_result":{"count":12,"value":"bob"},"rule":{"id":"u","name":"Many","type":"threshold","severity":"medium","threshold":{"field":["user.name"],"value":5}}}}`,
		want: alert.Alert{
			Time: at("2020-12-01T00:00:00Z"), Updated: at("2020-12-01T00:00:00Z"),
			Rule:     alert.Rule{Name: "Many", UUID: "u", Type: "threshold", URL: "https://kibana:5601/app/security/detections/rules/id/u"},
			Severity: alert.SeverityMedium, Status: alert.StatusOpen, Count: 12, Ongoing: true,
			Facts:  []alert.Fact{{Name: "user.name", Value: "bob"}},
			Reason: "event created medium alert Many.",
			URL: "https://kibana:5601/app/security/detections?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22a710%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272020-12-01T00%3A00%3A00.000Z%27%2Ckind%3Aabsolute%2Cto%3A%272020-12-01T00%3A05%3A00.000Z%27%29%29%29",
		},
	},
	{
		name: "7.17 building block with keys dotted and nested", id: "a717",
		document: `{"@timestamp":"2022-03-18T21:10:45.962+01:00","signal.rule":{"name":"Seq","building_block_type":"default"},"signal":{"_meta.version":57,"rule.severity":["critical"],"group":{"id":"g","index":0},"reason":"because"},"signal.status":"closed"}`,
		want: alert.Alert{
			Time: at("2022-03-18T20:10:45.962Z"), Updated: at("2022-03-18T20:10:45.962Z"),
			Rule: alert.Rule{Name: "Seq"}, Severity: alert.SeverityCritical, Status: alert.StatusClosed, Reason: "because", BuildingBlock: true,
			URL: "https://kibana:5601/app/security/detections?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22a717%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272022-03-18T20%3A10%3A45.962Z%27%2Ckind%3Aabsolute%2Cto%3A%272022-03-18T20%3A15%3A45.962Z%27%29%29%29",
		},
	},
	{
		name: "8.1 links by search", id: "a81",
		document: `{"@timestamp":"2022-03-19T02:48:12.634Z","kibana.version":"8.1.0","kibana.alert.uuid":"a81","kibana.alert.rule.uuid":"u","kibana.alert.rule.name":"N","kibana.alert.rule.rule_type_id":"siem.indicatorRule",
			"kibana.alert.severity":"low","kibana.alert.rule.severity":"high","kibana.alert.risk_score":21,"kibana.alert.reason":"r","kibana.alert.workflow_status":"acknowledged",
			"threat":{"enrichments":[{"matched":{"atomic":"1.2.3.4","field":"destination.ip"}},{"matched.atomic":"1.2.3.4","matched.field":"destination.ip"}]},"event.kind":"signal"}`,
		want: alert.Alert{
			Time: at("2022-03-19T02:48:12.634Z"), Updated: at("2022-03-19T02:48:12.634Z"),
			Rule:     alert.Rule{Name: "N", UUID: "u", Type: "threat_match", URL: "https://kibana:5601/app/security/rules/id/u"},
			Severity: alert.SeverityLow, Risk: 21, Status: alert.StatusAcknowledged, Reason: "r",
			Facts: []alert.Fact{{Name: "indicator for destination.ip", Value: "1.2.3.4"}},
			URL: "https://kibana:5601/app/security/alerts?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22a81%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272022-03-19T02%3A48%3A12.634Z%27%2Ckind%3Aabsolute%2Cto%3A%272022-03-19T02%3A53%3A12.634Z%27%29%29%29",
		},
	},
	{
		name: "8.19 suppressed, changed in place, in a maintenance window", id: "a819",
		document: `{"@timestamp":"2025-01-02T03:04:05Z","kibana.version":"8.19.12","kibana":{"alert":{"uuid":"a819","rule":{"name":"S","rule_id":"sig","type":"query","tags":"one"},"suppression":{"terms":[{"field":"host.name","value":["a","b"]},{"field":"user.name","value":null}],"docs_count":4}}},
			"kibana.alert.last_detected":"2025-01-02T03:30:00.500Z","kibana.alert.workflow_status_updated_at":"2025-01-02T03:20:00Z","kibana.alert.maintenance_window_ids":["mw1","mw2"],"kibana.alert.workflow_status":"open","kibana.alert.reason":"r"}`,
		want: alert.Alert{
			Time: at("2025-01-02T03:04:05Z"), Updated: at("2025-01-02T03:30:00.5Z"),
			Rule: alert.Rule{Name: "S", ID: "sig", Type: "query"}, Status: alert.StatusOpen, Reason: "r", Tags: []string{"one"}, Count: 5,
			Facts:       []alert.Fact{{Name: "host.name", Value: "a, b"}, {Name: "user.name", Value: "(none)"}},
			Maintenance: []string{"mw1", "mw2"},
			URL:         "https://kibana:5601/app/security/alerts/redirect/a819?index=.alerts-security.alerts-default&timestamp=2025-01-02T03:04:05.000Z",
		},
	},
	{
		name: "9.1 threshold of several fields with a cardinality", id: "a91",
		document: `{"@timestamp":"2026-01-02","kibana.version":"9.1.0","kibana.alert.rule.rule_type_id":"siem.thresholdRule","kibana.alert.threshold_result":{"terms":[{"field":"source.ip","value":"1.1.1.1"},{"field":"host.name","value":"h"}],"cardinality":[{"field":"user.name","value":11}],"count":30,"from":"2026-01-01T23:00:00Z"},
			"kibana.alert.original_time":"2026-01-01T23:59:59.999Z","kibana.alert.rule.parameters":{"rule_id":"sig","type":"threshold"},"kibana.alert.reason":"r","kibana.alert.workflow_status":"open",
			"kibana.alert.rule.threat":[{"tactic":{"id":"TA0006","name":"Credential Access"},"technique":[{"id":"T1110","name":"Brute Force","subtechnique":[{"id":"T1110.001","name":"Password Guessing"},{"id":"T1110.003","name":"Password Spraying"}]}]},{"tactic":{"id":"TA0010","name":"Exfiltration"}}]}`,
		want: alert.Alert{
			Time: at("2026-01-02T00:00:00Z"), Updated: at("2026-01-02T00:00:00Z"), Event: at("2026-01-01T23:59:59.999Z"),
			Rule: alert.Rule{ID: "sig", Type: "threshold"}, Status: alert.StatusOpen, Reason: "r", Count: 30, Ongoing: true,
			Facts: []alert.Fact{{Name: "source.ip", Value: "1.1.1.1"}, {Name: "host.name", Value: "h"}, {Name: "distinct user.name", Value: "11"}},
			Threat: []alert.Threat{
				{TacticID: "TA0006", TacticName: "Credential Access", TechniqueID: "T1110", TechniqueName: "Brute Force"},
				{TacticID: "TA0006", TacticName: "Credential Access", TechniqueID: "T1110.001", TechniqueName: "Password Guessing"},
				{TacticID: "TA0006", TacticName: "Credential Access", TechniqueID: "T1110.003", TechniqueName: "Password Spraying"},
				{TacticID: "TA0010", TacticName: "Exfiltration"},
			},
			URL: "https://kibana:5601/app/security/alerts/redirect/a91?index=.alerts-security.alerts-default&timestamp=2026-01-02T00:00:00.000Z",
		},
	},
	{
		name: "new terms, and a score above a hundred", id: "ant",
		document: `{"@timestamp":"2026-01-02T00:00:00Z","kibana.alert.uuid":"ant","kibana.alert.new_terms":["bob","nmap","extra"],"kibana.alert.rule.parameters":{"new_terms_fields":["user.name","process.name"]},"kibana.alert.risk_score":1089,"kibana.alert.reason":"r"}`,
		want: alert.Alert{
			Time: at("2026-01-02T00:00:00Z"), Updated: at("2026-01-02T00:00:00Z"), Risk: 1089, Reason: "r",
			Facts: []alert.Fact{{Name: "user.name", Value: "bob"}, {Name: "process.name", Value: "nmap"}, {Name: "new term", Value: "extra"}},
			URL:   "https://kibana:5601/app/security/alerts/redirect/ant?index=.alerts-security.alerts-default&timestamp=2026-01-02T00:00:00.000Z",
		},
	},
	{
		name: "nothing at all", id: "empty", document: ` {} `,
		want: alert.Alert{
			Reason: "event created alert.",
			URL:    "https://kibana:5601/app/siem#/detections?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22empty%22%27%29",
		},
	},
	{
		name: "every value of an odd type", id: "odd",
		document: `{"@timestamp":{"a":1},"signal":"text","kibana":[{"alert":{"severity":{"x":1},"risk_score":"NaN","rule":[{"name":["N"],"tags":{"a":1},"threat":"none","references":5}]}},7],"kibana.alert.rule.parameters":null,"kibana.alert.reason":true,
			"kibana.alert.suppression":{"terms":"x","docs_count":"many"},"kibana.alert.threshold_result":[],"kibana.alert.last_detected":"never","kibana.alert.start":["2026-01-02T00:00:00Z"],"kibana.version":8}`,
		want: alert.Alert{
			Time: at("2026-01-02T00:00:00Z"), Updated: at("2026-01-02T00:00:00Z"), Reason: "true",
			Rule: alert.Rule{Name: "N", References: []string{"5"}},
			URL: "https://kibana:5601/app/security/alerts?query=%28language%3Akuery%2Cquery%3A%27_id%3A%20%22odd%22%27%29" +
				"&timerange=%28global%3A%28linkTo%3A%21%28%29%2Ctimerange%3A%28from%3A%272026-01-02T00%3A00%3A00.000Z%27%2Ckind%3Aabsolute%2Cto%3A%272026-01-02T00%3A05%3A00.000Z%27%29%29%29",
		},
	},
}

func TestParseReadsEveryShape(t *testing.T) {
	p := newParser(t, "https://kibana:5601/")
	for _, c := range wholeAlerts {
		t.Run(c.name, func(t *testing.T) {
			got, err := p.Parse("idx", c.id, []byte(c.document))
			if err != nil {
				t.Fatal(err)
			}
			c.want.ID, c.want.Source, c.want.SourceID, c.want.Index = alert.NewID("siem", c.id), "siem", c.id, "idx"
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(alert.Alert{}, "Document"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, _, err := got.Encode(); err != nil {
				t.Errorf("encode: %v", err)
			}
			if _, err := got.Fields(); err != nil {
				t.Errorf("fields: %v", err)
			}
		})
	}
}

func TestParseRefusesWhatIsNoObject(t *testing.T) {
	p := newParser(t, "")
	for _, document := range []string{"", "null", "[]", `"text"`, "{", `{"a":}`, `{"a":1}x`, `{"a":1,}`, `{'a':1}`, `{"a":01}`, `{"a":"\x"}`, "{\"a\":\"\n\"}"} {
		_, err := p.Parse("the-index", "the-id", []byte(document))
		if err == nil {
			t.Errorf("%q was read", document)
		} else if !strings.Contains(err.Error(), "the-index") || !strings.Contains(err.Error(), "the-id") {
			t.Errorf("%q: the error does not say which document: %v", document, err)
		}
	}
}

func TestParseKeepsWhatIsMatchedAndDropsWhatIsHeavy(t *testing.T) {
	p := newParser(t, "")
	got, err := p.Parse("i", "1", []byte(`{"host":{"name":"a"},"signal":{"rule":{"name":"n","query":"q","note":"x","exceptions_list":[1],"type":"query"},"status":"open"},
		"kibana.alert.rule.parameters":{"rule_id":"r","query":"q"},"kibana.alert.rule":{"note":"n","rule_id":"r"},"esc\u0061ped":1,"kibana":{"alert.rule":{"meta":{"a":1}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"host":{"name":"a"},"signal":{"rule":{"name":"n","type":"query"},"status":"open"},"kibana.alert.rule":{"rule_id":"r"},"esc\u0061ped":1,"kibana":{"alert.rule":{}}}`
	if string(got.Document) != want {
		t.Errorf("document\n got %s\nwant %s", got.Document, want)
	}
}

func TestLinksOfTheDocumentServeWhereNoAddressIsConfigured(t *testing.T) {
	p := newParser(t, "")
	for _, c := range []struct{ name, document, alert, rule string }{
		{"its own", `{"kibana.alert.uuid":"1","kibana.alert.url":"http://k/app/x","kibana.alert.rule.uuid":"u"}`, "http://k/app/x", ""},
		{"the rule's", `{"kibana.alert.uuid":"1","kibana.version":"8.8.0","kibana.alert.rule.meta":{"kibana_siem_app_url":"http://k/s/b/app/security/"},"kibana.alert.rule.uuid":"u"}`, "http://k/s/b/app/security/alerts/redirect/1?index=.alerts-security.alerts-default", "http://k/s/b/app/security/rules/id/u"},
		{"none", `{"kibana.alert.uuid":"1"}`, "", ""},
		{"no link", `{"kibana.alert.uuid":"1","kibana.alert.url":"javascript:alert(1)","kibana.alert.rule.meta":{"kibana_siem_app_url":"file:///etc"}}`, "", ""},
		{"two lines", `{"kibana.alert.uuid":"1","kibana.alert.url":"http://k/\n<!channel>"}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := p.Parse("i", "1", []byte(c.document))
			if err != nil {
				t.Fatal(err)
			}
			if got.URL != c.alert || got.Rule.URL != c.rule {
				t.Errorf("alert %q, rule %q; want %q, %q", got.URL, got.Rule.URL, c.alert, c.rule)
			}
		})
	}
}

func TestLinksNameTheSpace(t *testing.T) {
	p, err := NewParser(ParserOptions{Source: "siem", Space: "blue team", KibanaURL: "https://k/base/"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Parse("i", `a/b"c`, []byte(`{"kibana.version":"8.8.0","kibana.alert.rule.uuid":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := `https://k/base/s/blue%20team/app/security/alerts/redirect/a%2Fb%22c?index=.alerts-security.alerts-blue+team`; got.URL != want {
		t.Errorf("got %s, want %s", got.URL, want)
	}
}

func TestParseTimeReadsEveryForm(t *testing.T) {
	want := time.Date(2022, 3, 18, 21, 10, 45, 0, time.UTC)
	for _, s := range []string{
		"2022-03-18T21:10:45Z", "2022-03-18T21:10:45.000Z", "2022-03-18T21:10:45", "2022-03-18T21:10:45.000", "2022-03-18T23:10:45+02:00",
		"2022-03-18T23:10:45+0200", "2022-03-18T23:10:45.000+02", "1647637845000", "1647637845000.0", "1.647637845e12", "2022-03-18T21:10:45,000Z",
	} {
		if got, ok := ParseTime(s); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, %v", s, got, ok)
		}
	}
	for s, want := range map[string]string{"2022": "2022-01-01T00:00:00Z", "2022-03": "2022-03-01T00:00:00Z", "0": "1970-01-01T00:00:00Z", "-1": "1969-12-31T23:59:59.999Z", "2022-03-18T21:10": "2022-03-18T21:10:00Z"} {
		if got, ok := ParseTime(s); !ok || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %v, want %s", s, got, want)
		}
	}
	for _, s := range []string{"", "never", "now", "999999999999999999", "1e300", "NaN", "true"} {
		if got, ok := ParseTime(s); ok {
			t.Errorf("%q is %v, want none", s, got)
		}
	}
}

// realDocuments are Kibana's own, where the checkout has them beside it.
func realDocuments(t testing.TB) []struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
} {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "kibana-alerts", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]struct {
		Index  string          `json:"_index"`
		ID     string          `json:"_id"`
		Source json.RawMessage `json:"_source"`
	}, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &out[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return out
}

func TestRealDocumentsAreRead(t *testing.T) {
	p := newParser(t, "")
	documents := realDocuments(t)
	if len(documents) == 0 {
		t.Log("not used: Kibana's own documents; the generator's are")
		for _, kibana := range demo.Kibanas {
			d := demo.NewDetections(7).Make(kibana, demo.QueryDetection, time.Now())
			documents = append(documents, struct {
				Index  string          `json:"_index"`
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			}{d.Index, d.ID, d.Source})
		}
	}
	for _, d := range documents {
		a, err := p.Parse(d.Index, d.ID, d.Source)
		if err != nil {
			t.Fatal(err)
		}
		f, err := a.Fields()
		if err != nil {
			t.Fatal(err)
		}
		if a.Rule.Name == "" || a.Rule.ID == "" || a.Rule.UUID == "" || a.Rule.Type == "" || a.Severity == alert.SeverityUnknown || a.Risk == 0 ||
			a.Time.IsZero() || a.Event.IsZero() || f.First("host.name") == "" {
			t.Errorf("%s %s lacks something: %+v", d.Index, d.ID, a)
		}
		// The sentence Kibana composed and ours are the same where the document still has its parts.
		if own := p.walk.reason(a.Severity, a.Rule.Name); own != a.Reason && strings.HasPrefix(a.Reason, "event") {
			t.Errorf("%s: composed %q, Kibana wrote %q", d.ID, own, a.Reason)
		}
		if len(a.Document) >= len(d.Source) {
			t.Errorf("%s: nothing was trimmed of %d bytes", d.ID, len(d.Source))
		}
	}
}

func TestEveryGeneratedShapeIsRead(t *testing.T) {
	p := newParser(t, "")
	made := demo.NewDetections(1)
	now := at("2026-03-04T05:06:07.089Z")
	for _, kibana := range demo.Kibanas {
		for _, kind := range demo.DetectionKinds(kibana) {
			d := made.Make(kibana, kind, now)
			a, err := p.Parse(d.Index, d.ID, d.Source)
			if err != nil {
				t.Fatalf("%s %s: %v", kibana, kind, err)
			}
			if !a.Time.Equal(now) || a.Rule.Name == "" || a.Rule.ID == "" || a.Rule.UUID == "" || a.Severity == alert.SeverityUnknown ||
				a.Status != alert.StatusOpen || a.Event.IsZero() || a.Reason == "" || a.URL == "" || len(a.Tags) == 0 {
				t.Errorf("%s %s lacks something: %+v", kibana, kind, a)
			}
			if a.BuildingBlock != (kind == demo.BlockDetection) || a.Ongoing != (kind == demo.ThresholdDetection) {
				t.Errorf("%s %s: building block %v, ongoing %v", kibana, kind, a.BuildingBlock, a.Ongoing)
			}
			if slices.Contains([]demo.DetectionKind{demo.IndicatorDetection, demo.NewTermsDetection, demo.SuppressedDetection}, kind) && len(a.Facts) == 0 {
				t.Errorf("%s %s has no facts", kibana, kind)
			}
			if kind == demo.ThresholdDetection && a.Count < 5 {
				t.Errorf("%s %s counts %d", kibana, kind, a.Count)
			}
		}
	}
}

// resplit writes the same document with its dotted paths split into keys in another way.
func resplit(t *rapid.T, v any) any {
	o, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		child := resplit(t, o[key])
		if inner, ok := child.(map[string]any); ok && len(inner) > 0 && rapid.Bool().Draw(t, "join") {
			for k, c := range inner {
				out[key+"."+k] = c
			}
			continue
		}
		if head, tail, ok := strings.Cut(key, "."); ok && rapid.Bool().Draw(t, "cut") {
			if inner, ok := out[head].(map[string]any); ok || out[head] == nil {
				if inner == nil {
					inner = map[string]any{}
				}
				inner[tail] = child
				out[head] = inner
				continue
			}
		}
		out[key] = child
	}
	return out
}

func TestAnySplitIntoKeysIsTheSameAlert(t *testing.T) {
	p := newParser(t, "https://k")
	rapid.Check(t, func(t *rapid.T) {
		kibana := rapid.SampledFrom(demo.Kibanas).Draw(t, "kibana")
		kind := rapid.SampledFrom(demo.DetectionKinds(kibana)).Draw(t, "kind")
		d := demo.NewDetections(rapid.Uint64().Draw(t, "seed")).Make(kibana, kind, at("2026-03-04T05:06:07Z"))
		want, err := p.Parse(d.Index, d.ID, d.Source)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(d.Source, &doc); err != nil {
			t.Fatal(err)
		}
		// Where a path is told twice, which one is first is not said by the split.
		if event, ok := doc["event"].(map[string]any); ok && doc["event.kind"] != nil {
			for key, value := range event {
				doc["event."+key] = value
			}
			delete(doc, "event")
		}
		other, err := json.Marshal(resplit(t, doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Parse(d.Index, d.ID, other)
		if err != nil {
			t.Fatalf("%v: %s", err, other)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(alert.Alert{}, "Document")); diff != "" {
			t.Errorf("-one split +another:\n%s\n%s", diff, other)
		}
		fields := func(a alert.Alert) alert.Fields {
			f, err := a.Fields()
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if diff := cmp.Diff(fields(want), fields(got)); diff != "" {
			t.Errorf("fields: -one split +another:\n%s", diff)
		}
	})
}

// FuzzParse holds the law that any JSON object is read, nothing else is, and what is kept is JSON.
func FuzzParse(f *testing.F) {
	for _, c := range wholeAlerts {
		f.Add([]byte(c.document))
	}
	f.Add([]byte(`{"a":[1,{"b":"\ud800"}],"kibana":{"alert":{"rule":{"parameters":{"x":[]},"uuid":"1"}}},"":{"":{}}}`))
	p, err := NewParser(ParserOptions{Source: "siem"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		a, err := p.Parse("i", "1", document)
		var whole map[string]any
		legal := json.Unmarshal(document, &whole) == nil && whole != nil
		if (err == nil) != legal {
			t.Fatalf("read: %v; a JSON object: %v", err, legal)
		}
		if err != nil {
			return
		}
		if !json.Valid(a.Document) {
			t.Errorf("what is kept is not JSON: %s", a.Document)
		}
		if _, _, err := a.Encode(); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	made := demo.NewDetections(3)
	var documents []demo.Detection
	var size int64
	for range 500 {
		d := made.Next(time.Now())
		documents = append(documents, d)
		size += int64(len(d.Source))
	}
	p := newParser(b, "https://kibana:5601")
	b.SetBytes(size / int64(len(documents)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := documents[i%len(documents)]
		if _, err := p.Parse(d.Index, d.ID, d.Source); err != nil {
			b.Fatal(err)
		}
	}
}
