#!/usr/bin/env bash
# elasticsearch-modules.sh VERSION HOME: adds to an unpacked Elasticsearch what its artifact on Maven Central
# lacks and the tests need.
#   7.17  reindex, mapper-extras, aggs-matrix-stats, parent-join: Elastic's own, from Maven Central
#   7.10  the same, and analysis-common and ingest-common
#   8.x   rest-root: ours, compiled here against the node's own jars (java/RootInfoPlugin.java)
# JAVA_HOME: the Java to compile with.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
version=$1
home=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# describe NAME CLASS JAVA-VERSION: the file by which the node finds the module.
describe() {
	cat >"$home/modules/$1/plugin-descriptor.properties" <<PROPERTIES
description=$1
version=$version
name=$1
classname=$2
java.version=$3
elasticsearch.version=$version
extended.plugins=
has.native.controller=false
PROPERTIES
}

# from_central NAME CLASS [GROUP ARTIFACT]: a module out of one jar and what it needs, without the jars the
# node has. Elastic publishes some modules as NAME-client; others have others published.
from_central() {
	local dir=$home/modules/$1 jar
	mkdir -p "$dir"
	cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tocsin</groupId><artifactId>$1</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>${3:-org.elasticsearch.plugin}</groupId><artifactId>${4:-$1-client}</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
POM
	jars "$work/pom.xml" "$dir"
	for jar in "$dir"/*.jar; do
		[ ! -e "$home/lib/$(basename "$jar")" ] || rm "$jar"
	done
	describe "$1" "$2" 1.8
}

case $version in
7.10.*)
	others=org.codelibs.elasticsearch.module
	from_central reindex org.elasticsearch.index.reindex.ReindexPlugin $others reindex
	from_central analysis-common org.elasticsearch.analysis.common.CommonAnalysisPlugin $others analysis-common
	from_central ingest-common org.elasticsearch.ingest.common.IngestCommonPlugin $others ingest-common
	from_central mapper-extras org.elasticsearch.index.mapper.MapperExtrasPlugin
	from_central parent-join org.elasticsearch.join.ParentJoinPlugin
	;;
7.*)
	from_central reindex org.elasticsearch.reindex.ReindexPlugin
	from_central mapper-extras org.elasticsearch.index.mapper.MapperExtrasPlugin
	from_central aggs-matrix-stats org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin
	from_central parent-join org.elasticsearch.join.ParentJoinPlugin
	;;
8.*)
	mkdir -p "$home/modules/rest-root" "$work/classes"
	"$JAVA_HOME/bin/javac" -proc:none --release 17 -nowarn -cp "$home/lib/*" -d "$work/classes" "$here/java/RootInfoPlugin.java"
	"$JAVA_HOME/bin/jar" cf "$home/modules/rest-root/rest-root.jar" -C "$work/classes" .
	describe rest-root RootInfoPlugin 17
	;;
*) die "there is no recipe for Elasticsearch $version" ;;
esac
