#!/bin/sh
# Installs what the tests need besides Go: a C compiler, for the race detector,
# a browser, for the pages that mountd shows, a Redis server, PHP and Python for
# applications, and node with an OpenID Connect provider.
# Works on Debian as root; elsewhere it says what is missing. What tests build
# themselves (h2spec) comes through Go.
set -eu
cd "$(dirname "$0")/.."
missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
if ! command -v go >/dev/null 2>&1; then
	echo "go is missing: install Go 1.26 or newer from https://go.dev/dl/" >&2
	exit 1
fi
need git git
need chromium chromium
need redis-server redis-server
need node nodejs
need npm npm
need php php-cli
need python3 python3
if ! command -v "$(go env CC)" >/dev/null 2>&1; then
	missing="$missing gcc libc6-dev"
fi
if [ -n "$missing" ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq
		# shellcheck disable=SC2086
		apt-get install -y -qq --no-install-recommends $missing >/dev/null
	else
		echo "not installed:$missing" >&2
	fi
fi
provider=auth/oidc/testdata/provider
if [ ! -d "$provider/node_modules/oidc-provider" ]; then
	if command -v npm >/dev/null 2>&1; then
		npm install --silent --no-package-lock --no-audit --no-fund --prefix "$provider" >/dev/null
	else
		echo "not installed: oidc-provider (npm install --prefix $provider)" >&2
	fi
fi
