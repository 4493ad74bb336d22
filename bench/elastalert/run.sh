#!/usr/bin/env bash
# run.sh DIR: runs ElastAlert2 with what prepare.sh wrote into DIR, in this process, until SIGINT or SIGTERM.
# Its first pass begins up to 15 s after the start: time it from the first message to the last.
set -euo pipefail
bin=$("$(dirname "$0")/install.sh")
exec "$bin/elastalert" --config "$1/config.yaml" --start "${START:-$(date -u -d "${BUFFER_MINUTES:-60} minutes ago" +%Y-%m-%dT%H:%M:%S)}"
