package web

// fieldInfo says what well-known fields of the Elastic Common Schema hold, in a few words.
var fieldInfo = map[string]string{
	"@timestamp": "when it happened", "message": "the line as it was logged", "tags": "words to find it by", "labels": "names and values of one's own",
	"event.action": "what was done", "event.category": "the kind of event", "event.code": "the number of the kind of event", "event.dataset": "the log it is from",
	"event.duration": "how long it took, in nanoseconds", "event.ingested": "when it was taken in", "event.kind": "event, alert, metric or state",
	"event.module": "what collects the log", "event.outcome": "success, failure or unknown", "event.type": "start, end, access, denied and the like",
	"user.name": "who", "user.id": "the number of who", "user.domain": "the directory of who", "user.target.name": "who it was done to", "user.effective.name": "as whom",
	"host.name": "on which machine", "host.hostname": "what the machine calls itself", "host.ip": "the machine's addresses", "host.os.name": "the machine's system",
	"source.ip": "from which address", "source.port": "from which port", "source.bytes": "bytes sent", "source.geo.country_iso_code": "from which country",
	"source.geo.country_name": "from which country", "source.as.organization.name": "from whose network",
	"destination.ip": "to which address", "destination.port": "to which port", "destination.bytes": "bytes received", "destination.domain": "to which name",
	"client.ip": "the address of who asked", "server.ip": "the address of who answered", "network.protocol": "http, dns, ssh and the like", "network.bytes": "bytes both ways",
	"network.direction": "inbound, outbound or internal", "process.name": "the program", "process.executable": "the program's path", "process.command_line": "the program with its arguments",
	"process.args": "the program's arguments", "process.pid": "the process's number", "process.parent.name": "the program that started it", "process.hash.sha256": "the program's SHA-256",
	"file.name": "the file", "file.path": "the file's path", "file.hash.sha256": "the file's SHA-256", "file.size": "the file's size in bytes",
	"url.full": "the whole address", "url.domain": "the address's host", "url.path": "the address's path", "url.query": "what follows the ?",
	"http.request.method": "GET, POST and the like", "http.response.status_code": "200, 404 and the like", "http.response.bytes": "bytes answered", "user_agent.original": "what the browser calls itself",
	"dns.question.name": "the name that was asked for", "dns.response_code": "NOERROR, NXDOMAIN and the like", "rule.name": "the rule that matched", "log.level": "error, warn, info and the like",
	"log.file.path": "the file the line is from", "service.name": "the service it is from", "agent.name": "the shipper's name", "cloud.account.id": "the account in the cloud",
	"cloud.region": "the region of the cloud", "container.name": "the container", "kubernetes.pod.name": "the pod", "kubernetes.namespace": "the namespace", "error.message": "the error's text",
	"winlog.event_id": "the number of Windows' event", "winlog.channel": "the log of Windows", "registry.path": "the key in the registry", "group.name": "the group",
	"email.from.address": "who sent the mail", "threat.technique.id": "the ATT&CK technique", "related.ip": "all addresses in it", "related.user": "all users in it",
}
