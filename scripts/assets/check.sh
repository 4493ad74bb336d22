#!/usr/bin/env bash
# check.sh: rebuilds the pages' script and style from the lock file and compares them, byte for byte, with what is
# committed; and that third_party/ has the licence of every package in them.
set -euo pipefail
cd "$(dirname "$0")/../.."
fresh=$(mktemp -d "${TMPDIR:-/tmp}/tocsin-assets.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
scripts/assets/build.sh "$fresh/dist" "$fresh/licences"
diff -rq internal/web/assets/dist "$fresh/dist" && diff -r third_party "$fresh/licences" || {
	echo "internal/web/assets/dist or third_party is not what the sources and the lock file make: run scripts/assets/build.sh and commit the result" >&2
	exit 1
}
