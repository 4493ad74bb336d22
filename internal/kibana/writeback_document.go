package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
)

// ecsRoots are the field sets of the Elastic Common Schema that an alert's evidence keeps at the top of its
// document. What else a row has goes under tocsin.row, where names of different rules cannot conflict.
var ecsRoots = []string{
	"agent", "client", "cloud", "container", "data_stream", "destination", "device", "dll", "dns", "ecs", "email", "error", "event", "faas",
	"file", "group", "host", "http", "labels", "log", "message", "network", "observer", "orchestrator", "organization", "package", "process",
	"registry", "related", "server", "service", "source", "tags", "threat", "tls", "url", "user", "user_agent", "volume", "vulnerability",
}

// originalEvent are the fields of event.* that Kibana repeats under kibana.alert.original_event.
var originalEvent = []string{"action", "category", "code", "dataset", "id", "kind", "module", "outcome", "provider", "type"}

// document is an alert as Kibana 8 would have written it, with what Kibana has no name for under tocsin.
type document struct {
	fields map[string]any
	// evidence are the names of fields that are the alert's evidence, and not ours.
	evidence []string
	space    string
}

// documentOf makes the document of an alert of our own rules.
func documentOf(a *alert.Alert, space string) (document, error) {
	d := document{fields: map[string]any{}, space: space}
	own := map[string]any{}
	if err := d.addEvidence(a, own); err != nil {
		return d, fmt.Errorf("evidence of alert %s: %w", a.ID, err)
	}
	rule := a.Rule
	uuid := rule.UUID
	if uuid == "" {
		uuid = rule.ID
	}
	typeID := "tocsin." + rule.Type
	if rule.Type == "" {
		typeID = "tocsin.rule"
	}
	status := a.Status
	if status == "" {
		status = alert.StatusOpen
	}
	// A condition that turned out not to hold, or to be part of another, is over.
	active := "active"
	if a.Unfollowed != "" {
		active = "untracked" // as Kibana's own, of a rule that was turned off
	} else if a.Withdrawn || a.MergedInto != "" || !a.Ended.IsZero() {
		active = "recovered"
	}
	original := a.Event
	if original.IsZero() {
		original = a.Time
	}
	first, last := a.First, a.Last
	if first.IsZero() {
		first = original
	}
	if last.IsZero() {
		last = first
	}
	count := max(a.Count, 1)
	for name, v := range map[string]any{
		"@timestamp": stamp(a.Time), "event.kind": "signal", "kibana.space_ids": []string{space},
		"kibana.alert.uuid": a.ID, "kibana.alert.instance.id": a.ID, "kibana.alert.status": active, "kibana.alert.workflow_status": status,
		"kibana.alert.severity": a.Severity, "kibana.alert.risk_score": a.Risk, "kibana.alert.reason": a.Reason,
		"kibana.alert.original_time": stamp(original), "kibana.alert.start": stamp(a.Time), "kibana.alert.last_detected": stamp(last),
		"kibana.alert.updated_at": stamp(a.Updated), "kibana.alert.depth": 1, "kibana.alert.url": a.URL,
		"kibana.alert.rule.name": rule.Name, "kibana.alert.rule.uuid": uuid, "kibana.alert.rule.rule_id": rule.ID,
		"kibana.alert.rule.type": rule.Type, "kibana.alert.rule.rule_type_id": typeID, "kibana.alert.rule.category": "Tocsin Rule",
		"kibana.alert.rule.consumer": "tocsin", "kibana.alert.rule.producer": "tocsin", "kibana.alert.rule.description": rule.Description,
		"kibana.alert.rule.version": rule.Version, "kibana.alert.rule.severity": a.Severity, "kibana.alert.rule.risk_score": a.Risk,
		"kibana.alert.rule.tags": orEmpty(a.Tags), "kibana.alert.rule.references": orEmpty(rule.References), "kibana.alert.rule.note": rule.Guide,
		"kibana.alert.rule.author": orEmpty(nonEmpty(rule.Owner)), "kibana.alert.rule.threat": threats(a.Threat), "kibana.alert.attack_ids": orEmpty(a.Techniques()),
		"kibana.alert.building_block_type": nil, "kibana.alert.ancestors": ancestors(a),
	} {
		d.fields[name] = v
	}
	if a.BuildingBlock {
		d.fields["kibana.alert.building_block_type"] = "default"
	}
	own["source"], own["count"], own["first"], own["last"] = a.Source, count, stamp(first), stamp(last)
	own["late"], own["ongoing"], own["withdrawn"] = a.Late, a.Ongoing, a.Withdrawn
	own["merged_into"], own["held"], own["runbook"] = nil, nil, rule.Runbook
	if a.MergedInto != "" {
		own["merged_into"] = a.MergedInto
	}
	if a.Held != nil {
		own["held"] = map[string]any{"as": a.Held.As, "reason": a.Held.Reason}
	}
	facts := make([]string, 0, len(a.Facts))
	for _, f := range a.Facts {
		facts = append(facts, f.Name+": "+f.Value)
	}
	own["facts"] = facts
	// An update merges: what an earlier content said has to be taken back by name.
	own["evidence"], own["evidence_refused"] = nil, nil
	d.fields["tocsin"] = own
	return d, nil
}

// addEvidence lays the alert's document out: known field sets at the top, the rest under row, what detection
// keeps for us (rows, samples) beside it.
func (d *document) addEvidence(a *alert.Alert, own map[string]any) error {
	if len(bytes.TrimSpace(a.Document)) == 0 {
		return nil
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(a.Document, &doc); err != nil {
		return err
	}
	row := map[string]json.RawMessage{}
	for name, v := range doc {
		root, _, _ := strings.Cut(name, ".")
		switch {
		case name == "tocsin":
			var kept map[string]json.RawMessage
			if json.Unmarshal(v, &kept) == nil {
				for _, k := range []string{"rows", "samples"} {
					if kept[k] != nil {
						own[k] = kept[k]
					}
				}
			}
		case root == "kibana" || root == "signal" || root == "tocsin" || root == "@timestamp" || strings.HasPrefix(name, "_"):
		case slices.Contains(ecsRoots, root):
			d.fields[name] = v
			d.evidence = append(d.evidence, name)
		default:
			row[name] = v
		}
	}
	if len(row) > 0 {
		own["row"] = row
	}
	flat, err := alert.Flatten(a.Document)
	if err != nil {
		return err
	}
	for _, name := range originalEvent {
		if v := flat["event."+name]; v != nil {
			d.fields["kibana.alert.original_event."+name] = v
		}
	}
	// event.kind is ours to say; in a nested event it would stand twice.
	var event map[string]json.RawMessage
	if json.Unmarshal(doc["event"], &event) == nil && event["kind"] != nil {
		delete(event, "kind")
		d.fields["event"] = event
	}
	d.evidence = slices.DeleteFunc(d.evidence, func(name string) bool { return name == "event.kind" })
	return nil
}

// bare takes the evidence out of the document's fields and keeps it as text, which no mapping refuses.
func (d *document) bare(a *alert.Alert, why string) {
	for _, name := range d.evidence {
		delete(d.fields, name)
	}
	for name := range d.fields {
		if strings.HasPrefix(name, "kibana.alert.original_event.") {
			delete(d.fields, name)
		}
	}
	d.evidence = nil
	own := d.fields["tocsin"].(map[string]any)
	delete(own, "row")
	delete(own, "rows")
	delete(own, "samples")
	own["evidence"], own["evidence_refused"] = string(a.Document), why
}

// json writes the document; for an update without the status, which is that of the people who work with it.
func (d *document) json(update bool) (json.RawMessage, error) {
	fields := d.fields
	if update && fields["kibana.alert.workflow_status"] == alert.StatusOpen {
		fields = make(map[string]any, len(d.fields))
		for k, v := range d.fields {
			if k != "kibana.alert.workflow_status" {
				fields[k] = v
			}
		}
	}
	return json.Marshal(fields)
}

// stamp is a time as Kibana writes it.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(isoMillis)
}

func orEmpty(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// ancestors is the document the alert is about, where it is one.
func ancestors(a *alert.Alert) []any {
	if a.SourceID == string(a.ID) || a.Index == "" {
		return []any{}
	}
	return []any{map[string]any{"id": a.SourceID, "index": a.Index, "type": "event", "depth": 0}}
}

// threats are techniques under their tactics, as a rule of Kibana has them.
func threats(in []alert.Threat) []any {
	type entry struct {
		tactic     map[string]any
		techniques []any
	}
	var (
		order []*entry
		by    = map[string]*entry{}
	)
	for _, t := range in {
		all := []alert.Threat{t}
		if t.TacticID == "" && t.TechniqueID != "" {
			all = alert.Threats([]string{t.TechniqueID})
		}
		for _, t := range all {
			e := by[t.TacticID]
			if e == nil {
				e = &entry{tactic: map[string]any{"id": t.TacticID, "name": t.TacticName}}
				by[t.TacticID], order = e, append(order, e)
			}
			if t.TechniqueID != "" {
				e.techniques = append(e.techniques, technique(t))
			}
		}
	}
	out := []any{}
	for _, e := range order {
		out = append(out, map[string]any{"framework": "MITRE ATT&CK", "tactic": e.tactic, "technique": e.techniques})
	}
	return out
}

// technique is a technique, or one with its subtechnique.
func technique(t alert.Threat) map[string]any {
	parent, _, sub := strings.Cut(t.TechniqueID, ".")
	if !sub {
		return map[string]any{"id": t.TechniqueID, "name": t.TechniqueName}
	}
	known, _ := alert.LookupTechnique(parent)
	return map[string]any{
		"id": parent, "name": known.Name,
		"subtechnique": []any{map[string]any{"id": t.TechniqueID, "name": t.TechniqueName}},
	}
}
