#!/usr/bin/env bash
# rules.sh CLUSTER DIR: runs ElastAlert2 every minute with the rules in DIR/rules, in this process, until
# SIGINT or SIGTERM. What it says goes to DIR/elastalert.log.
#
# The settings are its own except for the interval and the time looked at, and its threads: THREADS (200), so that no
# rule waits for another.
set -euo pipefail
cluster=$1 dir=$2
bin=$("$(dirname "$0")/install.sh")
[[ $cluster =~ ^http://([^:/]+):([0-9]+)/?$ ]] || { echo "not http://HOST:PORT" >&2; exit 2; }
host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
state=elastalert-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
echo "$state" >"$dir/state-index"
cat >"$dir/config.yaml" <<YML
rules_folder: $dir/rules
run_every: {minutes: 1}
buffer_time: {minutes: 2}
es_host: $host
es_port: $port
writeback_index: $state
alert_time_limit: {days: 2}
max_threads: ${THREADS:-200}
YML
"$bin/elastalert-create-index" --config "$dir/config.yaml" --index "$state" --old-index "" >"$dir/create-index.log" 2>&1 </dev/null ||
	{ cat "$dir/create-index.log" >&2; exit 1; }
exec "$bin/elastalert" --config "$dir/config.yaml" --verbose </dev/null >"$dir/elastalert.log" 2>&1
