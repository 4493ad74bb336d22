#!/usr/bin/env bash
# elasticsearch.sh VERSION PORT DATADIR: starts Elasticsearch 7.10, 7.17 or 8.19 on 127.0.0.1:PORT, all its state in
# DATADIR, and prints its URL when it answers. Its process id is in DATADIR/pid.
#
# NODE_PASSWORD: turns security on, the user elastic has this password, and API keys work.
# NODE_CERTS: a directory made by certificates.sh; with NODE_PASSWORD the node then speaks HTTPS.
# NODE_JAVA_OPTS: as for opensearch.sh.
#
# Parts of what is downloaded are under the Elastic License: it is for tests on this machine and is
# never passed on.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
version=$1
port=$2
data=$(mkdir -p "$3" && cd "$3" && pwd)
password=${NODE_PASSWORD:-}
certs=${NODE_CERTS:-}

java=$(java_home 17 23 javac) # Java 24 has no SecurityManager any more, which 7.x needs
home=$cache/elasticsearch-$version-$(recipe "$0" "$here/elasticsearch-modules.sh" "$here/java/RootInfoPlugin.java")
if [ ! -e "$home/.complete" ]; then
	zip=$(artifact org.elasticsearch.distribution.integ-test-zip elasticsearch "$version" zip)
	unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
	unzip -q "$zip" -d "$unpacked"
	JAVA_HOME=$java "$here/elasticsearch-modules.sh" "$version" "$unpacked/elasticsearch-$version"
	keep "$unpacked/elasticsearch-$version" "$home"
	rmdir "$unpacked"
fi

directories "$data"
config=$data/config
cp -rn "$home/config/." "$config/"
jvm_options "$home" "$config"
[ -z "$certs" ] || cp "$certs"/{ca.crt,node.crt,node.key} "$config/certs/"
{
	cat <<YML
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
	[ ! -d "$home/modules/ingest-geoip" ] || echo "ingest.geoip.downloader.enabled: false"
	if [ -n "$password" ]; then
		echo "xpack.security.enabled: true"
		echo "xpack.security.authc.api_key.enabled: true"
		echo "xpack.security.transport.ssl.enabled: false"
		case $version in 8.*)
			echo "xpack.security.enrollment.enabled: false"
			echo "xpack.security.autoconfiguration.enabled: false"
			;;
		esac
		if [ -n "$certs" ]; then
			echo "xpack.security.http.ssl.enabled: true"
			echo "xpack.security.http.ssl.certificate: certs/node.crt"
			echo "xpack.security.http.ssl.key: certs/node.key"
		fi
	elif [ -d "$home/modules/x-pack-core" ]; then
		echo "xpack.security.enabled: false"
	fi
} >"$config/elasticsearch.yml"

vars=(JAVA_HOME="$java" ES_JAVA_HOME="$java" ES_PATH_CONF="$config" ES_TMPDIR="$data/tmp")
url=http://127.0.0.1:$port
ask=
if [ -n "$password" ]; then
	env "${vars[@]}" "$home/bin/elasticsearch-keystore" create >/dev/null 2>&1
	printf '%s' "$password" | env "${vars[@]}" "$home/bin/elasticsearch-keystore" add -x bootstrap.password >/dev/null 2>&1
	ask="user = \"elastic:$password\""
	if [ -n "$certs" ]; then
		url=https://127.0.0.1:$port
		ask+=$'\n'"cacert = \"$certs/ca.crt\""
	fi
fi
launch "$data" env "${vars[@]}" ES_JAVA_OPTS="${NODE_JAVA_OPTS--XX:TieredStopAtLevel=1}" "$home/bin/elasticsearch"
await "$data" "$url" "$ask"
