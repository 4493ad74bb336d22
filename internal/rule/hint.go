package rule

// hintFor is what to say of a key that is not one, where more is known than the nearest name; empty where
// not.
func hintFor(path, name string) string {
	if path != "" {
		return ""
	}
	switch name {
	case "query", "filter", "kql":
		return `write "search", a KQL filter and then pipes`
	case "index":
		return `write "indices" with a list, such as [filebeat-*]`
	case "interval", "schedule_every", "run_every", "frequency":
		return `write "every", such as 5m`
	case "timeframe", "from", "buffer_time":
		return `write "window", such as 5m`
	case "realert", "throttle", "suppress", "suppress_for":
		return `write "same_again_after", such as 1h`
	case "query_key", "dedup_by", "suppress_by":
		return `write "dedupe_by" with a list of fields`
	case "threshold", "num_events":
		return `end the search with it, such as "| count by user.name | search count > 10"`
	case "threat", "mitre", "technique", "techniques":
		return `write "attack" with a list of techniques, such as [T1110.001]`
	case "slack", "channel", "alert", "notify":
		return "routes decide where alerts go; they stand in the configuration, under route"
	case "is_enabled", "disabled", "active":
		return `write "enabled": true, false or shadow`
	case "note", "investigation_guide":
		return `write "guide", a text, or "runbook", a link`
	case "max_signals", "limit":
		return `write "max_alerts"`
	case "time_field", "timestamp_override":
		return `write "timestamp_field"`
	}
	return ""
}
