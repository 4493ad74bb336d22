#!/usr/bin/env bash
# frequency.sh CLUSTER INDEX DIR FROM TO: asks once with ElastAlert2's frequency rule which users of INDEX had more
# than ten events within five minutes, in the documents from FROM to TO, and ends. Matches go to DIR/matches.log.
#
# CLUSTER is http://HOST:PORT. The settings are those that give it its best: one pass over all documents, only
# the field it needs, nothing held back and nothing sent.
set -euo pipefail
cluster=$1 index=$2 dir=$3 from=$4 to=$5
bin=$("$(dirname "$0")/install.sh")
[[ $cluster =~ ^http://([^:/]+):([0-9]+)/?$ ]] || { echo "not http://HOST:PORT" >&2; exit 2; }
host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
mkdir -p "$dir/rules"
state=elastalert-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
echo "$state" >"$dir/state-index"
cat >"$dir/config.yaml" <<YML
rules_folder: $dir/rules
run_every: {minutes: 1}
buffer_time: {days: 30}
es_host: $host
es_port: $port
writeback_index: $state
alert_time_limit: {days: 2}
max_query_size: 10000
max_scrolling_count: 100000
YML
cat >"$dir/rules/frequency.yaml" <<YML
name: Many failed logins
type: frequency
index: $index
timestamp_field: "@timestamp"
filter:
- bool: {filter: [{term: {event.action: ssh_login}}, {term: {event.outcome: failure}}]}
num_events: 11
timeframe: {minutes: 5}
query_key: user.name
include: [user.name]
realert: {minutes: 0}
alert: [debug]
YML
"$bin/elastalert-create-index" --config "$dir/config.yaml" --index "$state" --old-index "" >"$dir/create-index.log" 2>&1 </dev/null ||
	{ cat "$dir/create-index.log" >&2; exit 1; }
exec "$bin/elastalert" --config "$dir/config.yaml" --verbose --start "$from" --end "$to" </dev/null >"$dir/matches.log" 2>&1
