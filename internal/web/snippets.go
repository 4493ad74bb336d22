package web

import (
	"net"
	"strings"
)

// snippet is what a shipper is told to send here.
type snippet struct{ Name, Text string }

// snippets are of this address, with the place of a token where a login is required.
func snippets(address string, tls, login bool) []snippet {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, "80"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	url := scheme + "://" + address
	when := func(there bool, text string) string {
		if there {
			return text
		}
		return ""
	}
	return []snippet{
		{"Filebeat", `filebeat.inputs:
  - type: filestream
    id: auth
    paths: [/var/log/auth.log]
output.elasticsearch:
  hosts: ["` + url + `"]
` + when(login, "  api_key: \"id:key\"\n") + `  allow_older_versions: true
  bulk_max_size: 1600
setup.template.enabled: false
setup.ilm.enabled: false`},
		{"Vector", `[sources.auth]
type = "file"
include = ["/var/log/auth.log"]

[transforms.ecs]
type = "remap"
inputs = ["auth"]
source = '''
."@timestamp" = del(.timestamp)
'''

[sinks.tocsin]
type = "elasticsearch"
inputs = ["ecs"]
endpoints = ["` + url + `"]
api_version = "v8"
compression = "gzip"
mode = "bulk"
bulk.action = "create"
bulk.index = "vector"` + when(login, `
auth.strategy = "basic"
auth.user = "id"
auth.password = "key"`)},
		{"Fluent Bit", `[INPUT]
    Name                tail
    Path                /var/log/auth.log

[OUTPUT]
    Name                es
    Match               *
    Host                ` + host + `
    Port                ` + port + `
` + when(tls, "    tls                 On\n") + when(login, "    HTTP_User           id\n    HTTP_Passwd         key\n") + `    Index               fluentbit
    Time_Key            @timestamp
    Time_Key_Nanos      On
    Suppress_Type_Name  On
    Write_Operation     create
    Generate_ID         On
    Compress            gzip
    Buffer_Size         False
    Retry_Limit         no_limits`},
		{"rsyslog", `module(load="omelasticsearch")
template(name="ecs" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf")
  property(outname="process.name" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
action(type="omelasticsearch" server="` + host + `" serverport="` + port + `" template="ecs"
       searchIndex="syslog" searchType="" bulkmode="on" usehttps="` + onOff(tls) + `"` + when(login, `
       uid="id" pwd="key"`) + `
       queue.type="linkedList" queue.size="20000" action.resumeRetryCount="-1"
       errorfile="/var/log/rsyslog-tocsin-errors.json")`},
		{"curl", strings.Join([]string{
			`curl` + when(login, ` -H "Authorization: ApiKey $(printf id:key | base64)"`) + ` -H 'Content-Type: application/x-ndjson' \\`,
			`  ` + url + `/logs/_bulk --data-binary \\`,
			`  $'{"create":{}}\n{"message":"hello"}\n'`,
		}, "\n")},
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
