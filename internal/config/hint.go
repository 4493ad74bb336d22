package config

import (
	"regexp"

	"tocsin/internal/nearest"
)

var routeSection = regexp.MustCompile(`^route(\.routes\[\])*$`)

// hintFor is what to say of a key that is not one, where more is known than the nearest name;
// empty where not. The section is written as "sources[]".
func hintFor(section, name string) string {
	if routeSection.MatchString(section) {
		switch name {
		case "receiver":
			return `name the Slack channel with "channel"`
		case "matchers", "match_re":
			return `write "match" with a KQL filter on the alert, such as 'severity: critical'`
		}
		if section == "route" {
			switch name {
			case "match":
				return "the root route matches every alert; put it under route.routes"
			case "continue":
				return "the root route has none beside it; put it under route.routes"
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
				if nearest.Same(name, known) {
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
	"route": {"group_by", "group_wait", "group_interval", "repeat_interval", "rate_limit", "escalation", "mute_time_intervals", "active_time_intervals", "channel_from", "template"},
}
