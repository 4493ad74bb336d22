#!/usr/bin/env bash
# prepare.sh CLUSTER INDEX WEBHOOK DIR: writes into DIR what ElastAlert2 needs to post one Slack message for each
# document of INDEX (Kibana detection alerts) to WEBHOOK, and makes the index of its own state in CLUSTER.
# CLUSTER is http://HOST:PORT or https://USER:PASSWORD@HOST:PORT; CA_FILE is then its certificate authority.
# BUFFER_MINUTES (60): documents older than that are not looked at.
#
# The settings are those that give it its best: one pass reads everything there is, nothing is held
# back (realert 0), and the message names what Tocsin's names.
set -euo pipefail
cluster=$1 index=$2 webhook=$3 dir=$4
bin=$("$(dirname "$0")/install.sh")
pattern='^(https?)://(([^:@/]+):([^@/]+)@)?([^:/]+):([0-9]+)/?$'
[[ $cluster =~ $pattern ]] || { echo "not http://HOST:PORT or https://USER:PASSWORD@HOST:PORT" >&2; exit 2; }
scheme=${BASH_REMATCH[1]} user=${BASH_REMATCH[3]} password=${BASH_REMATCH[4]} host=${BASH_REMATCH[5]} port=${BASH_REMATCH[6]}
mkdir -p "$dir/rules"
dir=$(cd "$dir" && pwd)
state=elastalert-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
echo "$state" >"$dir/state-index"
(
	umask 077
	cat >"$dir/config.yaml" <<YML
rules_folder: $dir/rules
run_every: {seconds: 1}
buffer_time: {minutes: ${BUFFER_MINUTES:-60}}
es_host: $host
es_port: $port
use_ssl: $([ "$scheme" = https ] && echo true || echo false)
writeback_index: $state
alert_time_limit: {days: 2}
max_query_size: 10000
YML
	[ -z "$user" ] || printf 'es_username: "%s"\nes_password: "%s"\n' "$user" "$password" >>"$dir/config.yaml"
	[ -z "${CA_FILE:-}" ] || printf 'ca_certs: "%s"\n' "$CA_FILE" >>"$dir/config.yaml"
)
cat >"$dir/rules/alerts.yaml" <<YML
name: Kibana detections
type: any
index: $index
timestamp_field: "@timestamp"
realert: {minutes: 0}
alert: [slack]
slack_webhook_url: "$webhook"
slack_title: Detection
alert_subject: "{0}"
alert_subject_args: [kibana.alert.rule.name]
alert_text_type: alert_text_only
alert_text: "{0}\nSeverity {1}, risk {2}. Host {3}, user {4}."
alert_text_args: [kibana.alert.reason, kibana.alert.severity, kibana.alert.risk_score, host.name, user.name]
YML
"$bin/elastalert-create-index" --config "$dir/config.yaml" --index "$state" --old-index "" >"$dir/create-index.log" 2>&1 </dev/null ||
	{ cat "$dir/create-index.log" >&2; exit 1; }
