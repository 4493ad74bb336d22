package config

import (
	"regexp"
	"strings"
)

var routeSection = regexp.MustCompile(`^route(\.routes\[\])*$`)

// hintFor is what to say of a key that is not one, where more is known than the nearest name;
// empty where not. The section is written as "sources[]".
func hintFor(section, name string) string {
	if routeSection.MatchString(section) {
		switch name {
		case "continue":
			return "a route does not go on to the next yet; the first that matches takes the alert; delete it"
		case "receiver":
			return `name the Slack channel with "channel"`
		case "matchers", "match_re":
			return `write "match" with a KQL filter on the alert, such as 'severity: critical'`
		}
		if section == "route" {
			switch name {
			case "match":
				return "the root route matches every alert; put it under route.routes"
			case "channel":
				return "the channel of every alert that no route sends elsewhere is slack.channel"
			}
		}
	}
	switch name {
	case "verify_certs", "insecure", "insecure_skip_verify", "tls_skip_verify", "skip_verify", "ssl_verify", "verify":
		return "certificates are always verified; name your own authority with ca_file, or the certificate with ca_fingerprint"
	case "url", "hosts", "host":
		if section == "sources[]" {
			return `write "urls" with a list, such as [https://localhost:9200]`
		}
	case "source":
		if section == "" {
			return `write "sources" with a list`
		}
	case "routes":
		if section == "" {
			return "routes stand under route"
		}
	}
	if section == "" {
		for inside, names := range sectionKeys {
			for _, known := range names {
				if plain(name) == plain(known) {
					return "it stands under " + inside
				}
			}
		}
	}
	return ""
}

// sectionKeys are keys people put at the top of the file that stand under a section.
var sectionKeys = map[string][]string{
	"slack": {"bot_token", "app_token", "webhook_url", "channel", "pace", "in_doubt", "api_url"},
	"route": {"group_by", "group_wait", "group_interval", "repeat_interval", "rate_limit"},
}

// nearest is the word most like name, or empty if none is like it. Case, dashes and underscores
// do not count; else at most a third of the letters may differ.
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

// distance counts the letters to insert, delete, replace or swap with their neighbour to make a
// into b (the restricted Damerau-Levenshtein distance).
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
