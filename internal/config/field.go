package config

import (
	"slices"

	"tocsin/internal/nearest"
)

// AlertFields are the fields that alerts commonly have: the names of their own, and those of ECS that
// detections are made of. An alert may have others.
var AlertFields = []string{
	"rule.name", "rule.id", "rule.uuid", "rule.type", "severity", "risk_score", "source", "tags", "attack.technique",
	"attack.tactic", "status", "reason",
	"@timestamp", "message", "labels", "ecs.version",
	"agent.name", "agent.id", "agent.type", "agent.version",
	"cloud.account.id", "cloud.instance.id", "cloud.provider", "cloud.region", "container.id", "container.image.name", "container.name",
	"data_stream.dataset", "data_stream.namespace", "data_stream.type",
	"destination.address", "destination.domain", "destination.geo.country_iso_code", "destination.ip", "destination.port",
	"dns.question.name", "dns.question.type", "error.code", "error.message",
	"event.action", "event.category", "event.code", "event.created", "event.dataset", "event.id", "event.ingested", "event.kind",
	"event.module", "event.outcome", "event.provider", "event.reason", "event.severity", "event.type",
	"file.extension", "file.hash.sha256", "file.name", "file.path", "group.name",
	"host.architecture", "host.hostname", "host.id", "host.ip", "host.name", "host.os.family", "host.os.name", "host.os.platform", "host.os.type",
	"http.request.method", "http.response.status_code", "log.file.path", "log.level", "network.protocol", "network.transport",
	"observer.name", "orchestrator.cluster.name", "orchestrator.namespace", "organization.name",
	"process.args", "process.command_line", "process.executable", "process.hash.sha256", "process.name", "process.parent.executable",
	"process.parent.name", "process.pid", "registry.path", "related.hosts", "related.ip", "related.user",
	"server.ip", "service.environment", "service.name", "service.type",
	"source.address", "source.as.organization.name", "source.domain", "source.geo.country_iso_code", "source.ip", "source.port",
	"url.domain", "url.full", "url.original", "url.path", "user.domain", "user.email", "user.id", "user.name", "user.roles",
	"user.effective.name", "user.target.name", "user_agent.name", "user_agent.original", "winlog.event_id", "winlog.channel",
}

// Misspelt is the known field that was probably meant by one that nobody knows; "" where it is known, or like
// none. Known are fields there are beside AlertFields.
func Misspelt(field string, known ...string) string {
	if slices.Contains(AlertFields, field) || slices.Contains(known, field) {
		return ""
	}
	near := nearest.Key(field, append(slices.Clip(AlertFields), known...))
	if near == "" || nearest.Distance([]rune(near), []rune(field)) > 2 { // fields of one's own are as good as any
		return ""
	}
	return near
}

// misspelt warns of a field that is probably not meant.
func (d *decoder) misspelt(t text) {
	if near := Misspelt(t.value); near != "" {
		d.warn(t.place, t.String()+" is no field that alerts commonly have: did you mean "+near+"?")
	}
}
