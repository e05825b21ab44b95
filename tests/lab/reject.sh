#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A deny with "reject" says so at once: TCP by a reset, everything else by ICMP "administratively prohibited", IPv4 and
# IPv6, new flows and live ones. One without is silent.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

PORT=7001
refusal=$BUILD/tests/lab/refusal

# told ANSWER PROTO ADDRESS [PORT]
told() {
	_told=$(in_ns laptop "$refusal" "$2" "$3" "${4:-$PORT}")
	[ "$_told" = "$1" ] || { echo "told: $_told"; false; }
}

# ping_says ADDRESS TEXT
ping_says() {
	in_ns laptop ping -c 1 -W 1 "$1" 2>&1 | grep -i "$2"
}

# live NAME PROTO ADDRESS: a flow that talks, in the background.
live() {
	start "$1" laptop "$refusal" "$2" "$3" $PORT live
	wait_until 5 says '^up$' "$LAB/log/$1"
}

# policy DENIES
policy() {
	cat >"$LAB/etc/policy.hujson" <<-TEXT
		{
			"tagOwners": {"tag:server": []},
			"grants": [{"src": ["*"], "dst": ["autogroup:internet"], "ip": ["*"]}],
			"denies": [$1],
			"dns": {"upstreams": ["$PUBLIC4"]},
		}
	TEXT
	sluice reload
}

start many internet "$BUILD/tests/lab/many_flows" serve $PORT
wait_until 5 listens internet $PORT || die "no server"
expect "all is allowed" policy ""
for proto in tcp udp; do
	for address in $WEB4 $WEB6; do
		expect "$proto to $address is answered" told answer $proto "$address"
		expect "and one goes on" live "$proto-$address" $proto "$address"
	done
done
expect "one elsewhere, too" live elsewhere tcp $OTHER4

expect "a deny with reject" policy "{\"src\": [\"*\"], \"dst\": [\"$WEB4\", \"$WEB6\"], \"ip\": [\"*\"], \"reject\": true}"
for address in $WEB4 $WEB6; do
	expect "a new tcp flow to $address is reset" told reset tcp "$address"
	expect "the live one was, too" wait_until 5 says '^reset$' "$LAB/log/tcp-$address"
done
expect "udp to $WEB4 is prohibited by ICMP" told "icmp 3/13" udp $WEB4
expect "the live one was, too" wait_until 5 says '^icmp 3/13$' "$LAB/log/udp-$WEB4"
expect "udp to $WEB6 is prohibited by ICMPv6" told "icmp6 1/1" udp $WEB6
expect "the live one was, too" wait_until 5 says '^icmp6 1/1$' "$LAB/log/udp-$WEB6"
expect "a ping is told" ping_says $WEB4 "filtered"
expect "an IPv6 ping is told" ping_says $WEB6 "administratively prohibited"
expect "what is elsewhere is answered" told answer tcp $OTHER4
expect "and lives" lacks 'reset|silence' "$LAB/log/elsewhere"

expect "a deny without" policy "{\"src\": [\"*\"], \"dst\": [\"$WEB4\", \"$WEB6\"], \"ip\": [\"*\"]}"
for address in $WEB4 $WEB6; do
	expect "tcp to $address gets silence" told silence tcp "$address"
	expect "udp to $address gets silence" told silence udp "$address"
done
