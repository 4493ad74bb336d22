#!/usr/bin/env bash
# install.sh: installs what the browser tests drive Chromium with, as package-lock.json pins it, once for each state
# of that file, and prints its directory. Needs npm.
set -euo pipefail
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "missing: npm. To get it: apt-get install nodejs npm" >&2; exit 1; }
cache=${TOCSIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tocsin}
packages=$cache/browser-$(sha256sum package-lock.json | cut -c1-16)
if [ ! -e "$packages/complete" ]; then
	rm -rf "$packages"
	mkdir -p "$packages"
	cp package.json package-lock.json "$packages/"
	npm ci --prefix "$packages" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	touch "$packages/complete"
fi
echo "$packages"
