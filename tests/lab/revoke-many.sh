#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 7 among many: 10,000 live flows of two devices, TCP and UDP, IPv4 and IPv6. A change denies 37 of them: exactly
# those end, the others keep their entries, their counters and go on. Then one device goes into quarantine.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

EACH=5000
DOOMED_PORT=7009
many=$BUILD/tests/lab/many_flows

# spec DEVICE-NUMBER DOOMED: one flow a line, no two alike. The doomed are spread over protocols and families; the last
# four go to their port, too, at an address that the deny does not name.
spec() {
	awk -v d="$1" -v doomed="$2" -v n=$EACH -v port=$DOOMED_PORT -v other4=$OTHER4 -v other6=$OTHER6 'BEGIN {
		for (i = 0; i < n; i++) {
			proto = i % 2 ? "udp" : "tcp"
			a = int(i / 4)
			v4 = int(i / 2) % 2 == 0
			addr = v4 ? sprintf("198.18.%d.%d", d * 10 - 10 + a / 250, a % 250 + 1) : sprintf("2001:db8:c::%d:%x", d, a + 1)
			p = i >= 5 && (i - 5) % 131 == 0 && (i - 5) / 131 < doomed ? port : 7001 + a % 3
			if (i >= n - 4) {
				addr = v4 ? other4 : other6
				p = port
			}
			print proto, addr, p
		}
	}'
}

# entries FILE: `device proto address port id packets` of the devices' flows, as the gateway has them.
entries() {
	for _family in ipv4 ipv6; do
		in_ns gw conntrack -L -f $_family -o extended,id 2>/dev/null
	done | awk -v l4=$LAPTOP4 -v l6=$LAPTOP6 -v s4=$SERVER4 -v s6=$SERVER6 '{
		device = src = dst = dport = id = packets = ""
		for (i = 4; i <= NF; i++) {
			split($i, kv, "=")
			if (kv[1] == "src" && src == "") src = kv[2]
			if (kv[1] == "dst" && dst == "") dst = kv[2]
			if (kv[1] == "dport" && dport == "") dport = kv[2]
			if (kv[1] == "packets" && packets == "") packets = kv[2]
			if (kv[1] == "id") id = kv[2]
		}
		device = src == l4 || src == l6 ? "laptop" : src == s4 || src == s6 ? "server" : ""
		if (device != "" && dport >= 7001 && dport <= 7009) print device, $3, dst, dport, id, packets
	}' | sort >"$1"
}

# The entries without what changes with each packet.
kept() {
	cut -d ' ' -f 1-5 "$1"
}

count_is() {
	[ "$(wc -l <"$2")" = "$1" ] || { wc -l "$2"; false; }
}

same() {
	cmp -s "$1" "$2" || { diff "$1" "$2" | head -n 5; false; }
}

# not_fewer BEFORE AFTER [MORE]: every entry of AFTER has at least as many packets as in BEFORE; MORE: has more.
not_fewer() {
	awk -v more="${3:-0}" 'NR == FNR { was[$1, $2, $3, $4, $5] = $6; next }
		$6 < was[$1, $2, $3, $4, $5] + more { print; bad = 1 } END { exit bad }' "$1" "$2"
}

# Each device asks over all its flows; those without an answer are in $LAB/flows-DEVICE.ROUND.
round() {
	for _device in laptop server; do
		[ "$1" = 0 ] || kill -s USR1 "$(pid_of "flows-$_device")"
	done
	wait_until 60 test -e "$LAB/flows-laptop.$1" -a -e "$LAB/flows-server.$1"
}

# answer JSON-FILTER: of the last reload.
answer() {
	jq -e "$1" "$LAB/answer"
}

# policy DENIES
policy() {
	cat >"$LAB/etc/policy.hujson" <<-TEXT
		{
			"tagOwners": {"tag:server": []},
			"grants": [{"src": ["*"], "dst": ["198.18.0.0/15", "2001:db8:c::/64", "$OTHER4", "$OTHER6"], "ip": ["*"]}],
			"denies": [$1],
			"dns": {"upstreams": ["$PUBLIC4"]},
		}
	TEXT
	sluice reload --json >"$LAB/answer"
}

expect "the policy" policy ""
in_ns gw sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600 net.netfilter.nf_conntrack_udp_timeout_stream=600
start many internet "$many" serve 7001 7002 7003 $DOOMED_PORT
wait_until 5 listens internet $DOOMED_PORT || die "no server"
spec 1 19 >"$LAB/spec-laptop"
spec 2 18 >"$LAB/spec-server"
for device in laptop server; do
	start "flows-$device" $device "$many" hold "$LAB/spec-$device" "$LAB/flows-$device"
	# All that is denied later; the four at other addresses are not.
	awk -v port=$DOOMED_PORT -v d=$device -v o4=$OTHER4 -v o6=$OTHER6 \
		'$3 == port && $2 != o4 && $2 != o6 { print d, $0 }' "$LAB/spec-$device"
done | sort >"$LAB/doomed"
expect "each flow is up" round 0
for device in laptop server; do
	expect "and answered, each of $EACH of the $device" count_is 0 "$LAB/flows-$device.0"
done
entries "$LAB/before"
expect "the gateway has 10,000 entries for them" count_is 10000 "$LAB/before"
expect "37 are to go" count_is 37 "$LAB/doomed"

expect "a change that denies those" policy \
	"{\"src\": [\"*\"], \"dst\": [\"198.18.0.0/15\", \"2001:db8:c::/64\"], \"ip\": [\"tcp:$DOOMED_PORT\", \"udp:$DOOMED_PORT\"]}"
entries "$LAB/after"
expect "37 flows are cut, says the answer" answer '.cut == 37 and .cut_by.denied == 37'
say "# 37 of $(jq .flows "$LAB/answer") flows cut $(jq .cut_ms "$LAB/answer") ms after the commit"
kept "$LAB/before" >"$LAB/before.ids"
kept "$LAB/after" >"$LAB/after.ids"
comm -23 "$LAB/before.ids" "$LAB/after.ids" | cut -d ' ' -f 1-4 | sort >"$LAB/gone"
comm -13 "$LAB/before.ids" "$LAB/after.ids" >"$LAB/new"
expect "exactly those entries are gone" same "$LAB/doomed" "$LAB/gone"
expect "no other is another one" count_is 0 "$LAB/new"
expect "the others keep their counters" not_fewer "$LAB/before" "$LAB/after"
expect "each device asks again" round 1
for device in laptop server; do
	grep "^$device " "$LAB/doomed" | cut -d ' ' -f 2- >"$LAB/doomed-$device"
	sort -o "$LAB/silent" "$LAB/flows-$device.1"
	expect "exactly the cut ones of the $device have no answer" same "$LAB/doomed-$device" "$LAB/silent"
done
entries "$LAB/again"
kept "$LAB/again" >"$LAB/again.ids"
expect "no cut one is back, and all others are the same" same "$LAB/after.ids" "$LAB/again.ids"
expect "and have counted on" not_fewer "$LAB/before" "$LAB/again" 1
expect "each cut is logged with its rule" \
	says 'flow.cut device=server .*why="denied by a rule" rule=/denies/0 was=/grants/0' "$LAB/log/supervisor"

expect "the server goes into quarantine" sh -c '"$@" >"$0"' "$LAB/answer" \
	"$BUILD/sluice" --config "$CONFIG" quarantine --json server
say "# $(jq .cut "$LAB/answer") of $(jq .flows "$LAB/answer") flows cut $(jq .cut_ms "$LAB/answer") ms after the commit"
expect "its flows are cut" answer ".cut_by.not_active >= $EACH - 18"
entries "$LAB/after"
grep '^laptop ' "$LAB/again.ids" >"$LAB/again-laptop.ids"
kept "$LAB/after" >"$LAB/after.ids"
expect "the laptop has all of its, and nobody has others" same "$LAB/again-laptop.ids" "$LAB/after.ids"
expect "the log does not drown in it" says 'flow.cut.more untold=' "$LAB/log/supervisor"
