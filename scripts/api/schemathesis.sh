#!/usr/bin/env bash
# schemathesis.sh: asks the API of a running program everything its OpenAPI document allows and much that it does
# not, as an admin with a token: no answer may be a server's error, or other than the document says, and none may
# come without the token. It serves a directory of its own and stops what it started.
#
# APITIME    seconds for the whole run; 60 unless set
# APISEED    repeats a run
# TOCSIN     the program; built where it is not set
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/servers/node.sh
. scripts/servers/node.sh
python=$cache/python/schemathesis/bin/python
[ -x "$python" ] || die "schemathesis is not there: scripts/prerequisites.sh installs it"
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/tocsin-api.XXXXXX")
serving=
finish() {
	local status=$?
	[ -z "$serving" ] || { kill "$serving" 2>/dev/null && wait "$serving" || true; }
	rm -rf "$scratch"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

tocsin=$(realpath -m "${TOCSIN:-$scratch/tocsin}")
[ -n "${TOCSIN:-}" ] || go build -o "$tocsin" ./cmd/tocsin
cat >"$scratch/tocsin.yaml" <<YAML
listen: 127.0.0.1:0
login: {required: true}
YAML
cat >"$scratch/rule.yaml" <<YAML
name: Tries
search: event.outcome:failure | count by user.name | search count > 3
source: embedded
YAML
"$tocsin" serve --config "$scratch/tocsin.yaml" >"$scratch/out" 2>"$scratch/log" &
serving=$!
for _ in $(seq 300); do
	page=$(sed -n 's/.*"page":"\([^"]*\)".*/\1/p' "$scratch/log")
	[ -z "$page" ] || break
	kill -0 "$serving" 2>/dev/null || { cat "$scratch/log" >&2; die "tocsin does not start"; }
	sleep 0.1
done
[ -n "$page" ] || die "tocsin does not say where its page is"
ours() { "$tocsin" "$@" --config "$scratch/tocsin.yaml"; }
token=$(ours tokens add schemathesis --role admin 2>/dev/null)
ours rules apply "$scratch/rule.yaml" >/dev/null
for n in $(seq 20); do
	printf '{"@timestamp":"%s","event":{"outcome":"failure"},"user":{"name":"u%d"}}\n' "$(date -u +%FT%TZ)" $((n % 3))
done | ours ingest - --parse json >/dev/null 2>&1

# One worker: with more, Python 3.11 compiles the generators of values in two threads at once, and fails.
cd "$scratch" # it keeps notes where it runs
"$python" -m schemathesis.cli run "${page}api/v1/openapi.json" --header "Authorization: Bearer $token" --workers 1 \
	--max-time "${APITIME:-60}" ${APISEED:+--seed "$APISEED"} --no-color --output-truncate true --warnings off --suppress-health-check all \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth
kill -0 "$serving" 2>/dev/null || { tail -50 "$scratch/log" >&2; die "tocsin has ended"; }
if grep -q 'panic' "$scratch/log"; then
	grep -A 20 -m 1 'panic' "$scratch/log" >&2
	die "a handler panicked"
fi
