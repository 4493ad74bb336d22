#!/usr/bin/env bash
# opensearch.sh PORT DATADIR: starts OpenSearch 3 on 127.0.0.1:PORT, all its state in DATADIR, and prints its
# URL when it answers. Its process id is in DATADIR/pid.
#
# NODE_PASSWORD: turns the security plugin on, the user admin has this password and may do everything. With it
# NODE_CERTS, a directory made by certificates.sh: the node then speaks HTTPS.
#
# The artifact named integ-test-zip on Maven Central is the whole minimal distribution, without a Java.
# NODE_JAVA_OPTS: -XX:TieredStopAtLevel=1 unless set, which starts sooner; set it empty for benchmarks.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
version=3.5.0
port=$1
data=$(mkdir -p "$2" && cd "$2" && pwd)
password=${NODE_PASSWORD:-}
# Of the plugins Maven Central has no 3.5.0.0: those of 3.4 work on 3.5 once they say that they are for it.
plugins=()
[ -z "$password" ] || plugins=(opensearch-job-scheduler opensearch-security)
plugins_version=3.4.0.0

java=$(java_home 21 99)
home=$cache/opensearch-$version${password:+-security}-$(recipe "$0")
if [ ! -e "$home/.complete" ]; then
	zip=$(artifact org.opensearch.distribution.integ-test-zip opensearch "$version" zip)
	unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
	unzip -q "$zip" -d "$unpacked"
	rm -rf "$unpacked/opensearch-$version/modules/"{ingest-geoip,transport-grpc,opensearch-dashboards}
	for plugin in "${plugins[@]}"; do
		zip=$(artifact org.opensearch.plugin "$plugin" "$plugins_version" zip)
		into=$unpacked/opensearch-$version/plugins/$plugin
		unzip -q "$zip" -d "$into"
		sed -i "s/^opensearch.version=.*/opensearch.version=$version/" "$into/plugin-descriptor.properties"
		[ ! -d "$into/config" ] || mv "$into/config" "$unpacked/opensearch-$version/config/$plugin"
	done
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
url=http://127.0.0.1:$port
ask=
if [ -n "$password" ]; then
	url=https://127.0.0.1:$port
	ask="user = \"admin:$password\""$'\n'"cacert = \"$NODE_CERTS/ca.crt\""
	cp "$NODE_CERTS"/{ca.crt,node.crt,node.key} "$config/certs/"
	hash=$("$java/bin/java" -cp "$home/plugins/opensearch-security/*:$home/lib/*" org.opensearch.security.tools.Hasher \
		-env NODE_PASSWORD 2>/dev/null | grep -o '[$]2.*')
	cat >"$config/opensearch-security/internal_users.yml" <<YML
_meta: {type: internalusers, config_version: 2}
admin: {hash: "$hash", reserved: true, backend_roles: [admin]}
YML
	cat >>"$config/opensearch.yml" <<YML
plugins.security.ssl.transport.pemcert_filepath: certs/node.crt
plugins.security.ssl.transport.pemkey_filepath: certs/node.key
plugins.security.ssl.transport.pemtrustedcas_filepath: certs/ca.crt
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: certs/node.crt
plugins.security.ssl.http.pemkey_filepath: certs/node.key
plugins.security.ssl.http.pemtrustedcas_filepath: certs/ca.crt
plugins.security.allow_default_init_securityindex: true
plugins.security.restapi.roles_enabled: [all_access]
plugins.security.nodes_dn: ['CN=localhost,O=Tocsin tests']
YML
fi
launch "$data" env JAVA_HOME="$java" OPENSEARCH_JAVA_HOME="$java" OPENSEARCH_PATH_CONF="$config" OPENSEARCH_TMPDIR="$data/tmp" \
	DISABLE_INSTALL_DEMO_CONFIG=true \
	OPENSEARCH_JAVA_OPTS="${NODE_JAVA_OPTS--XX:TieredStopAtLevel=1}" "$home/bin/opensearch"
await "$data" "$url" "$ask"
