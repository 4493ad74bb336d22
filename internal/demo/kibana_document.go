package demo

import (
	"fmt"
	"strings"
	"time"
)

// types are the rules' types by kind.
var types = map[DetectionKind]string{
	QueryDetection: "query", LearningDetection: "machine_learning", ThresholdDetection: "threshold", SequenceDetection: "eql", BlockDetection: "eql",
	IndicatorDetection: "threat_match", NewTermsDetection: "new_terms", SuppressedDetection: "query", LanguageDetection: "esql",
	DiscoveryDetection: "attack-discovery",
}

// typeIDs are the ids and names of the rules' types in the alerting framework of 8.x.
var typeIDs = map[string][2]string{
	"query": {"siem.queryRule", "Custom Query Rule"}, "machine_learning": {"siem.mlRule", "Machine Learning Rule"},
	"threshold": {"siem.thresholdRule", "Threshold Rule"}, "eql": {"siem.eqlRule", "Event Correlation Rule"},
	"threat_match": {"siem.indicatorRule", "Indicator Match Rule"}, "new_terms": {"siem.newTermsRule", "New Terms Rule"},
	"esql": {"siem.esqlRule", "ES|QL Rule"}, "attack-discovery": {"attack-discovery", "Attack discovery"},
}

const sampleNote = "## Triage\n\n1. Ask the owner of the host whether this was planned.\n2. Look at what the same user did in the hour before.\n" +
	"3. If nobody knows of it, take the host off the network and open a case.\n\n!{investigate{\"label\":\"Events of this host\",\"description\":\"\",\"providers\":[]}}\n"

// sourceEvent is the source event's part of a detection, nested as shippers write it.
func (f finding) sourceEvent(kind DetectionKind) map[string]any {
	out := map[string]any{
		"host": map[string]any{
			"name": f.host.name, "hostname": f.host.name, "id": uuid(f.host.name), "ip": []string{f.host.address, "fe80::1"},
			"os": map[string]any{"name": f.host.os, "version": f.host.version, "family": strings.ToLower(strings.Fields(f.host.os)[0])},
		},
		"user":  map[string]any{"name": f.user, "id": fmt.Sprint(1000 + len(f.user))},
		"agent": map[string]any{"type": "filebeat", "id": uuid("agent " + f.host.name), "version": "8.8.0"},
		"ecs":   map[string]any{"version": "8.0.0"},
		"process": map[string]any{
			"name": f.process, "pid": f.port, "executable": "/usr/local/bin/" + f.process, "args": []string{f.process, "--quiet"},
			"parent": map[string]any{"name": f.parent, "pid": 1},
		},
		"source":       map[string]any{"ip": f.address, "port": f.port},
		"service.name": "shipper",
		"message":      fmt.Sprintf("%s %s by %s on %s from %s", f.rule.action, f.process, f.user, f.host.name, f.address),
	}
	switch kind {
	case ThresholdDetection, LanguageDetection, DiscoveryDetection:
		// Aggregations have no source event, only what they grouped by.
		out = map[string]any{}
		for _, field := range f.rule.fields {
			out[field] = f.value(field)
		}
	case SequenceDetection:
		delete(out, "process")
		delete(out, "message")
	case IndicatorDetection:
		out["destination"] = map[string]any{"ip": f.address, "port": 443}
		out["threat"] = map[string]any{"enrichments": []any{map[string]any{
			"indicator": map[string]any{"type": "ipv4-addr", "ip": f.address, "provider": "sample feed"},
			"feed":      map[string]any{"name": "Sample feed"},
			"matched":   map[string]any{"atomic": f.address, "field": "destination.ip", "id": f.docID, "index": "indicators", "type": "indicator_match_rule"},
		}}}
	}
	return out
}

func (f finding) value(field string) string {
	switch field {
	case "user.name":
		return f.user
	case "host.name":
		return f.host.name
	case "process.name":
		return f.process
	}
	return f.address
}

func (f finding) original() map[string]any {
	return map[string]any{
		"kind": "event", "category": []string{f.rule.category}, "action": f.rule.action, "dataset": f.rule.dataset,
		"module": strings.Split(f.rule.dataset, ".")[0], "outcome": "unknown", "id": f.docID,
	}
}

func (f finding) reason() string {
	return fmt.Sprintf("%s event with process %s, by %s on %s created %s alert %s.", f.rule.category, f.process, f.user, f.host.name, f.severity, f.rule.name)
}

func (f finding) threats() []any {
	out := []any{}
	for _, t := range f.rule.threat {
		entry := map[string]any{"framework": "MITRE ATT&CK", "tactic": map[string]any{
			"id": t.tacticID, "name": t.tactic, "reference": "https://attack.mitre.org/tactics/" + t.tacticID + "/",
		}}
		if t.techniqueID != "" {
			technique := map[string]any{"id": t.techniqueID, "name": t.technique, "reference": "https://attack.mitre.org/techniques/" + t.techniqueID + "/"}
			if t.subID != "" {
				technique["subtechnique"] = []any{map[string]any{"id": t.subID, "name": t.sub, "reference": "https://attack.mitre.org/techniques/" + strings.ReplaceAll(t.subID, ".", "/") + "/"}}
			}
			entry["technique"] = []any{technique}
		}
		out = append(out, entry)
	}
	return out
}

// ruleObject is the rule as the API shows it, without its ids and name.
func (f finding) ruleObject(kind DetectionKind) map[string]any {
	out := map[string]any{
		"description": f.rule.description, "risk_score": f.rule.risk, "severity": f.rule.severity, "type": types[kind],
		"author": []string{"Tocsin's samples"}, "license": "", "false_positives": []string{"A planned change."},
		"references": []string{"https://example.com/runbooks/" + uuid(f.rule.name)[:8]}, "from": "now-6m", "to": "now", "max_signals": 100,
		"risk_score_mapping": []any{}, "severity_mapping": []any{}, "exceptions_list": []any{}, "immutable": false, "version": 3,
		"threat": f.threats(), "language": "kuery", "query": f.rule.query, "index": []string{"logs-*", "filebeat-*"}, "filters": []any{},
		"note": sampleNote, "meta": map[string]any{"from": "1m", "kibana_siem_app_url": "http://kibana.example:5601/app/security"},
	}
	switch kind {
	case ThresholdDetection:
		out["threshold"] = map[string]any{"field": f.rule.fields, "value": 5, "cardinality": []any{}}
	case NewTermsDetection:
		out["new_terms_fields"], out["history_window_start"] = f.rule.fields, "now-14d"
	case SuppressedDetection:
		out["alert_suppression"] = map[string]any{"group_by": f.rule.fields, "missing_fields_strategy": "suppress", "duration": map[string]any{"value": 1, "unit": "h"}}
	case LearningDetection:
		out["anomaly_threshold"], out["machine_learning_job_id"] = 75, []string{"sample_job"}
	case IndicatorDetection:
		out["threat_query"], out["threat_index"], out["threat_indicator_path"] = "*", []string{"indicators"}, "threat.indicator"
		out["threat_mapping"] = []any{map[string]any{"entries": []any{map[string]any{"field": "destination.ip", "type": "mapping", "value": "threat.indicator.ip"}}}}
	}
	return out
}

func (f finding) terms() []any {
	out := []any{}
	for _, field := range f.rule.fields {
		out = append(out, map[string]any{"field": field, "value": f.value(field)})
	}
	return out
}

// signal writes the document of a 7.x version.
func (d *Detections) signal(kibana string, kind DetectionKind, f finding) map[string]any {
	out := f.sourceEvent(kind)
	out["@timestamp"] = iso(f.at)
	original := f.original()
	out["event"] = map[string]any{"kind": "signal", "category": original["category"], "action": original["action"], "dataset": original["dataset"]}
	rule := f.ruleObject(kind)
	ancestor := map[string]any{"id": f.docID, "type": "event", "index": "filebeat-000001", "depth": 0}
	for key, value := range map[string]any{
		"id": uuid(f.rule.name), "rule_id": uuid("signature " + f.rule.name), "name": f.rule.name, "interval": "5m", "enabled": true,
		"created_by": "elastic", "updated_by": "elastic", "created_at": iso(f.at.AddDate(0, -1, 0)), "updated_at": iso(f.at.AddDate(0, 0, -3)),
		"output_index": ".siem-signals-" + d.space, "tags": append([]string{"__internal_immutable:false", "__internal_rule_id:" + uuid("signature "+f.rule.name)}, f.rule.tags...),
	} {
		rule[key] = value
	}
	signal := map[string]any{
		"rule": rule, "status": "open", "original_time": iso(f.event), "original_event": original, "ancestors": []any{ancestor},
	}
	if older(kibana, "7.10") {
		signal["parent"] = map[string]any{"rule": uuid(f.rule.name), "id": f.docID, "type": "event", "index": "filebeat-000001", "depth": 1}
		rule["meta"] = map[string]any{"from": "1m", "kibana_siem_app_url": "http://kibana.example:5601/app/siem"}
	} else {
		signal["parent"], signal["parents"], signal["depth"] = ancestor, []any{ancestor}, 1
		signal["_meta"] = map[string]any{"version": map[bool]int{true: 45, false: 57}[older(kibana, "7.15")]}
		rule["actions"], rule["throttle"] = []any{}, nil
	}
	if !older(kibana, "7.15") {
		signal["reason"] = f.reason()
	}
	switch kind {
	case ThresholdDetection:
		switch {
		case older(kibana, "7.10"):
			signal["threshold_count"] = f.count
		case older(kibana, "7.12"):
			rule["threshold"] = map[string]any{"field": f.rule.fields[0], "value": 5}
			signal["threshold_result"] = map[string]any{"count": f.count, "value": f.value(f.rule.fields[0])}
		default:
			signal["threshold_result"] = map[string]any{"count": f.count, "terms": f.terms(), "from": iso(f.event.Add(-time.Minute))}
		}
	case SequenceDetection:
		signal["group"], signal["depth"] = map[string]any{"id": f.id}, 2
	case BlockDetection:
		signal["group"], rule["building_block_type"] = map[string]any{"id": d.hash("group"), "index": d.random.IntN(3)}, "default"
	case IndicatorDetection:
		if older(kibana, "7.15") {
			enrichment := out["threat"].(map[string]any)["enrichments"].([]any)[0].(map[string]any)
			out["threat"] = map[string]any{"indicator": []any{map[string]any{"ip": f.address, "matched": enrichment["matched"]}}}
		}
	}
	out["signal"] = signal
	return out
}

// alert writes the document of an 8.x or 9.x version.
func (d *Detections) alert(kibana string, kind DetectionKind, f finding) map[string]any {
	out := f.sourceEvent(kind)
	original := f.original()
	out["@timestamp"], out["kibana.version"], out["kibana.space_ids"] = iso(f.at), kibana+".0", []string{d.space}
	for key, value := range original {
		out["kibana.alert.original_event."+key] = value
		if key != "kind" && !older(kibana, "8.19") && key != "category" {
			continue
		}
		out["event."+key] = value
	}
	if !older(kibana, "8.9") { // newer ones keep the source's object beside the dotted key
		out["event"] = map[string]any{"action": original["action"], "dataset": original["dataset"]}
	}
	out["event.kind"] = "signal"
	set := func(key string, value any) { out["kibana.alert."+key] = value }
	parameters := f.ruleObject(kind)
	for _, key := range []string{"description", "risk_score", "severity", "author", "license", "false_positives", "references", "from", "to", "max_signals", "exceptions_list", "immutable", "version", "threat", "note", "meta", "type"} {
		set("rule."+key, parameters[key])
	}
	if older(kibana, "8.8") {
		delete(parameters, "meta")
	}
	typeID := typeIDs[types[kind]]
	parameters["rule_id"] = uuid("signature " + f.rule.name)
	for key, value := range map[string]any{
		"parameters": parameters, "name": f.rule.name, "uuid": uuid(f.rule.name), "rule_id": parameters["rule_id"], "rule_type_id": typeID[0], "category": typeID[1],
		"consumer": "siem", "producer": "siem", "tags": f.rule.tags, "enabled": true, "interval": "5m", "created_by": "elastic", "updated_by": "elastic",
		"created_at": iso(f.at.AddDate(0, -1, 0)), "updated_at": iso(f.at.AddDate(0, 0, -3)), "actions": []any{}, "execution.uuid": uuid(f.id), "indices": []string{"logs-*", "filebeat-*"},
	} {
		set("rule."+key, value)
	}
	set("uuid", f.id)
	set("status", "active")
	set("workflow_status", "open")
	set("severity", f.severity)
	set("risk_score", f.risk)
	set("reason", f.reason())
	set("depth", 1)
	set("original_time", iso(f.event))
	set("ancestors", []any{map[string]any{"id": f.docID, "type": "event", "index": "filebeat-000001", "depth": 0}})
	if !older(kibana, "8.8") {
		set("start", iso(f.at))
		set("last_detected", iso(f.at))
		set("rule.revision", 2)
		set("url", fmt.Sprintf("http://kibana.example:5601/app/security/alerts/redirect/%s?index=.alerts-security.alerts-%s&timestamp=%s", f.id, d.space, iso(f.at)))
	}
	if !older(kibana, "8.19") {
		set("workflow_tags", []string{})
		set("workflow_assignee_ids", []string{})
		set("rule.execution.type", "scheduled")
		set("intended_timestamp", iso(f.at))
	}
	switch kind {
	case ThresholdDetection:
		set("threshold_result", map[string]any{"count": f.count, "terms": f.terms(), "from": iso(f.event.Add(-time.Minute))})
	case SequenceDetection:
		set("group.id", f.id)
		set("depth", 2)
	case BlockDetection:
		set("group.id", d.hash("group"))
		set("group.index", d.random.IntN(3))
		set("building_block_type", "default")
		set("rule.building_block_type", "default")
	case NewTermsDetection:
		values := []string{}
		for _, field := range f.rule.fields {
			values = append(values, f.value(field))
		}
		set("new_terms", values)
	case SuppressedDetection:
		set("suppression.terms", f.terms())
		set("suppression.start", iso(f.event))
		set("suppression.end", iso(f.event))
		set("suppression.docs_count", d.random.IntN(3))
		set("instance.id", d.hash("instance"))
	}
	return out
}
