#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 6: any process may be killed; nothing denied passes, what flows goes on; the ruleset cannot be taken away.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

denied_stays_denied() {
	refuse "$1: the server's denied address stays closed" fetch server http://$WEB4/
	refuse "$1: over IPv6" fetch server "http://[$WEB6]/"
	refuse "$1: the LAN stays closed" fetch laptop http://$NAS4/
}

back() {
	answers laptop www.example.org A $WEB4 && answers server deb.example.net A $DEB4
}

# killed ROLE: kill -9, and a new one with another number.
killed() {
	victim=$(child_pid "$1")
	from=$(now_ms)
	kill -9 "$victim"
	wait_until 5 replaced "$1" "$victim"
}

replaced() {
	_now=$(child_pid "$1")
	[ -n "$_now" ] && [ "$_now" != null ] && [ "$_now" != 0 ] && [ "$_now" != "$2" ]
}

expect "before: names are answered" back
expect "before: the server reaches its name" fetch server http://deb.example.net:443/

expect "dnsd is killed and replaced" killed dnsd
expect "dnsd: names are answered again" wait_until 5 back
took=$(($(now_ms) - from))
expect "dnsd: soon after the kill ($took ms; on a quiet machine under a second)" less $took 5000
denied_stays_denied dnsd
expect "recorder is killed and replaced" killed recorder
denied_stays_denied recorder
expect "recorder: the server reaches its name" fetch server http://deb.example.net:443/
has_gap() {
	sluice flows --json | grep -q '"state":"gap"'
}
expect "a gap is in the records" wait_until 10 has_gap

grew() {
	[ "$(stat -c %s "$LAB/download")" -gt "$1" ]
}

# gatewayd, with a download under way, and the service manager held back.
start download laptop curl -sS -m 60 --limit-rate 600k -o "$LAB/download" http://www.example.org/big
wait_until 3 test -s "$LAB/download"
: >"$LAB/hold"
gateway=$(gateway_pid)
kill -9 "$gateway"
wait_until 3 is_gone gatewayd
size=$(stat -c %s "$LAB/download")
expect "gatewayd: the table outlives it" sh -c "ip netns exec $NS-gw nft list table inet sluice | grep -q class_"
denied_stays_denied gatewayd
expect "gatewayd: an address learned before stays open" fetch server http://$DEB4:443/
expect "gatewayd: the download goes on" wait_until 3 grew "$size"
rm -f "$LAB/hold"
expect "gatewayd: the next one answers" wait_until 10 back
wait_until 30 is_gone download
expect "gatewayd: the download is complete" test "$(stat -c %s "$LAB/download")" = 8388608
denied_stays_denied "next gatewayd"
expect "next gatewayd: the server reaches its name" fetch server http://deb.example.net:443/
expect "next gatewayd: a change is taken" apply "$NAS_OPEN"
expect "next gatewayd: and works" fetch laptop http://$NAS4/
expect "next gatewayd: and back" apply ''

# The launcher: gatewayd goes with it, and both come back.
launcher=$(awk '$1 == "PPid:" {print $2}' "/proc/$(child_pid dnsd)/status")
expect "dnsd's parent is the launcher" grep -q launcher "/proc/$launcher/cmdline" "/proc/$launcher/comm"
kill -9 "$launcher"
expect "launcher: all is back" wait_until 10 back
denied_stays_denied launcher

# Somebody else's nft.
in_ns gw nft flush ruleset >"$LAB/flush" 2>&1
restored() {
	in_ns gw nft list table inet sluice | grep -q class_
}
expect "a flushed ruleset is there (refused, or back)" wait_until 2 restored
denied_stays_denied "after the flush"
expect "after the flush: the server reaches its name" wait_until 3 fetch server http://deb.example.net:443/
