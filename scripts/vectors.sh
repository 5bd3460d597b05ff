#!/bin/sh
# Tells how many test vectors passed in the last run of scripts/test.sh, by
# package and theme. Why some are not applicable stands in bin/test.log.
set -eu
cd "$(dirname "$0")/.."
echo "test vectors"
awk '
	/vectors [^:]*: [0-9]+ passed/ {
		sub(/.*vectors /, ""); sub(/ not applicable.*/, " not applicable")
		said[n++] = $0
		counts = $0; sub(/^[^:]*: /, "", counts); split(counts, c, " ")
		passed += c[1]; failed += c[3]
	}
	/^(ok|FAIL)[ \t]+[^ \t]/ {
		package = $2; sub(/^github.com\/mountd\/mountd\//, "", package)
		for (i = 0; i < n; i++) printf "  %-22s %s\n", package, said[i]
		n = 0
	}
	END { printf "  %-22s %d passed, %d failed\n", "all", passed, failed }' bin/test.log
