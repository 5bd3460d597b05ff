#!/bin/sh
# Ten million requests, or so many: scripts/endure.sh 200000. Files, proxied
# answers, and connections that end with each tenth request, in turns of wrk
# with 64 connections. After every turn, when all is quiet, memory, descriptors
# and threads are looked at: they must be flat from a quarter of the way on.
# ROUND=2 makes the turns as many seconds; MOUNTD_HTTP1=net/http goes through.
set -eu
cd "$(dirname "$0")/.."
wanted=${1:-10000000}
round=${ROUND:-10}
for tool in wrk curl; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "$tool is missing (apt-get install wrk curl)" >&2
		exit 1
	fi
done
mountd=${MOUNTD:-$PWD/bin/mountd}
work=$(mktemp -d)
server= upstream=
trap 'kill $server $upstream 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

mkdir "$work/files"
head -c 1024 /dev/urandom >"$work/files/1KiB.bin"
head -c 102400 /dev/urandom >"$work/files/100KiB.bin"
cat >"$work/mountd.yaml" <<END
listen: 127.0.0.1:0
watch: false
log: {level: error, file: ./mountd.log}
use: [request_id, {access_log: {to: ./access.log, sample: 0.001}}, errors]
mounts:
  /files: $work/files
  /app: unix:$work/app.sock
END
# Each tenth request ends its connection, and wrk opens another one.
cat >"$work/mix.lua" <<'END'
local paths = { "/app/", "/files/1KiB.bin", "/files/100KiB.bin", "/app/" }
local n = 0
request = function()
	n = n + 1
	return wrk.format("GET", paths[n % 4 + 1], n % 10 == 0 and { Connection = "close" } or nil)
end
END
"$mountd" run --listen "unix:$work/app.sock" "/=respond:hello" >/dev/null 2>&1 &
upstream=$!
"$mountd" run -c "$work/mountd.yaml" >"$work/out" 2>&1 &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	grep -q serving "$work/out" && break
	sleep 0.5
done
url=$(sed -n 's/.* on \(http:[^ ]*\).*/\1/p' "$work/out")
[ -n "$url" ] || { cat "$work/out" >&2; exit 1; }
[ "$(curl -s -m 5 "$url/app/")" = hello ] || { echo "the application does not answer" >&2; exit 1; }

memory() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
descriptors() { ls "/proc/$server/fd" | wc -l; }
threads() { sed -n 's/^Threads:[^0-9]*//p' "/proc/$server/status"; }

# Pools and caches fill before anything is counted.
for warm in "$url/files/1KiB.bin" "$url/app/"; do
	wrk -t1 -c64 -d1s "$warm" >/dev/null
done

done=0 turn=0 wrong=0
begin=$(date +%s)
echo "| requests | what | seconds | requests/s | memory KiB | descriptors | threads |"
echo "|--:|---|--:|--:|--:|--:|--:|"
while [ "$done" -lt "$wanted" ]; do
	turn=$((turn + 1))
	case $((turn % 3)) in
	1) what=static; set -- "$url/files/1KiB.bin" ;;
	2) what=proxied; set -- "$url/app/" ;;
	0) what="mixed, closing"; set -- -s "$work/mix.lua" "$url" ;;
	esac
	wrk -t1 -c64 -d"${round}s" --timeout 10s "$@" >"$work/wrk" 2>&1
	if grep -q -e 'Non-2xx' -e 'Socket errors' "$work/wrk"; then
		wrong=$((wrong + 1))
		grep -e 'Non-2xx' -e 'Socket errors' "$work/wrk" >&2
	fi
	count=$(awk '/requests in/ { print $1 }' "$work/wrk")
	[ "${count:-0}" -gt 0 ] || { cat "$work/wrk" >&2; exit 1; }
	rate=$(awk '/Requests\/sec/ { print int($2) }' "$work/wrk")
	done=$((done + count))
	sleep 1 # its connections end
	kill -0 "$server" 2>/dev/null || { echo "mountd has ended" >&2; cat "$work/out" >&2; exit 1; }
	now="$(memory) $(descriptors) $(threads)"
	echo "$done $now" >>"$work/samples"
	# shellcheck disable=SC2086
	set -- $now
	echo "| $done | $what | $(($(date +%s) - begin)) | $rate | $1 | $2 | $3 |"
done
[ "$(curl -s -m 5 "$url/app/")" = hello ] || { echo "the application does not answer any more" >&2; exit 1; }

# Medians of the second quarter of the way beside those of the last one.
awk -v all="$done" -v wrong="$wrong" '
	$1 > all / 4 && $1 <= all / 2 { for (i = 2; i <= 4; i++) early[i, ++n[i]] = $i }
	$1 > all * 3 / 4 { for (i = 2; i <= 4; i++) late[i, ++m[i]] = $i }
	function median(from, i, count,    a, b, t) {
		for (a = 2; a <= count; a++)
			for (b = a; b > 1 && from[i, b] + 0 < from[i, b - 1] + 0; b--) { t = from[i, b]; from[i, b] = from[i, b - 1]; from[i, b - 1] = t }
		return from[i, int((count + 1) / 2)]
	}
	function compare(name, i, factor, more,    was, is, grew) {
		was = median(early, i, n[i]); is = median(late, i, m[i])
		grew = (is > was * factor + more)
		printf "%-12s %8d  %8d  %s\n", name, was, is, (grew ? "GREW" : "flat")
		if (grew) bad = 1
	}
	END {
		printf "\n"
		if (!n[2] || !m[2]) { print "too few turns to tell whether anything grows: ask for more requests, or ROUND=2"; exit (wrong > 0) }
		printf "%-12s %8s  %8s\n", "median of", "quarter 2", "quarter 4"
		compare("memory KiB", 2, 1.1, 4096)
		compare("descriptors", 3, 1, 8)
		compare("threads", 4, 1, 4)
		if (wrong) printf "%d turns had errors\n", wrong
		exit (bad || wrong > 0)
	}' "$work/samples"
