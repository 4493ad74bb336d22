#!/usr/bin/env bash
# build.sh [DIR LICENCES]: bundles the pages' script and style from internal/web/assets/src and the packages that
# package-lock.json pins, into DIR (internal/web/assets/dist unless given), compresses them, and writes the packages'
# licences into LICENCES (third_party). Needs npm; the bundler is esbuild, built from tools/go.mod. The same sources
# give the same bytes on every machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-internal/web/assets/dist}
licences=${2:-third_party}
src=internal/web/assets/src
here=scripts/assets
command -v npm >/dev/null || { echo "missing: npm. To get it: apt-get install npm" >&2; exit 1; }

# The packages, installed once for each state of the lock file.
cache=${TOCSIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tocsin}
packages=$cache/assets-$(sha256sum $here/package-lock.json | cut -c1-16)
if [ ! -e "$packages/complete" ]; then
	rm -rf "$packages"
	mkdir -p "$packages"
	cp $here/package.json $here/package-lock.json "$packages/"
	npm ci --prefix "$packages" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	touch "$packages/complete"
fi

mkdir -p "$out"
fresh=$(mktemp -d "$out.XXXXXX") # moved when all of it is there: whoever builds the program meanwhile finds a whole
trap 'rm -rf "$fresh"' EXIT
# Licences are in third_party/, so that no browser loads them.
NODE_PATH=$packages/node_modules go tool -modfile=tools/go.mod esbuild \
	$src/app.js $src/search.js $src/forecast.js $src/wording.js $src/app.css $src/search.css \
	--bundle --minify --format=iife --target=es2022,chrome105,firefox110,safari16 --charset=utf8 --legal-comments=none \
	--log-level=warning --outdir="$fresh"
cp $src/icon.svg "$fresh/"
full=$(cd "$fresh" && pwd)
go run -C tools ./compress "$full"/*.js "$full"/*.css "$full"/*.svg
for old in "$out"/*; do
	[ -e "$fresh/${old##*/}" ] || rm -f "$old"
done
mv -f "$fresh"/* "$out/"
node $here/licences.mjs "$packages/node_modules" "$licences"
