#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Addresses that a deny closes for everything are left out of answers: by country, list, ipset and prefix, for those whom
# it is about, also over a restart of dnsd and of gatewayd. Those of a deny of some ports are not.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

OTHER=203.0.113.9
POLICY_BASE='s|{"src": "tag:server", "accept".*||'

# has MACHINE NAME TYPE ADDRESS... : these and no others.
has() {
	_from=$1 _name=$2 _type=$3
	shift 3
	[ "$(in_ns "$_from" dig +short +tries=1 +time=2 @$GW_TUN4 "$_name" "$_type" | sort | tr '\n' ' ')" = \
		"$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]
}
# closed DENIES: a policy with these.
closed() {
	apply "s#//denies .*#\"denies\": [$1],#"
}
blocked_by() {
	ask laptop "$1" "$2" | grep -Eq "EDE: 15.*$3"
}

expect "all addresses are answered" has laptop multi.example.org A 198.51.100.10 198.51.100.20 $OTHER
if [ -f "$LAB/etc/country.mmdb" ]; then
	expect "a country is denied to the family" closed '{"src": ["group:family"], "dst": ["geo:FR"], "ip": ["*"]}'
	expect "its address is left out" has laptop multi.example.org A 198.51.100.10 198.51.100.20
	expect "IPv6, too" has laptop multi.example.org AAAA 2001:db8:a::10
	expect "again, from the cache" has laptop multi.example.org A 198.51.100.10 198.51.100.20
	expect "not for the server" has server multi.example.org A 198.51.100.10 198.51.100.20 $OTHER
	expect "a name with no other address is blocked, by the rule" blocked_by other.example.org A 'policy\.hujson line [0-9]+: /denies/0'
	expect "IPv6, too" blocked_by other.example.org AAAA '/denies/0'
	sluice allow other.example.org --device laptop >"$LAB/allowed"
	expect "sluice allow does not help it" blocked_by other.example.org A '/denies/0'
	kill -9 "$(child_pid dnsd)"
	expect "a new dnsd knows" wait_until 5 blocked_by other.example.org A '/denies/0'
	old=$(gateway_pid)
	kill -9 "$old"
	again() {
		[ "$(gateway_pid)" != "$old" ] && blocked_by other.example.org A '/denies/0'
	}
	expect "a new gatewayd knows" wait_until 15 again
	# Files that are wrong at a start: the copy of the addresses that were in force.
	cp "$LAB/etc/country.mmdb" "$LAB/country.mmdb"
	echo damaged >"$LAB/etc/country.mmdb"
	old=$(gateway_pid)
	kill -9 "$old"
	expect "also where the database is damaged then" wait_until 15 again
	cp "$LAB/country.mmdb" "$LAB/etc/country.mmdb"
else
	skip "countries" "no database"
fi
expect "a prefix and an ipset are denied" closed '{"src": ["group:family"], "dst": ["198.51.100.20", "2001:db8:b::/48"], "ip": ["*"]}'
expect "the prefix is left out" has laptop multi.example.org A 198.51.100.10 $OTHER
expect "IPv6, too" has laptop multi.example.org AAAA 2001:db8:a::10
expect "one port is denied" closed '{"src": ["group:family"], "dst": ["198.51.100.20", "2001:db8:b::/48"], "ip": ["tcp:443"]}'
expect "nothing is left out" has laptop multi.example.org A 198.51.100.10 198.51.100.20 $OTHER
expect "IPv6, too" has laptop multi.example.org AAAA 2001:db8:a::10 2001:db8:b::9
expect "nothing is denied" apply ''
expect "all addresses are answered" has laptop multi.example.org A 198.51.100.10 198.51.100.20 $OTHER
