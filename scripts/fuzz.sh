#!/bin/sh
# Runs each fuzzer for a while: scripts/fuzz.sh 60s [PACKAGE …]
# MOST=360 bounds the seconds of all of them together: where they would take
# longer, they share them.
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=auto
time=${1:-60s}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- ./...

fuzzers=
for package in $(go list "$@"); do
	for fuzzer in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		fuzzers="$fuzzers $package:$fuzzer"
	done
done
# shellcheck disable=SC2086
set -- $fuzzers
[ $# -gt 0 ] || { echo "no fuzzers" >&2; exit 1; }
if [ -n "${MOST:-}" ]; then
	share=$((MOST / $#))
	seconds=${time%s}
	case $seconds in *[!0-9]*) echo "with MOST the time is in seconds: 60s" >&2; exit 2 ;; esac
	[ "$share" -ge 1 ] || share=1
	[ "$seconds" -le "$share" ] || time=${share}s
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=
for one; do
	package=${one%:*} fuzzer=${one##*:}
	echo "$package $fuzzer, $time"
	if ! go test -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$time" "$package" >"$output" 2>&1; then
		cat "$output"
		# Go before 1.27 may fail when the time is up in the middle of an
		# input (go.dev/issue/75804). A real finding is written down.
		if grep -q 'context deadline exceeded' "$output" && ! grep -q -e 'Failing input written' -e 'failure while testing seed' "$output"; then
			echo "  the time was up; nothing was found"
		else
			failed="$failed $fuzzer"
		fi
		continue
	fi
	grep '^fuzz: elapsed' "$output" | tail -n 1 | sed 's/^fuzz: /  /' || true
done
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
