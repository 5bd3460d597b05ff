#!/bin/sh
# gofmt, vet, staticcheck and govulncheck; the tools are pinned in go.mod.
# GOVULNDB names another vulnerability database than vuln.go.dev.
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=auto

unformatted=$(find . -name '*.go' -not -path './.git/*' -not -path '*/node_modules/*' -exec "$(go env GOROOT)/bin/gofmt" -l {} +)
if [ -n "$unformatted" ]; then
	echo "not in gofmt's form:" $unformatted >&2
	exit 1
fi
echo "gofmt: fine"

staticcheck=$(go tool -n staticcheck)
for module in . examples bench; do
	(cd "$module" && go vet ./... && "$staticcheck" ./...)
done
echo "vet, staticcheck: fine"

found=$(mktemp)
trap 'rm -f "$found"' EXIT
status=0
go tool govulncheck ${GOVULNDB:+-db "$GOVULNDB"} ./... >"$found" 2>&1 || status=$?
if [ "$status" = 0 ]; then
	echo "govulncheck: fine"
elif grep -q '^govulncheck: fetching vulnerabilities: ' "$found"; then
	cat "$found" >&2
	echo "****************************************************************" >&2
	echo "** govulncheck DID NOT RUN: its database cannot be reached.   **" >&2
	echo "** Vulnerabilities were NOT looked for. Set GOVULNDB to a     **" >&2
	echo "** mirror, or run \`make check\` where vuln.go.dev is reachable. **" >&2
	echo "****************************************************************" >&2
else
	cat "$found" >&2
	exit 1
fi
