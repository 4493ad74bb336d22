#!/usr/bin/env bash
# test.sh: the whole test run behind `make test`. Starts the real search servers that the environment does not
# name yet, vets, fuzzes each parser for a moment, runs every test under the race detector, stops what
# it started, and ends with a list of the servers and documents that were used or not, and why.
#
# SERVERS      kinds to start (opensearch opensearchtls opensearch2 elastic8 elastic7 elastic710), or none; all unless set
# TOCSIN_TEST_SERVERS=required    a server that cannot be started ends the run, as in CI
# SHIPPERS     none: leave out scripts/shippers, which is a module of its own
# APITIME      seconds that schemathesis tries the API for, 0 for none; 60 unless set
# TESTS        packages to test, ./... unless set     FUZZTIME  inputs or time for each parser, 0 for none
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/servers/node.sh
. scripts/servers/node.sh
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/tocsin-test.XXXXXX")
required=$([ "${TOCSIN_TEST_SERVERS:-}" = required ] && echo yes || true)

finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP # a second signal must not leave servers behind
	scripts/servers/stop.sh "$scratch/servers" || true
	rm -rf "$scratch"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

title() { printf '\n== %s\n' "$*"; }

command -v go >/dev/null || { echo "missing: go. Install Go $(sed -n 's/^go //p' go.mod) or newer" >&2; exit 1; }
title "what is needed"
if ! scripts/prerequisites.sh; then
	[ -z "$required" ] || exit 1
fi

title "vet and the house plan"
failures=()
go vet ./... || failures+=("go vet")
go test -count=1 . || failures+=("the house plan")
go build -o "$scratch/closing" ./scripts/closing
if command -v npm >/dev/null; then
	scripts/assets/check.sh || failures+=("the bundled assets")
	TOCSIN_BROWSER_PACKAGES=$(scripts/browser/install.sh) && export TOCSIN_BROWSER_PACKAGES || failures+=("the packages of the browser tests")
fi

# Kinds the environment names already are used as they are.
kinds=()
for kind in ${SERVERS:-opensearch opensearchtls opensearch2 elastic8 elastic7 elastic710}; do
	case $kind in
	none) ;;
	opensearch) [ -n "${TOCSIN_TEST_OPENSEARCH:-}" ] || kinds+=("$kind") ;;
	opensearchtls) [ -n "${TOCSIN_TEST_OPENSEARCH_TLS:-}" ] || kinds+=("$kind") ;;
	opensearch2) [ -n "${TOCSIN_TEST_OPENSEARCH2:-}" ] || kinds+=("$kind") ;;
	elastic8) [ -n "${TOCSIN_TEST_ES8:-}" ] || kinds+=("$kind") ;;
	elastic7) [ -n "${TOCSIN_TEST_ES7:-}" ] || kinds+=("$kind") ;;
	elastic710) [ -n "${TOCSIN_TEST_ES710:-}" ] || kinds+=("$kind") ;;
	*) echo "SERVERS: there is no kind of server named $kind; try: opensearch opensearchtls opensearch2 elastic8 elastic7 elastic710 none" >&2; exit 1 ;;
	esac
done
if [ ${#kinds[@]} -gt 0 ]; then
	title "starting ${kinds[*]}"
	mkdir "$scratch/servers"
	chmod 755 "$scratch"
	if ! scripts/servers/start.sh "$scratch/servers" "${kinds[@]}" >/dev/null; then
		if [ -n "$required" ]; then
			echo "TOCSIN_TEST_SERVERS=required and not every server could be started" >&2
			exit 1
		fi
	fi
	# shellcheck source=/dev/null
	. "$scratch/servers/env"
fi

race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
	echo "no C compiler: the tests run WITHOUT the race detector" >&2
	race=
fi

if [ "${FUZZTIME:-2000x}" != 0 ]; then
	title "each fuzz test, ${FUZZTIME:-2000x}"
	FUZZTIME=${FUZZTIME:-2000x} scripts/fuzz.sh || failures+=("a fuzz test")
fi

title "every test${race:+, with the race detector}"
export TOCSIN_TEST_REPORT=$scratch/report
every() { # the status is the closing list's, which has read of every failure
	go test -json $race -count=1 -p 2 -timeout "${TIMEOUT:-40m}" ${TESTS:-./...} || true
	# A shipper that could not be installed is named, whatever is required of the servers.
	[ "${SHIPPERS:-}" = none ] || TOCSIN_TEST_SERVERS='' TOCSIN_TEST_PYTHON=${TOCSIN_TEST_PYTHON:-$cache/python} go -C scripts/shippers test -json -count=1 -timeout 10m ./... || true
}
every |
	"$scratch/closing" -report "$scratch/report" -unavailable "$scratch/servers/unavailable" || failures+=("the tests")
unused=()
if [ "${APITIME:-60}" = 0 ] || [ ! -x "$cache/python/schemathesis/bin/python" ]; then
	unused+=("schemathesis, on the API")
else
	title "the API, with schemathesis, ${APITIME:-60} s"
	scripts/api/schemathesis.sh || failures+=("schemathesis")
fi
[ ${#unused[@]} = 0 ] || printf 'NOT USED: %s\n' "${unused[@]}"
[ -n "$race" ] || echo "NOT USED: the race detector (no C compiler)"
[ ${#failures[@]} = 0 ] || printf 'FAILED, see above: %s\n' "${failures[@]}"
exit $((${#failures[@]} > 0))
