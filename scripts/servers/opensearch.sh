#!/usr/bin/env bash
# opensearch.sh PORT DATADIR: starts OpenSearch 3 on 127.0.0.1:PORT, all its state in DATADIR, and prints its
# URL when it answers. Its process id is in DATADIR/pid.
#
# The artifact named integ-test-zip on Maven Central is the whole minimal distribution, without a Java.
# NODE_JAVA_OPTS: -XX:TieredStopAtLevel=1 unless set, which starts sooner; set it empty for benchmarks.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
version=3.5.0
port=$1
data=$(mkdir -p "$2" && cd "$2" && pwd)

java=$(java_home 21 99)
home=$cache/opensearch-$version-$(recipe "$0")
if [ ! -e "$home/.complete" ]; then
	zip=$(artifact org.opensearch.distribution.integ-test-zip opensearch "$version" zip)
	unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
	unzip -q "$zip" -d "$unpacked"
	rm -rf "$unpacked/opensearch-$version/modules/"{ingest-geoip,transport-grpc,opensearch-dashboards}
	keep "$unpacked/opensearch-$version" "$home"
	rmdir "$unpacked"
fi

directories "$data"
config=$data/config
cp -rn "$home/config/." "$config/"
jvm_options "$home" "$config"
cat >"$config/opensearch.yml" <<YML
cluster.name: tocsin-$port
node.name: n$port
path.data: $data/data
path.logs: $data/logs
network.host: 127.0.0.1
http.port: $port
transport.port: 0
discovery.type: single-node
bootstrap.memory_lock: false
cluster.routing.allocation.disk.threshold_enabled: false
YML
launch "$data" env JAVA_HOME="$java" OPENSEARCH_JAVA_HOME="$java" OPENSEARCH_PATH_CONF="$config" OPENSEARCH_TMPDIR="$data/tmp" \
	OPENSEARCH_JAVA_OPTS="${NODE_JAVA_OPTS--XX:TieredStopAtLevel=1}" "$home/bin/opensearch"
await "$data" "http://127.0.0.1:$port"
