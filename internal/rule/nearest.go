package rule

import "strings"

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

// nearest is the word most like name, or empty if none is like it. Case, dashes and underscores do not
// count; else at most a third of the letters may differ.
func nearest(name string, words []string) string {
	best, least := "", len(plain(name))/3+2
	for _, word := range words {
		d := distance(plain(name), plain(word))
		if d < least && 2*d < len(plain(word)) || d == 0 && best == "" {
			best, least = word, d
		}
	}
	return best
}

func plain(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to make a into b
// (the restricted Damerau-Levenshtein distance).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 { // no key is that long
		return max(len(x), len(y))
	}
	table := make([][]int, len(x)+1)
	for i := range table {
		table[i] = make([]int, len(y)+1)
		table[i][0] = i
	}
	for j := range table[0] {
		table[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			table[i][j] = min(table[i-1][j]+1, table[i][j-1]+1, table[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				table[i][j] = min(table[i][j], table[i-2][j-2]+1)
			}
		}
	}
	return table[len(x)][len(y)]
}
