#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Spoofed sources: from the WAN, from the LAN and from within the tunnel, nothing passes with an address that cannot be
# there. The judge is a table of its own in the gateway's kernel, whose chains see what is left behind ours: datagrams to
# the gateway itself, and datagrams on their way through. Each check sends the spoofed ones first and then, the same way,
# two that must arrive: when those have, the others have had their chance.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

SPOOF=$BUILD/tests/lab/spoof
FREE4=100.64.0.77 # of the tunnel's network, nobody's
FREE6=fd5a:51ce::77
GW_LAN4=192.168.1.1
GW_LAN6=fd00:1::1

in_ns gw nft -f - <<'TEXT' || die "no judge"
table inet judge {
	counter bad_in { }
	counter bad_through { }
	counter good_in { }
	counter good_through { }
	chain input {
		type filter hook input priority 300
		meta l4proto udp @th,64,32 0x42414421 counter name bad_in
		meta l4proto udp @th,64,32 0x474f4f44 counter name good_in
	}
	chain forward {
		type filter hook forward priority 300
		meta l4proto udp @th,64,32 0x42414421 counter name bad_through
		meta l4proto udp @th,64,32 0x474f4f44 counter name good_through
	}
}
TEXT

counted() {
	in_ns gw nft list counter inet judge "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# arrived COUNTER NUMBER
arrived() {
	[ "$(counted "$1")" -ge "$2" ]
}

mac() {
	ip -n "$NS-gw" -br link show "$1" | awk '{ print $3 }'
}

# lines WORD SOURCE PORT DESTINATION...
lines() {
	_word=$1 _source=$2 _port=$3
	shift 3
	for _to; do
		echo "$_word $_source $_to $_port"
	done
}

# from SIDE: where datagrams are put in; and a source that is right there, the gateway's address that it reaches, and what
# it reaches through the gateway.
from() {
	side=$1
	case $1 in
	WAN)
		at=internet interface=gw0 hop=$(mac wan0)
		good4="$OTHER4 $GW_WAN4 $NAS4" good6="$OTHER6 $GW_WAN6 $NAS6"
		;;
	LAN)
		at=home interface=lan0 hop=$(mac lan0)
		good4="$NAS4 $GW_LAN4 $OTHER4" good6="$NAS6 $GW_LAN6 $OTHER6"
		;;
	tunnel)
		at=laptop interface=wg0 hop=-
		good4="$LAPTOP4 $GW_TUN4 $OTHER4" good6="$LAPTOP6 $GW_TUN6 $OTHER6"
		;;
	esac
}

# good FAMILY: the two that must arrive.
good() {
	if [ "$1" = 4 ]; then _good=$good4; else _good=$good6; fi
	echo "$_good" | {
		read -r _source _in _through
		lines GOOD "$_source" 53 "$_in"
		lines GOOD "$_source" 443 "$_through"
	}
}

# datagrams SOURCE: to all kinds of targets, and then the two that must arrive.
datagrams() {
	case $1 in
	*:*)
		lines 'BAD!' "$1" 53 $GW_WAN6 $GW_TUN6 $GW_LAN6
		lines 'BAD!' "$1" 443 $LAPTOP6 $SERVER6 $NAS6 $OTHER6 $FREE6
		good 6
		;;
	*)
		lines 'BAD!' "$1" 53 $GW_WAN4 $GW_TUN4 $GW_LAN4
		lines 'BAD!' "$1" 443 $LAPTOP4 $SERVER4 $NAS4 $OTHER4 $FREE4
		good 4
		;;
	esac
}

# sent_and_judged SOURCE: what must arrive has, and nothing else.
sent_and_judged() {
	judged datagrams "$1"
}

# judged COMMAND...: of the lines that it prints.
judged() {
	in_ns gw nft reset counters table inet judge >/dev/null
	"$@" | in_ns $at "$SPOOF" $interface "$hop" || return 1
	wait_until 5 arrived good_in 1 || { echo "the right datagram did not reach the gateway"; return 1; }
	wait_until 5 arrived good_through 1 || { echo "the right datagram did not get through"; return 1; }
	echo "passed: $(counted bad_in) to the gateway, $(counted bad_through) through it"
	[ "$(counted bad_in)" = 0 ] && [ "$(counted bad_through)" = 0 ]
}

# none_from SOURCE...
none_from() {
	for _spoofed; do
		expect "from the $side nothing passes as $_spoofed" sent_and_judged "$_spoofed"
	done
}

OWN4="$GW_TUN4 $GW_WAN4 $GW_LAN4"
OWN6="$GW_TUN6 $GW_WAN6 $GW_LAN6"
NOWHERE4="127.0.0.1 0.0.0.0 224.0.0.5 255.255.255.255"
NOWHERE6="::1 :: ff02::5"

for each in WAN LAN; do
	from $each
	# shellcheck disable=SC2086 # lists of words
	none_from $FREE4 $LAPTOP4 $SERVER4 $OWN4 $NOWHERE4 $FREE6 $LAPTOP6 $SERVER6 $OWN6 $NOWHERE6
done

from tunnel
none_from $SERVER4 $SERVER6

# From here on WireGuard lets the laptop send as anybody, as an "existing" tunnel without such a check would: what is
# left is our table.
in_ns gw wg set wg0 peer "$(cat "$LAB/keys/laptop.pub")" allowed-ips 0.0.0.0/0,::/0
# shellcheck disable=SC2086
none_from $FREE4 $OWN4 $NAS4 $OTHER4 $NOWHERE4 $FREE6 $OWN6 $NAS6 $OTHER6 $NOWHERE6 fe80::77

# The LAN behind the exit, for who has a right source: all of it, ports of all kinds, until a rule names something.
in_ns gw wg set wg0 peer "$(cat "$LAB/keys/laptop.pub")" allowed-ips $LAPTOP4/32,$LAPTOP6/128
whole_lan() {
	_host=1
	while [ $_host -lt 255 ]; do
		lines 'BAD!' $LAPTOP4 "$1" 192.168.1.$_host
		_host=$((_host + 1))
	done
	lines 'BAD!' $LAPTOP6 "$1" $GW_LAN6 $NAS6 fd00:1::53 fd00:1::ffff
	good 4
	good 6
}
for port in 22 80 443 445; do
	expect "nothing of the LAN is reached at port $port" judged whole_lan $port
done
expect "a rule opens one port of one host" apply "$NAS_OPEN"
expect "which is reached" fetch laptop http://$NAS4/
expect "over IPv6, too" fetch laptop "http://[$NAS6]/"
expect "and nothing else of the LAN" judged whole_lan 80
refuse "not even that host's other port" fetch laptop http://$NAS4:445/
