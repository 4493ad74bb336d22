# shellcheck shell=bash
# Sourced by the other scripts here: where things are kept, Maven, Java, starting and stopping one node.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A server refuses to run as root, so root runs it as a user of its own; what it reads must then lie
# outside of root's home.
if [ "$(id -u)" = 0 ]; then
	cache=${TOCSIN_CACHE:-/var/cache/tocsin}
else
	cache=${TOCSIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tocsin}
fi
node_user=${TOCSIN_NODE_UID:-10920}
m2=${M2_REPO:-$HOME/.m2/repository}

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# maven GOAL...: quiet, never asking, with the local repository that M2_REPO names.
maven() { mvn -B -q ${M2_REPO:+-Dmaven.repo.local="$M2_REPO"} "$@" </dev/null >&2; }

# artifact GROUP ARTIFACT VERSION TYPE: downloads it once and prints where it is.
artifact() {
	local file=$m2/${1//.//}/$2/$3/$2-$3.$4
	[ -s "$file" ] || maven org.apache.maven.plugins:maven-dependency-plugin:2.8:get \
		-Dtransitive=false -Dartifact="$1:$2:$3:$4" || return 1
	[ -s "$file" ] || { say "$1:$2:$3:$4 is not in the Maven repository"; return 1; }
	echo "$file"
}

# jars POM DIR: copies the dependencies of a pom.
jars() { maven -f "$1" org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies -DoutputDirectory="$2"; }

# recipe FILE...: a short name for what these files say, so that a changed recipe is not served from the cache.
recipe() { cat "$@" | sha1sum | cut -c1-8; }

# keep DIR HOME: puts a finished directory into the cache at once; another start may have won, which is fine.
keep() {
	chmod -R a+rX "$1"
	touch "$1/.complete"
	mv -T "$1" "$2" 2>/dev/null || rm -rf "$1"
	[ -e "$2/.complete" ] || die "$2 is not complete; remove it and start again"
}

# java_home LOWEST HIGHEST [TOOL]: prints the home of an installed Java of a major version between the
# two that has this tool, by default java itself.
java_home() {
	local home major
	for home in "${JAVA_HOME:-}" /usr/lib/jvm/* "$cache/java-25"; do
		[ -n "$home" ] && [ -x "$home/bin/java" ] && [ -x "$home/bin/${3:-java}" ] || continue
		major=$("$home/bin/java" -version 2>&1 | sed -nE '1s/.*"([0-9]+).*/\1/p')
		if [ "${major:-0}" -ge "$1" ] && [ "$major" -le "$2" ]; then
			echo "$home"
			return
		fi
	done
	say "there is no Java of version $1 to $2 with ${3:-java}: looked at JAVA_HOME and /usr/lib/jvm"
	return 1
}

# directories DATA: makes the directories of a node.
directories() { mkdir -p "$1"/{config/jvm.options.d,config/certs,data,logs,tmp}; }

# jvm_options HOME CONFIG: heap, and the options of the distribution but those that point into it.
# The vector module is an optimisation that not every Java has.
jvm_options() {
	grep -vE 'Xlog:gc|Xloggc|HeapDumpPath|ErrorFile|jdk.incubator.vector' "$1/config/jvm.options" >"$2/jvm.options"
	printf -- '-Xms%s\n-Xmx%s\n' "${NODE_HEAP_MIN:-512m}" "${NODE_HEAP:-1g}" >"$2/jvm.options.d/heap.options"
}

# launch DATA COMMAND...: runs a server in a session of its own, its process id in DATA/pid.
launch() {
	local data=$1 as=()
	shift
	if [ "$(id -u)" = 0 ]; then
		chown -R "$node_user:$node_user" "$data"
		as=(setpriv --reuid="$node_user" --regid="$node_user" --clear-groups)
	fi
	cd "$data"
	env -u JAVA_TOOL_OPTIONS HOME="$data" setsid "${as[@]}" "$@" >"$data/logs/stdout.log" 2>&1 </dev/null &
	echo $! >"$data/pid"
}

# await DATA URL [CURL-CONFIG-LINE]: waits until the node answers, and prints the URL.
await() {
	local pid end=$((SECONDS + ${NODE_START_SECONDS:-240}))
	pid=$(cat "$1/pid")
	while [ $SECONDS -lt $end ]; do
		if printf '%s\n' "${3:-}" | curl -sf -K - -o /dev/null --max-time 5 "$2/_cluster/health?wait_for_status=yellow&timeout=4s"; then
			echo "$2"
			return
		fi
		kill -0 "$pid" 2>/dev/null || { tail -30 "$1/logs/stdout.log" >&2; say "the node ended; its log is $1/logs"; return 1; }
		sleep 0.5
	done
	say "the node at $2 did not answer in time; its log is $1/logs"
	return 1
}

# stop_node DATA: ends the node whose process id is in DATA/pid, if that process is still that node.
stop_node() {
	local pid group
	pid=$(cat "$1/pid" 2>/dev/null) || return 0
	group=$(ps -o pgid= -p "$pid" 2>/dev/null | tr -d ' ') || true
	if [ "$group" = "$pid" ] && ps -o args= -p "$pid" | grep -qF -e java -e elasticsearch -e opensearch; then
		kill -TERM -- "-$pid" 2>/dev/null || true
		for _ in $(seq 1 60); do
			kill -0 -- "-$pid" 2>/dev/null || break
			sleep 0.5
		done
		kill -KILL -- "-$pid" 2>/dev/null || true
	fi
	rm -f "$1/pid"
}
