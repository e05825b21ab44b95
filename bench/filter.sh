#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC1091,SC2034,SC2154,SC2317,SC2329 # dnsbench is beside the tree; its library calls and reads what is here
# BENCH: filter [N]             blocked, exempted and passed answers beside cached ones without lists; one device, and 1,000
# N names (1,000,000) and 1,000 regular expressions; of the names of the upstream's zone every tenth is on a list and excepted.
# "many": 1,000 devices, each with another choice of ten lists; 64 of them ask. "nolists": the same devices without lists. By dnsbench's generator and yardstick, as
# `bench dns`. ROUNDS (5), SECS (2). The machine must be quiet and have two cores.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
DNSBENCH=${DNSBENCH:-$TOP/../shared/tools/dnsbench}
SLUICE_BUILD=${SLUICE_BUILD:-$TOP/build}
export SLUICE_BUILD DNSBENCH
N=${1:-1000000} ROUNDS=${ROUNDS:-5} SECS=${SECS:-2}
DEVICES=1000 REGEXES=1000 LISTS=10

[[ -x $DNSBENCH/run.sh ]] || { echo "bench filter: dnsbench is not in $DNSBENCH: name its directory in DNSBENCH" >&2; exit 1; }
if [[ ${IN_NETNS:-} != 1 ]]; then
	W=$(mktemp -d /tmp/sluice-filter.XXXXXX)
	chmod 755 "$W"
	export W
	trap 'rm -rf "$W"' EXIT
	IN_NETNS=1 unshare -n -- "$0" "$@"
	exit
fi
ip link set lo up
BIN=$W/bin RESULTS=${RESULTS:-$W/results.txt} FIRST_UNIQUE=0
mkdir -p "$BIN"
set +eu # as dnsbench's library is written
. "$DNSBENCH/lib.sh"
. "$DNSBENCH/peers.sh"
trap stop_all EXIT
trap 'exit 130' INT TERM
for f in dnsgen udpecho namegen; do cc -O2 -pthread -o "$BIN/$f" "$DNSBENCH/src/$f.c" || exit 1; done
cc -O2 -D_GNU_SOURCE -shared -fPIC -o "$BIN/from_many.so" "$TOP/bench/from_many.c" -ldl || exit 1

names_make() {
	"$BIN/namegen" -n 50000 -s 1 -z bench >"$W/allowed.txt"
	{
		echo "\$TTL 86400"
		echo "bench. SOA ns.bench. hostmaster.bench. 1 3600 600 86400 300"
		echo "bench. NS ns.bench."
		echo "ns.bench. A 127.0.0.1"
		awk '{printf "%s. A 198.18.%d.%d\n", $1, NR / 250 % 250, NR % 250}' "$W/allowed.txt"
	} >"$W/bench.zone"
	awk 'NR % 10 == 0' "$W/allowed.txt" >"$W/exempted.txt"
	awk 'NR % 10 != 0' "$W/allowed.txt" >"$W/passed.txt"
	"$BIN/namegen" -n "$N" -s 7 >"$W/blocked.txt"
	for q in allowed exempted passed blocked; do
		shuf -n 50000 --random-source=<(yes) "$W/$q.txt" | sed 's/$/ A/' >"$W/$q.q"
	done
	# All names on one list and each on one of ten; the excepted ones on all, and the exceptions.
	sed 's/.*/||&^/' "$W/blocked.txt" "$W/exempted.txt" >"$W/all.txt"
	for ((i = 0; i < LISTS; i++)); do
		awk -v n="$LISTS" -v i="$i" 'NR % n == i {print "||" $1 "^"}' "$W/blocked.txt" >"$W/l$i.txt"
		sed 's/.*/||&^/' "$W/exempted.txt" >>"$W/l$i.txt"
	done
	sed 's/.*/@@||&^/' "$W/exempted.txt" >"$W/exceptions.txt"
	# As people write them: a word, digits, a place in the name.
	awk -v n="$REGEXES" 'BEGIN {
		split("ads adserver banner beacon click counter crash event log metrics pixel promo sdk stats telemetry track", w, " ")
		for (i = 0; i < n; i++) {
			k = i % 4; word = w[i % 16 + 1] int(i / 16)
			if (k == 0) print "/^" word "[0-9]*\\./"
			if (k == 1) print "/(^|\\.)" word "-[a-z0-9-]+\\.(com|net|org)$/"
			if (k == 2) print "/^([a-z0-9-]+[-.])?" word "([-.][a-z0-9-]+)?\\.[a-z]+\\./"
			if (k == 3) print "/" word "(er|ing)?[0-9]{1,3}\\.[a-z0-9-]+\\.[a-z]{2,}$/"
		}
	}' >"$W/regexes.txt"
}

# peer NAME LISTS FILTERS DEVICES, in the folder that is to be served from.
gateway_write() {
	cat >"$DIR/gateway.hujson" <<-CONF
		{
			"tunnel": {"interface": "lo", "existing": true, "addresses": ["127.0.0.1/8"]},
			"netfilter": {"mode": "off", "gate": false},
			"dns": {"port": $PORT, "workers": 1, "capture": false, "rateLimit": {"queries": 0, "misses": 0, "errors": 0}},
			"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
			"refresh": 0, "users": {"dnsd": "64701", "recorder": "64702"},
		}
	CONF
	cat >"$DIR/devices.hujson" <<-CONF
		{"devices": [$3]}
	CONF
	cat >"$DIR/policy.hujson" <<-CONF
		{"tagOwners": {"tag:bench": []},
		 "hosts": {$4},
		 "dns": {"upstreams": ["127.0.0.1:$UPSTREAM"], "lists": {$1}, "filters": [$2]}}
	CONF
	mkdir -p "$DIR/state" "$DIR/run"
	CMD=("$SLUICE_BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson")
}

lists_text() {
	local i text="\"all\": {\"file\": \"$W/all.txt\"}, \"regexes\": {\"file\": \"$W/regexes.txt\"}, \"exceptions\": {\"file\": \"$W/exceptions.txt\"}"
	[[ ${1:-} != many ]] || for ((i = 0; i < LISTS; i++)); do text+=", \"l$i\": {\"file\": \"$W/l$i.txt\"}"; done
	echo "$text"
}

peer_bare() {
	gateway_write "" '{"src": ["*"]}' '{"name": "bench", "addresses": ["127.0.0.1"], "tags": ["tag:bench"]}' ""
}

peer_lists() {
	gateway_write "$(lists_text)" '{"src": ["*"], "block": ["all", "regexes", "exceptions"]}' \
		'{"name": "bench", "addresses": ["127.0.0.1"], "tags": ["tag:bench"]}' ""
}

# The same devices, and no lists.
peer_nolists() {
	local devices
	devices=$(awk -v n="$DEVICES" 'BEGIN {for (i = 1; i <= n; i++)
		printf "{\"name\": \"d%d\", \"addresses\": [\"127.1.%d.%d\"], \"tags\": [\"tag:bench\"]},\n", i, i / 250, i % 250 + 1}')
	gateway_write "" '{"src": ["*"]}' "$devices"'{"name": "bench", "addresses": ["127.0.0.1"], "tags": ["tag:bench"]}' ""
}

peer_many() {
	local devices filters hosts
	devices=$(awk -v n="$DEVICES" 'BEGIN {for (i = 1; i <= n; i++)
		printf "{\"name\": \"d%d\", \"addresses\": [\"127.1.%d.%d\"], \"tags\": [\"tag:bench\"]},\n", i, i / 250, i % 250 + 1}')
	devices+='{"name": "bench", "addresses": ["127.0.0.1"], "tags": ["tag:bench"]}'
	hosts=$(awk -v n="$DEVICES" 'BEGIN {for (i = 1; i <= n; i++) printf "\"h%d\": \"127.1.%d.%d\",\n", i, i / 250, i % 250 + 1}')
	filters=$(awk -v n="$DEVICES" -v lists="$LISTS" 'BEGIN {for (i = 1; i <= n; i++) {
		printf "{\"src\": [\"h%d\"], \"block\": [\"all\", \"regexes\", \"exceptions\"", i
		for (k = 0; k < lists; k++) if (int(i / 2 ^ k) % 2) printf ", \"l%d\"", k
		print "]},"}}')
	filters+='{"src": ["*"], "block": ["all", "regexes", "exceptions"]}'
	gateway_write "$(lists_text many)" "$filters" "$devices" "$hosts"
}

# ask PEER METRIC FILE: one measured run.
ask() {
	local many=() preload=""
	if [[ $1 == many || $1 == nolists ]]; then
		many=(-k 64)
		preload=$BIN/from_many.so
	fi
	LD_PRELOAD=$preload SLUICE_BENCH_STEP=15 measure "$1" "peer=$1 round=$r metric=$2" -q "$W/$3.q" -t "$SECS" -W 0.3 -w 128 -S "${many[@]}"
}

warm() { taskset -c "$GEN_CORE" "$BIN/dnsgen" -1 -w 64 -p "${PEER_PORT[$1]}" -q "$W/allowed.q" -t 30 >"$W/warm.$1"; }

round() {
	local p
	for p in echo32 bare lists nolists many; do
		start_peer "$p" "$p" 1
		if ! ready "$p" "$W/allowed.q" 0 120; then
			echo "bench filter: $p does not answer: $(tail -3 "$DIR/log")" >&2
		elif [[ $p == echo32 ]]; then
			ask "$p" echo allowed
		else
			warm "$p"
			case $p in
			bare | nolists) ask "$p" cached passed ;;
			*) for q in passed exempted blocked; do ask "$p" "$q" "$q"; done ;;
			esac
		fi
		stop_peer "$p"
	done
}

names_make
start_upstream || exit 1
for ((r = 1; r <= ROUNDS; r++)); do round; done
echo "CPU µs a query, of all of the gateway's processes; median of $ROUNDS rounds, and of the ratios to cached ones without lists, of the same round"
awk '
function value(key,    v) { v = $0; if (!sub(".*[ ]" key "=", "", v)) return ""; sub(" .*", "", v); return v }
function median(list,    a, n, i, k, t) {
	n = split(list, a, " ")
	for (i = 2; i <= n; i++) for (k = i; k > 1 && a[k - 1] + 0 > a[k] + 0; k--) { t = a[k]; a[k] = a[k - 1]; a[k - 1] = t }
	return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
{
	$0 = " " $0
	k = value("peer") " " value("metric"); round = value("round"); cpu = value("cpu_us")
	if (!(k in seen)) { order[++n] = k; seen[k] = 1 }
	all[k] = all[k] " " cpu; of[k, round] = cpu; kqps[k] = kqps[k] " " value("qps") / 1000
	foreign[k] = foreign[k] " " value("foreign")
	rounds = round > rounds ? round : rounds
}
END {
	printf "%-16s %8s %8s %8s %8s\n", "what", "CPU us", "ratio", "kqps", "foreign"
	for (i = 1; i <= n; i++) {
		k = order[i]; ratios = ""
		base = k ~ /^(many|nolists)/ ? "nolists cached" : "bare cached"
		for (r = 1; r <= rounds; r++) if (of[base, r] > 0 && of[k, r] > 0) ratios = ratios " " of[k, r] / of[base, r]
		printf "%-16s %8.2f %8.3f %8.1f %8.2f\n", k, median(all[k]), median(ratios), median(kqps[k]), median(foreign[k])
	}
}' "$RESULTS"
