#!/usr/bin/env bash
# install.sh: puts ElastAlert2 into a Python environment of its own, once, and prints the directory of its programs.
# Its metadata ask for Python 3.12; it runs on 3.11 as it is, so the check is left out.
set -euo pipefail
# shellcheck source=scripts/servers/node.sh
. "$(dirname "$0")/../../scripts/servers/node.sh"
version=2.31.0
home=$cache/elastalert2-$version
if [ ! -e "$home/.complete" ]; then
	rm -rf "$home"
	mkdir -p "$(dirname "$home")"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --ignore-requires-python "elastalert2==$version" >&2
	touch "$home/.complete"
fi
echo "$home/bin"
