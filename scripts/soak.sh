#!/bin/sh
# Half an hour, or so many seconds: scripts/soak.sh 120. mountd under load, while
# its table is loaded anew, with mistakes too, its upstream comes and goes, and
# clients go away in the middle of an answer. Whenever all is quiet its
# descriptors, threads and memory are looked at: they must not grow.
set -eu
cd "$(dirname "$0")/.."
length=${1:-1800}
for tool in wrk curl; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "$tool is missing (apt-get install wrk curl)" >&2
		exit 1
	fi
done
mountd=$PWD/bin/mountd
work=$(mktemp -d)
server= upstream=
trap 'kill $server $upstream 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

head -c 20000000 /dev/urandom >"$work/large.bin"
table() {
	cat >"$work/mountd.yaml" <<END
listen: ${listen:-127.0.0.1:0}
watch: false
grace: 2s
log: {level: error, file: ./mountd.log}
use: [request_id, {access_log: {to: ./access.log, sample: 0.001}}, errors, compress]
mounts:
  /: $work
  /app: unix:$work/app.sock
  /limited:
    respond: "$1"
    use: [default, {limit.rate: {rate: 1000/s}}]
END
}
start_upstream() {
	rm -f "$work/app.sock"
	"$mountd" run --listen "unix:$work/app.sock" "/=respond:hello" >/dev/null 2>&1 &
	upstream=$!
}
table first
start_upstream
"$mountd" run -c "$work/mountd.yaml" >"$work/out" 2>&1 &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	grep -q serving "$work/out" && break
	sleep 0.5
done
url=$(sed -n 's/.* on \(http:[^ ]*\).*/\1/p' "$work/out")
[ -n "$url" ] || { cat "$work/out" >&2; exit 1; }
listen=${url#http://}

descriptors() { ls "/proc/$server/fd" | wc -l; }
threads() { sed -n 's/^Threads:[^0-9]*//p' "/proc/$server/status"; }
memory() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$server/status"; }

begin=$(date +%s)
round=0
while [ $(($(date +%s) - begin)) -lt "$length" ]; do
	round=$((round + 1))
	wrk -t1 -c64 -d6s "$url/app/" >"$work/wrk.app" 2>&1 &
	one=$!
	wrk -t1 -c32 -d6s "$url/limited" >"$work/wrk.limited" 2>&1 &
	two=$!
	for _ in 1 2 3 4 5 6 7 8; do
		curl -s -m 0.05 --limit-rate 2M -o /dev/null "$url/large.bin" || true
	done
	table "round $round"
	kill -HUP "$server"
	sleep 1
	kill -9 "$upstream" 2>/dev/null || true
	wait "$upstream" 2>/dev/null || true
	echo "mounts: {/: [" >"$work/mountd.yaml"
	kill -HUP "$server"
	sleep 1
	start_upstream
	table "round $round, mended"
	kill -HUP "$server"
	wait "$one" "$two" || true
	sleep 4 # connections end, the old table is let go of
	kill -0 "$server" 2>/dev/null || { echo "mountd has ended" >&2; cat "$work/out" >&2; exit 1; }
	answer=$(curl -s -m 5 "$url/app/" || true)
	[ "$answer" = hello ] || { echo "round $round: the application answers \"$answer\"" >&2; exit 1; }
	now="$(descriptors) $(threads) $(memory)"
	# The first rounds fill pools and caches.
	[ "$round" -le 3 ] && first=$now
	# shellcheck disable=SC2086
	printf '%5d s  descriptors %s  threads %s  memory %s MiB  %s requests\n' $(($(date +%s) - begin)) $now \
		"$(awk '/requests in/ { n += $1 } END { print n + 0 }' "$work/wrk.app" "$work/wrk.limited")"
done
# shellcheck disable=SC2086
set -- $first $now
if [ "$4" -gt $(($1 + 20)) ] || [ "$5" -gt $(($2 + 10)) ] || [ "$6" -gt $(($3 * 3 / 2 + 32)) ]; then
	echo "it grew: descriptors $1 to $4, threads $2 to $5, memory $3 to $6 MiB" >&2
	exit 1
fi
echo "flat: descriptors $1 to $4, threads $2 to $5, memory $3 to $6 MiB"
