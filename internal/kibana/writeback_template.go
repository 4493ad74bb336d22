package kibana

import (
	"encoding/json"
	"strings"
)

// WriteBackPrefix begins the names of all indices that alerts are written back to.
const WriteBackPrefix = "tocsin-alerts-"

// writeBackTemplate is the name of the index template for them.
const writeBackTemplate = "tocsin-alerts"

// keywords are fields of ours that are text to be matched whole.
var keywords = []string{
	"kibana.space_ids", "kibana.alert.uuid", "kibana.alert.instance.id", "kibana.alert.status", "kibana.alert.workflow_status",
	"kibana.alert.workflow_tags", "kibana.alert.workflow_user", "kibana.alert.workflow_assignee_ids",
	"kibana.alert.severity", "kibana.alert.building_block_type", "kibana.alert.url", "kibana.alert.attack_ids",
	"kibana.alert.rule.name", "kibana.alert.rule.uuid", "kibana.alert.rule.rule_id", "kibana.alert.rule.type",
	"kibana.alert.rule.rule_type_id", "kibana.alert.rule.category", "kibana.alert.rule.consumer", "kibana.alert.rule.producer",
	"kibana.alert.rule.description", "kibana.alert.rule.version", "kibana.alert.rule.severity", "kibana.alert.rule.tags",
	"kibana.alert.rule.references", "kibana.alert.rule.author", "kibana.alert.rule.note",
	"kibana.alert.ancestors.id", "kibana.alert.ancestors.index", "kibana.alert.ancestors.type",
	"kibana.alert.rule.threat.framework", "kibana.alert.rule.threat.tactic.id", "kibana.alert.rule.threat.tactic.name",
	"kibana.alert.rule.threat.technique.id", "kibana.alert.rule.threat.technique.name",
	"kibana.alert.rule.threat.technique.subtechnique.id", "kibana.alert.rule.threat.technique.subtechnique.name",
	"tocsin.source", "tocsin.merged_into", "tocsin.held.as", "tocsin.held.reason", "tocsin.facts", "tocsin.runbook", "tocsin.evidence_refused",
	"event.action", "event.category", "event.code", "event.dataset", "event.id", "event.kind", "event.module", "event.outcome", "event.provider", "event.type",
	"host.name", "user.name", "process.name", "process.executable", "file.name", "file.path", "tags",
}

// others are fields of another type.
var others = map[string]string{
	"@timestamp": "date", "kibana.alert.original_time": "date", "kibana.alert.start": "date", "kibana.alert.last_detected": "date",
	"kibana.alert.updated_at": "date", "kibana.alert.workflow_status_updated_at": "date",
	"kibana.alert.risk_score": "float", "kibana.alert.rule.risk_score": "float", "kibana.alert.depth": "long", "kibana.alert.ancestors.depth": "long",
	"kibana.alert.reason": "text", "message": "text",
	"tocsin.count": "long", "tocsin.first": "date", "tocsin.last": "date",
	"tocsin.late": "boolean", "tocsin.ongoing": "boolean", "tocsin.withdrawn": "boolean",
	"event.created": "date", "event.ingested": "date", "event.start": "date", "event.end": "date",
	"source.ip": "ip", "destination.ip": "ip", "client.ip": "ip", "server.ip": "ip", "host.ip": "ip",
	"source.port": "long", "destination.port": "long", "process.pid": "long",
}

// keptWhole are objects with keys of anyone's choice.
var keptWhole = []string{"tocsin.row", "tocsin.rows", "tocsin.samples"}

// writeBackIndex is settings and mappings of an index for alerts. whole is the cluster's type for an object
// whose keys are not fields of their own: flattened, in OpenSearch flat_object. Our own objects take no field
// that is not named here; evidence brings its own, within limits, and a value that does not fit its field's
// type is kept and not indexed.
func writeBackIndex(whole string) map[string]any {
	properties := map[string]any{}
	for _, name := range keywords {
		put(properties, name, map[string]any{"type": "keyword", "ignore_above": 1024})
	}
	for _, name := range originalEvent {
		put(properties, "kibana.alert.original_event."+name, map[string]any{"type": "keyword", "ignore_above": 1024})
	}
	for name, kind := range others {
		put(properties, name, map[string]any{"type": kind})
	}
	// What is made of a time we write ourselves must not be missing silently.
	put(properties, "@timestamp", map[string]any{"type": "date", "ignore_malformed": false})
	put(properties, "tocsin.evidence", map[string]any{"type": "keyword", "index": false, "doc_values": false})
	for _, name := range keptWhole {
		kind := map[string]any{"type": whole}
		if whole == "flattened" {
			kind["ignore_above"] = 1024
		}
		put(properties, name, kind)
	}
	for _, name := range []string{"kibana", "tocsin"} {
		properties[name].(map[string]any)["dynamic"] = false
	}
	return map[string]any{
		"settings": map[string]any{
			"index.mapping.total_fields.limit": 2500, "index.mapping.depth.limit": 20, "index.mapping.ignore_malformed": true,
			"index.auto_expand_replicas": "0-1", "index.number_of_shards": 1,
		},
		"mappings": map[string]any{
			"dynamic": true, "date_detection": false, "numeric_detection": false,
			"_meta": map[string]any{"managed_by": "tocsin", "version": 1},
			"dynamic_templates": []any{map[string]any{"texts": map[string]any{
				"match_mapping_type": "string", "mapping": map[string]any{"type": "keyword", "ignore_above": 1024},
			}}},
			"properties": properties,
		},
	}
}

// put places a field into nested properties.
func put(properties map[string]any, name string, field map[string]any) {
	head, rest, nested := strings.Cut(name, ".")
	if !nested {
		properties[name] = field
		return
	}
	o, _ := properties[head].(map[string]any)
	if o == nil {
		o = map[string]any{"properties": map[string]any{}}
		properties[head] = o
	}
	put(o["properties"].(map[string]any), rest, field)
}

// WriteBackTemplate is the request body of PUT /_index_template/tocsin-alerts, for people who install it by
// hand: as JSON, for Elasticsearch or for OpenSearch.
func WriteBackTemplate(opensearch bool) ([]byte, error) {
	whole := "flattened"
	if opensearch {
		whole = "flat_object"
	}
	return json.MarshalIndent(templateOf(whole), "", "  ")
}

func templateOf(whole string) map[string]any {
	return map[string]any{
		"index_patterns": []string{WriteBackPrefix + "*"}, "priority": 200,
		"template": writeBackIndex(whole), "_meta": map[string]any{"managed_by": "tocsin"},
	}
}
