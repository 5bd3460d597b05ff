#!/bin/sh
# Serves the demo table, with the small server that it proxies to beside it.
# What is written behind it goes to mountd: scripts/demo.sh --listen :9090
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=auto
if ! command -v go >/dev/null 2>&1; then
	echo "go is missing: install Go 1.26 or newer from https://go.dev/dl/" >&2
	exit 1
fi
mkdir -p bin
go build -o bin/mountd ./cmd/mountd
go build -o bin/guestbook ./configs/demo/guestbook
directory=$(mktemp -d)
DEMO_SOCKET=$directory/guestbook.sock
export DEMO_SOCKET
bin/guestbook -socket "$DEMO_SOCKET" &
guestbook=$!
trap 'kill "$guestbook" 2>/dev/null || true; rm -rf "$directory"' EXIT
bin/mountd run -c configs/demo.yaml "$@" &
mountd=$!
# Ctrl-C reaches mountd by itself; a second signal would end it at once.
trap : INT
trap 'kill "$mountd" 2>/dev/null || true' TERM HUP
status=0
while kill -0 "$mountd" 2>/dev/null; do
	status=0
	wait "$mountd" || status=$?
done
exit "$status"
