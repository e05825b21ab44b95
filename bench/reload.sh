#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC1091,SC2034,SC2154,SC2317,SC2329 # dnsbench is beside the tree; its library calls and reads what is here
# BENCH: reload [N]             cached answers before, during and after a reload of a list of N names (5,000,000)
#
# The whole gateway, one worker, RATE (20,000) questions a second evenly spaced, from dnsbench's generator on the other core. The
# list gets a name more, and `sluice reload` compiles it (listc) and swaps it in while the questions go on: a row a second, so that
# the seconds with the reload stand beside those without. At the end listc is killed while it compiles: the old lists stay.
# SECS (5) before and after, ROUNDS (3). The machine must be quiet and have two cores; where it is not, compare with "before"; a
# virtual one stops as a whole for the time stolen.
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
DNSBENCH=${DNSBENCH:-$TOP/../shared/tools/dnsbench}
SLUICE_BUILD=${SLUICE_BUILD:-$TOP/build}
export SLUICE_BUILD DNSBENCH
N=${1:-5000000} ROUNDS=${ROUNDS:-3} SECS=${SECS:-5} RATE=${RATE:-20000} WAIT_S=120

[[ -r $DNSBENCH/src/dnsgen.c ]] || { echo "bench reload: dnsbench is not in $DNSBENCH: name its directory in DNSBENCH" >&2; exit 1; }
if [[ ${IN_NETNS:-} != 1 ]]; then
	W=$(mktemp -d /tmp/sluice-reload.XXXXXX)
	chmod 755 "$W" # dnsd and listc run under other users
	export W
	trap 'rm -rf "$W"' EXIT
	IN_NETNS=1 unshare -n -- "$0" "$@"
	exit
fi
ip link set lo up
BIN=$W/bin FIRST_UNIQUE=0
mkdir -p "$BIN"
. "$DNSBENCH/lib.sh"
. "$DNSBENCH/peers.sh"
. "$TOP/bench/dnsbench-sluice.sh"
trap stop_all EXIT
trap 'exit 130' INT TERM
for f in dnsgen udpecho namegen; do cc -O2 -pthread -o "$BIN/$f" "$DNSBENCH/src/$f.c" || exit 1; done
# The generator with one line more: the slowest answer, and how many were slower than 5 ms. Of 20,000 a p99.9 leaves out 20.
cat >"$W/slowest.c" <<'C'
#define main dnsgen_main
#include DNSGEN
#undef main
static void slowest(void)
{
	unsigned long slow = 0;
	/* 64 steps to each power of two: the first bucket that is wholly above 5 ms. */
	const size_t first = (size_t)(22 - 5) * 64 + ((5000000u >> (22 - 6)) & 63) + 1;

	for (size_t i = first; i < sizeof(hist) / sizeof(*hist); i++)
		slow += hist[i];
	printf("max=%.1f slow=%lu\n", percentile_us(1), slow);
}
int main(int argc, char **argv)
{
	atexit(slowest);
	return dnsgen_main(argc, argv);
}
C
cc -O2 -pthread -DDNSGEN="\"$DNSBENCH/src/dnsgen.c\"" -o "$BIN/dnsgen" "$W/slowest.c" || exit 1

"$BIN/namegen" -n 50000 -s 1 -z bench | sed 's/$/ A/' >"$W/allowed.q"
"$BIN/namegen" -n "$N" -s 7 >"$W/list.txt"
head -n 1000 "$W/list.txt" | sed 's/$/ A/' >"$W/list.q"
UPSTREAM=$NEXT_PORT NEXT_PORT=$((NEXT_PORT + 1))
taskset -c "$GEN_CORE" "$BIN/udpecho" -p "$UPSTREAM" -a >/dev/null 2>&1 </dev/null &
PEER_PIDS[upstream]=" $!"

sluice() { "$SLUICE_BUILD/sluice" "$@" --config "$DIR/gateway.hujson"; }
SERVER_CORES=0
start_peer gate sluice 1 list "$W/list"
ready gate "$W/list.q" 3 "$WAIT_S" || { echo "bench reload: no blocked answer; $(tail -n 3 "$DIR/log")" >&2; exit 1; }
taskset -c "$GEN_CORE" "$BIN/dnsgen" -1 -w 64 -p "${PEER_PORT[gate]}" -q "$W/allowed.q" -t 30 >"$W/warm"

# stolen: ms for which the host of this machine, if it is a virtual one, ran others on our cores.
stolen() { awk -v hz="$(getconf CLK_TCK)" '/^cpu / { print $9 * 1000 / hz }' /proc/stat; }
# second LABEL: a row of one second's load.
second() {
	local before
	before=$(stolen)
	taskset -c "$GEN_CORE" "$BIN/dnsgen" -p "${PEER_PORT[gate]}" -q "$W/allowed.q" -t 1 -W 0 -r "$RATE" >"$W/second"
	awk -v label="$1" -v steal="$(($(stolen) - before))" '{
		for (i = 1; i <= NF; i++) { split($i, kv, "="); v[kv[1]] = kv[2] }
	}
	END {
		printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", label, v["qps"], v["p50"], v["p99"], v["p999"],
			v["max"], v["slow"], v["lost"], v["servfail"], steal
	}' "$W/second"
}
blocked() { # NAME: it is NXDOMAIN
	echo "$1 A" >"$W/one.q"
	"$BIN/dnsgen" -P -p "${PEER_PORT[gate]}" -q "$W/one.q" -E 3 -t "${2:-2}" >/dev/null
}
listc() { # the gateway's child of that name
	local p
	for p in $(tree_of "${PEER_PIDS[gate]// /}"); do
		[[ $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) == *listc* ]] && echo "$p"
	done
}

echo "# $N names, $RATE questions a second"
echo '| second | answers/s | p50 us | p99 us | p99.9 us | slowest us | above 5 ms | lost | SERVFAIL | stolen ms |'
echo '|---|---|---|---|---|---|---|---|---|---|'
for ((r = 1; r <= ROUNDS; r++)); do
	for ((i = 1; i <= SECS; i++)); do second "before $r.$i"; done
	echo "||new$r.reload.bench^" >>"$DIR/blocked.adblock"
	(time sluice reload) >"$W/reload" 2>&1 &
	job=$!
	for ((i = 1; i <= WAIT_S; i++)); do
		second "during $r.$i"
		kill -0 "$job" 2>/dev/null || break
	done
	wait "$job"
	for ((i = 1; i <= SECS; i++)); do second "after $r.$i"; done
	echo "# reload $r: $(awk '/^real/ {print $2}' "$W/reload"), the new name is blocked: $(blocked "new$r.reload.bench" && echo yes || echo no)"
done

echo "||killed.reload.bench^" >>"$DIR/blocked.adblock"
sluice reload >"$W/reload" 2>&1 &
job=$!
killed=
for ((i = 0; i < 1000 && ${#killed} == 0; i++)); do
	killed=$(listc | head -n 1)
	[[ $killed ]] || sleep 0.005
done
[[ $killed ]] && kill -9 "$killed"
wait "$job"
echo "# listc ${killed:-not seen} killed: reload ended with $?: $(tail -n 1 "$W/reload")"
echo "# the old list blocks: $(blocked "$(head -n 1 "$W/list.txt")" && echo yes || echo no); the new name passes: $(blocked killed.reload.bench 1 && echo no || echo yes)"
