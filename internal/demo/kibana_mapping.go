package demo

// DetectionsIndex is what an index of detections is created with: mappings like Kibana's, as far as
// searches for detections need them, in the 7.x shape or in that of 8.x and 9.x. In the latter the
// fields of 7.x are aliases of the new ones, as Kibana has it.
func DetectionsIndex(kibana string, shards int) map[string]any {
	keyword, date := field("keyword"), field("date")
	properties := map[string]any{
		"@timestamp": date,
		"message":    field("text"),
		"event":      map[string]any{"properties": map[string]any{"kind": keyword, "category": keyword, "action": keyword, "dataset": keyword}},
		"host":       map[string]any{"properties": map[string]any{"name": keyword, "ip": field("ip")}},
		"user":       map[string]any{"properties": map[string]any{"name": keyword}},
		"process":    map[string]any{"properties": map[string]any{"name": keyword, "pid": field("long")}},
		"source":     map[string]any{"properties": map[string]any{"ip": field("ip"), "port": field("long")}},
	}
	if older(kibana, "8.0") {
		properties["signal"] = map[string]any{"properties": map[string]any{
			"status": keyword, "original_time": date, "depth": field("long"), "reason": keyword,
			"_meta": map[string]any{"properties": map[string]any{"version": field("long")}},
			"rule": map[string]any{"properties": map[string]any{
				"id": keyword, "rule_id": keyword, "name": keyword, "severity": keyword, "risk_score": field("float"), "type": keyword,
				"tags": keyword, "building_block_type": keyword,
			}},
		}}
	} else {
		properties["kibana"] = map[string]any{"properties": map[string]any{
			"version": keyword, "space_ids": keyword,
			"alert": map[string]any{"properties": map[string]any{
				"uuid": keyword, "status": keyword, "severity": keyword, "risk_score": field("float"), "reason": keyword, "url": keyword,
				"workflow_status": keyword, "workflow_status_updated_at": date, "updated_at": date, "last_detected": date, "start": date,
				"original_time": date, "building_block_type": keyword, "maintenance_window_ids": keyword,
				"suppression": map[string]any{"properties": map[string]any{"docs_count": field("long"), "start": date, "end": date}},
				"rule": map[string]any{"properties": map[string]any{
					"uuid": keyword, "rule_id": keyword, "name": keyword, "rule_type_id": keyword, "tags": keyword, "type": keyword,
					"parameters": map[string]any{"type": "object", "enabled": false},
				}},
			}},
		}}
		aliasOf := func(path string) map[string]any { return map[string]any{"type": "alias", "path": path} }
		properties["signal"] = map[string]any{"properties": map[string]any{
			"status":        aliasOf("kibana.alert.workflow_status"),
			"original_time": aliasOf("kibana.alert.original_time"),
			"rule": map[string]any{"properties": map[string]any{
				"id": aliasOf("kibana.alert.rule.uuid"), "rule_id": aliasOf("kibana.alert.rule.rule_id"), "name": aliasOf("kibana.alert.rule.name"),
				"severity": aliasOf("kibana.alert.severity"), "building_block_type": aliasOf("kibana.alert.building_block_type"),
			}},
		}}
	}
	return map[string]any{
		"settings": map[string]any{"index": map[string]any{"number_of_shards": shards, "number_of_replicas": 0}},
		"mappings": map[string]any{"dynamic": false, "properties": properties},
	}
}

func field(kind string) map[string]any { return map[string]any{"type": kind} }
