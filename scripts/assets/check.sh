#!/usr/bin/env bash
# check.sh: rebuilds the pages' script and style from the lock file and compares them, byte for byte, with what is
# committed; and that third_party/ has the licence of every package in them.
set -euo pipefail
cd "$(dirname "$0")/../.."
fresh=$(mktemp -d "${TMPDIR:-/tmp}/tocsin-assets.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
scripts/assets/build.sh "$fresh/dist"
if ! diff -rq internal/web/assets/dist "$fresh/dist"; then
	echo "internal/web/assets/dist is not what its sources make: run scripts/assets/build.sh and commit the result" >&2
	exit 1
fi
scripts/assets/licences.sh "$fresh/licences"
if ! diff -r third_party "$fresh/licences"; then
	echo "third_party/ is not the licences of the packages in the lock file: run scripts/assets/licences.sh and commit the result" >&2
	exit 1
fi
