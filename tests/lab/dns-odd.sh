#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a device is told that asks oddly, by the gateway as it runs: other opcodes, classes, versions and types, questions
# without recursion, cookies, and a flood.
# shellcheck disable=SC2317,SC2329 # functions are run by expect()
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

COOKIE=0102030405060708

# dig_says NAMESPACE PATTERN ARGUMENTS...: dig prints it.
dig_says() {
	_ns=$1 _pattern=$2
	shift 2
	in_ns "$_ns" dig "@$GW_TUN4" +tries=1 +time=3 "$@" >"$LAB/dig" 2>&1
	grep -qE "$_pattern" "$LAB/dig"
}

# The gateway's whole cookie for the laptop.
cookie_given() {
	in_ns laptop dig "@$GW_TUN4" +tries=1 +time=3 "+cookie=$COOKIE" www.example.org | sed -n 's/.*COOKIE: \([0-9a-f]*\) (good).*/\1/p'
}

# cookie_kept COOKIE: it is good, and the same one comes again.
cookie_kept() {
	dig_says laptop "COOKIE: $1 \(good\)" "+cookie=$1" www.example.org
}

dnsd_killed() {
	_before=$(child_pid dnsd)
	kill -9 "$_before" && wait_until 5 dnsd_is_other "$_before"
}

dnsd_is_other() {
	_pid=$(child_pid dnsd) && [ "${_pid:-null}" != null ] && [ "$_pid" != 0 ] && [ "$_pid" != "$1" ]
}

expect "a plain question is answered" dig_says laptop 'status: NOERROR' www.example.org
expect "NOTIFY is not implemented" dig_says laptop 'status: NOTIMP' +opcode=notify +noedns www.example.org
expect "UPDATE is not implemented" dig_says laptop 'status: NOTIMP' +opcode=update +noedns www.example.org
expect "version.bind is refused" dig_says laptop 'status: REFUSED' version.bind CH TXT
expect "with the reason" grep -q 'EDE: 21' "$LAB/dig"
expect "EDNS version 1 is BADVERS" dig_says laptop 'status: BADVERS' +edns=1 +noednsnegotiation www.example.org
expect "a zone transfer is refused" dig_says laptop 'REFUSED|Transfer failed' example.org AXFR
expect "ANY is one HINFO" dig_says laptop 'HINFO.*RFC8482' www.example.org ANY +notcp
expect "the cache is not shown without recursion" dig_says laptop 'status: REFUSED' +norecurse www.example.org
expect "with the reason" grep -q 'EDE: 20' "$LAB/dig"
expect "what is blocked is told all the same" dig_says laptop 'EDE: 15' +norecurse tracker.example.org

given=$(cookie_given)
expect "a cookie is answered by one of ours ($given)" test ${#given} = 48
expect "which is good" cookie_kept "$given"
expect "dnsd is killed" dnsd_killed
expect "and the cookie is still good" wait_until 5 cookie_kept "$given"
expect "a wrong one is renewed, not refused" dig_says laptop 'status: NOERROR' "+cookie=${COOKIE}010000005cf79f111f8130c3eee29480" www.example.org
