#!/bin/sh
# Runs every test of every module in the repository, race detector on; then
# those of the request path once more with requests and writers made unusable
# when they are given back (-tags poison); then the fuzzers of what reads bytes
# from the network. Shows a line for each package, all output of those that
# fail, and at the end which tests skipped and how many test vectors passed.
# With CI=true a skip, or a missing race detector, is a failure. The whole
# output stays in bin/test.log and bin/poison.log.
# FUZZ=0 leaves the fuzzers out, FUZZ=60 gives them a minute together; they get
# six, which with the rest is a quarter of an hour on two processors.
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=auto
mkdir -p bin
log=$PWD/bin/test.log
: >"$log"

race=-race
if ! CGO_ENABLED=1 go build -race -o /dev/null ./internal/httpwrap 2>/dev/null; then
	echo "no C compiler: the tests run WITHOUT the race detector" >&2
	[ "${CI:-}" = true ] && exit 1
	race=
fi

# Prints packages as they end, with what the failing ones said.
show() {
	awk -v log_file="$log" '
		{ print >> log_file; fflush(log_file) }
		/^(ok|FAIL)[ \t]+[^ \t]/ {
			if ($1 == "FAIL") printf "%s", said
			print; fflush(); said = ""; next
		}
		/^\?|no test files/ { said = ""; next }
		/^[ \t]*(=== (RUN|PAUSE|CONT|NAME)|--- PASS)|^PASS$/ { next }
		{ said = said $0 "\n" }
		END { printf "%s", said }'
}

failed=$(mktemp)
trap 'rm -f "$failed"' EXIT
run() {
	module=$1
	shift
	echo "$module"
	# shellcheck disable=SC2086
	{ (cd "$module" && go vet ./... && go test -v $race "$@" ./... 2>&1) || echo "$module" >>"$failed"; } | show
}
run . -shuffle=on -timeout 20m
run examples -timeout 10m
run bench -timeout 10m

echo "poison: the request path, with what is given back made unusable"
log=$PWD/bin/poison.log
: >"$log"
{ go test -v -tags poison -shuffle=on -timeout 5m ./dispatcher ./internal/request ./internal/httpwrap ./internal/frontdoor ./internal/assemble \
	./internal/httpserver ./internal/server ./backend/proxy ./internal/e2e 2>&1 || echo poison >>"$failed"; } | show
# What the race detector would falsify.
{ go test -v -run TestLayersCostNothing ./internal/assemble 2>&1 || echo cost >>"$failed"; } | show
log=$PWD/bin/test.log

if [ "${FUZZ:-360}" -gt 0 ]; then
	echo "fuzzers"
	MOST=${FUZZ:-360} sh scripts/fuzz.sh 60s ./internal/wire ./internal/httpserver 2>&1 || echo fuzz >>"$failed"
fi

skips=$(grep -c -e '--- SKIP' "$log" || true)
if [ "$skips" -gt 0 ]; then
	echo
	echo "skipped: $skips"
	grep -A1 -e '--- SKIP' "$log" | grep -v '^--$'
	if [ "${CI:-}" = true ]; then
		echo "with CI=true a skip is a failure" >&2
		echo skips >>"$failed"
	fi
fi
echo
sh scripts/vectors.sh
if [ -s "$failed" ]; then
	echo
	echo "FAILED: $(tr '\n' ' ' <"$failed")" >&2
	exit 1
fi
