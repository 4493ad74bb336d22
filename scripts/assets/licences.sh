#!/usr/bin/env bash
# licences.sh [DIR]: writes the licences of the packages that the pages are bundled from into DIR (third_party/
# unless given), one directory each, as package-lock.json pins them. Needs what build.sh installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-third_party}
cache=${TOCSIN_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tocsin}
packages=$cache/assets-$(sha256sum scripts/assets/package-lock.json | cut -c1-16)
[ -e "$packages/complete" ] || { echo "run scripts/assets/build.sh first" >&2; exit 1; }
mkdir -p "$out"
find "$out" -mindepth 1 -delete
{
	echo "What the pages' script and style are bundled from. Each package's licence is in its directory."
	echo
	cd "$packages/node_modules"
	for manifest in $(find . -name package.json -path './*' | grep -E '^\./(@[^/]+/)?[^/]+/package\.json$' | LC_ALL=C sort); do
		node -p 'const p = require(process.argv[1]); `${p.name} ${p.version}: ${p.license}`' "$(pwd)/${manifest#./}"
	done
} >"$out/README"
cd "$packages/node_modules"
for manifest in $(find . -name package.json | grep -E '^\./(@[^/]+/)?[^/]+/package\.json$' | LC_ALL=C sort); do
	name=$(dirname "${manifest#./}")
	mkdir -p "$OLDPWD/$out/$name" 2>/dev/null || mkdir -p "$out/$name"
	licence=$(find "$name" -maxdepth 1 -iname 'licen[sc]e*' | LC_ALL=C sort | head -1)
	[ -n "$licence" ] || { echo "$name comes without a licence" >&2; exit 1; }
	case $out in /*) to=$out ;; *) to=$OLDPWD/$out ;; esac
	cp "$licence" "$to/$name/LICENSE"
done
