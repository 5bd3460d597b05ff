#!/bin/sh
# Runs each fuzzer for a while: scripts/fuzz.sh 60s
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=auto
time=${1:-60s}
for package in $(go list ./...); do
	for fuzzer in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "$package $fuzzer"
		go test -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$time" "$package"
	done
done
