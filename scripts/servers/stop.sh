#!/usr/bin/env bash
# stop.sh STATE: ends the servers that start.sh started with this STATE, and removes what they held.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/node.sh"
state=$1
[ -e "$state/env" ] || exit 0
for pid in "$state"/*/pid; do
	[ -e "$pid" ] || continue
	stop_node "$(dirname "$pid")" &
done
wait
rm -rf "$state"
