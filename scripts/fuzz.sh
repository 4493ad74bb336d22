#!/usr/bin/env bash
# fuzz.sh: runs every fuzz test there is, one after the other, FUZZTIME each (2m unless set; 2000x is that many
# inputs). FUZZ is a pattern of names to run, all unless set. Goes on after a failure and exits 1 then; Go keeps
# the failing input under testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0 found=0
while IFS=: read -r file name; do
	[[ $name =~ ${FUZZ:-.} ]] || continue
	found=$((found + 1))
	echo "$name in $(dirname "$file")"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-2m}" -fuzzminimizetime 5s -parallel 2 "./$(dirname "$file")" |
		{ grep -vE '^fuzz: elapsed|^PASS$' || true; } || status=1
done < <(git ls-files -co --exclude-standard '*_test.go' |
	xargs -r grep -HoE '^func Fuzz[A-Za-z0-9_]*\(' | sed -E 's/:func (Fuzz[A-Za-z0-9_]*)\(/:\1/' | sort)
echo "$found fuzz tests ran"
exit $status
