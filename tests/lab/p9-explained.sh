#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 9: every refused name leads to its list line, every refused packet to its place in the policy.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

line_of() {
	grep -nF "$1" "$LAB/etc/lists/$2" | head -n 1 | cut -d : -f 1
}

# ede MACHINE NAME TYPE PATTERN
ede() {
	ask "$1" "$2" "$3" | grep -E 'EDE: 15' | grep -Eq -- "$4"
}

tracker=$(line_of tracker.example.org ads.hosts)
name=$(sed -n 's/^||\([a-z0-9.-]*\)^$/\1/p' "$LAB/etc/lists/blocklist.adblock" | head -n 1)
published=$(line_of "||$name^" blocklist.adblock)

for device in laptop server; do
	for type in A AAAA HTTPS; do
		expect "$device: EDE 15 names list and line, type $type" ede $device tracker.example.org $type "ads[^0-9]*$tracker"
	done
	expect "$device: a name of the published list" ede $device "$name" A "published[^0-9]*$published"
done
expect "a CNAME's target" ede laptop cname-to-tracker.example.org A "ads[^0-9]*$tracker"
refuse "a name that is not blocked has no EDE 15" ede laptop www.example.org A .
expect "but an address" answers laptop www.example.org A $WEB4

explained() {
	sluice explain "$@" >"$LAB/explained" 2>&1
	cat "$LAB/explained"
}
# why WHAT PATTERN ARGUMENT...
why() {
	_title=$1 _pattern=$2
	shift 2
	explained "$@" >/dev/null
	expect "$_title" says "$_pattern" "$LAB/explained"
}
why "explain: allowed by name" '/grants/0' server deb.example.net 443/tcp
why "explain: refused name, with list and line" "ads[^0-9]*$tracker" laptop tracker.example.org 443/tcp
why "explain: allowed address" '/grants/2' laptop $WEB4 443/tcp
why "explain: refused address" 'drop|denied|refused|no rule' server $WEB4 443/tcp
why "explain: IPv6 address" '/grants/2' laptop $WEB6 443/tcp
why "explain: the LAN" 'drop|denied|refused|no rule' laptop $NAS4 445/tcp
expect "a deny" apply "$WEB_DENIED;s|\"accept\": \\[\"198.51.100.10:443\"\\], ||"
why "explain: refused by the deny" '/denies/0' laptop $WEB4 443/tcp
