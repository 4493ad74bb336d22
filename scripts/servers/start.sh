#!/usr/bin/env bash
# start.sh STATE [KIND...]: starts real search servers on free ports of 127.0.0.1 and prints the environment
# variables that the tests find them by (also in STATE/env). All they hold is in STATE; stop.sh STATE ends
# them. KIND is opensearch, opensearchtls (with its security plugin), opensearch2, elastic8, elastic7 or elastic710; without one, all of them.
# A kind that cannot be started is told of in STATE/unavailable (its variable, a tab, the reason), and the exit
# status is 1.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
mkdir -p "$1" "$cache"
state=$(cd "$1" && pwd)
shift
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(opensearch opensearchtls opensearch2 elastic8 elastic7 elastic710)
chmod 755 "$state"
: >"$state/unavailable"
(umask 077 && : >"$state/env")

# free_port: a port below those the system gives out itself, with nobody listening.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		[ -e "$state/port.$port" ] && continue
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	: >"$state/port.$port"
	echo "$port"
}

run() { # KIND PORT
	local data=$state/$1
	case $1 in
	opensearch) "$here/opensearch.sh" "$2" "$data" ;;
	opensearchtls) NODE_PASSWORD=$password NODE_CERTS=$state/certs NODE_HEAP=512m "$here/opensearch.sh" "$2" "$data" ;;
	opensearch2) "$here/opensearch2.sh" "$2" "$data" ;;
	elastic8) NODE_PASSWORD=$password NODE_CERTS=$state/certs "$here/elasticsearch.sh" 8.19.21 "$2" "$data" ;;
	elastic7) "$here/elasticsearch.sh" 7.17.29 "$2" "$data" ;;
	elastic710) "$here/elasticsearch.sh" 7.10.2 "$2" "$data" ;;
	esac
}

variable() {
	case $1 in
	opensearch) echo TOCSIN_TEST_OPENSEARCH ;;
	opensearchtls) echo TOCSIN_TEST_OPENSEARCH_TLS ;;
	opensearch2) echo TOCSIN_TEST_OPENSEARCH2 ;;
	elastic8) echo TOCSIN_TEST_ES8 ;;
	elastic7) echo TOCSIN_TEST_ES7 ;;
	elastic710) echo TOCSIN_TEST_ES710 ;;
	*) die "there is no kind of server named $1; try: opensearch opensearchtls opensearch2 elastic8 elastic7 elastic710" ;;
	esac
}

"$here/certificates.sh" "$state/certs"
password=$(openssl rand -hex 16)
for kind in "${kinds[@]}"; do
	variable "$kind" >/dev/null
done
declare -A job
for kind in "${kinds[@]}"; do
	if [ -e "$state/$kind/pid" ]; then
		die "$kind runs already with its state in $state; stop it first with $here/stop.sh $state"
	fi
	port=$(free_port)
	run "$kind" "$port" >"$state/$kind.url" 2>"$state/$kind.log" &
	job[$kind]=$!
done

status=0
for kind in "${kinds[@]}"; do
	if wait "${job[$kind]}"; then
		url=$(cat "$state/$kind.url")
		user=
		case $kind in
		elastic8) user=elastic ;;
		opensearchtls) user=admin ;;
		esac
		printf 'export %s=%s\n' "$(variable "$kind")" "${url/:\/\//://${user:+$user:$password@}}" >>"$state/env"
		[ -z "$user" ] || printf 'export %s_CA=%q\n' "$(variable "$kind")" "$state/certs/ca.crt" >>"$state/env"
		say "started $kind at $url"
	else
		status=1
		stop_node "$state/$kind"
		printf '%s\t%s\n' "$(variable "$kind")" "$kind did not start: $(tail -1 "$state/$kind.log")" >>"$state/unavailable"
		say "could not start $kind:"
		sed 's/^/  /' "$state/$kind.log" >&2
	fi
done
cat "$state/env"
exit $status
