#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Refused packets: counted by rule and reason, over reloads and restarts; named with device, destination and rule, of devices
# that have opted in and of no others; bounded, whatever is sent.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

GROUP=21333 # DROP_NFLOG_GROUP
FLOOD=20000
# Of the policy's own tests, the parts that what is done here would fail.
# shellcheck disable=SC2034 # for policy_edit
POLICY_BASE='s|"accept": \["198.51.100.10:443"\], ||;/"src": "tag:server", "accept": \["dns:/d'

# dropped PATTERN: `sluice drops` has a line like it.
dropped() {
	sluice drops >"$LAB/drops" 2>&1
	grep -Eq -- "$1" "$LAB/drops"
}

# packets POSITION: what that rule has counted.
packets() {
	sluice rules --json | jq -r "select(.rule == \"$1\") | .packets"
}

# refused REASON
refused() {
	sluice status --json | jq -r ".refused.$1.packets"
}

not_less() {
	[ "$1" -ge "$2" ]
}

# try MACHINE ADDRESS PORT: one connection that is refused.
try() {
	! in_ns "$1" busybox timeout 1 busybox nc -w 1 "$2" "$3" </dev/null
}

expect "the server's IPv4 is refused" try server $WEB4 80
expect "and told of: not resolved" wait_until 5 dropped "server \\($SERVER4\\) > $WEB4 tcp/80  resolve-first"
expect "IPv6, too" try server $WEB6 80
expect "and told of" wait_until 5 dropped "server \\($SERVER6\\) > $WEB6 tcp/80  resolve-first"
expect "the server resolves it" answers server www.example.org A $WEB4
expect "and is refused" try server $WEB4 80
expect "for want of a rule" wait_until 5 dropped "server \\($SERVER4\\) > $WEB4 tcp/80  no rule allows it"
expect "that is counted" not_less "$(refused norule)" 1
expect "as what was not resolved is" not_less "$(refused unseen)" 2
expect "the laptop, which is not recorded, is refused" try laptop $NAS4 445
expect "and not told of" lacks "laptop|$NAS4" "$LAB/drops"
expect "that there is more is said" says 'not shown: 2 of 3 devices' "$LAB/drops"

# One that has a key, but is no device: its address is added to the laptop's tunnel at both ends.
in_ns gw wg set wg0 peer "$(cat "$LAB/keys/laptop.pub")" allowed-ips "$LAPTOP4/32,$LAPTOP6/128,100.64.0.99/32"
address laptop wg0 100.64.0.99/32
in_ns laptop ping -c 1 -W 1 -I 100.64.0.99 $WEB4 >/dev/null 2>&1
expect "an unknown device is told of" wait_until 5 dropped "- \\(100.64.0.99\\) > $WEB4 icmp  no device is registered"
expect "and counted" not_less "$(refused unknown)" 1
ip -n "$NS-internet" addr add 100.64.0.77/32 dev lo
in_ns internet ping -c 1 -W 1 -I 100.64.0.77 $GW_WAN4 >/dev/null 2>&1
expect "a spoofed source is told of" wait_until 5 dropped "\\(100.64.0.77\\) > $GW_WAN4 icmp  spoofed: came in by wan0"

# What the kernel itself says, when nobody of ours listens: the table stays, another takes the group.
gateway_down
start nflog gw tcpdump -nn -l -i nflog:$GROUP
listens_nflog() {
	in_ns gw cat /proc/net/netfilter/nfnetlink_log | grep -q "^ *$GROUP "
}
expect "somebody else listens" wait_until 5 listens_nflog
expect "a packet of the laptop is refused" try laptop $NAS4 445
expect "one of the server, too" try server $OTHER4 80
expect "the kernel tells of the server" wait_until 5 says "${SERVER4}[.0-9]* > $OTHER4" "$LAB/log/nflog"
expect "and not of the laptop" lacks "$LAPTOP4" "$LAB/log/nflog"
gateway_up
told() {
	[ "$(sluice status --json | jq .drops.told)" = "$1" ]
}
expect "a gateway that cannot have the group says so" dropped 'refused packets are counted only: another program has nflog group'
expect "and no rule of it logs" sh -c "! ip netns exec $NS-gw nft list table inet sluice | grep -q 'group $GROUP'"
stop nflog
expect "it takes the group when that is free" wait_until 30 told true

FAMILY_TOLD='s|{"src": \["tag:server"\], "flows": "full"}|&, {"src": ["group:family"], "flows": "blocked"}|'
expect "the family opts in, and a deny" apply "$WEB_DENIED;$FAMILY_TOLD"
line=$(grep -n '"denies"' "$LAB/etc/policy.hujson" | head -n 1 | cut -d : -f 1)
start follow gw "$BUILD/sluice" --config "$CONFIG" drops --follow --device laptop
expect "the laptop is refused" try laptop $WEB4 80
told="laptop \\($LAPTOP4\\) > $WEB4 tcp/80  refused by /denies/0 \\(.*policy\\.hujson:$line:"
expect "it is told of with rule and line" wait_until 5 dropped "$told"
expect "whoever follows sees it" wait_until 5 says "$told" "$LAB/log/follow"
expect "IPv6, too" try laptop $WEB6 80
expect "and sees it" wait_until 5 says "laptop \\($LAPTOP6\\) > $WEB6 tcp/80  refused by /denies/0" "$LAB/log/follow"
sluice explain laptop $WEB4 80 >"$LAB/explained"
expect "explain says when" says 'refused +last [0-9]+ s ago, tcp/80: refused by /denies/0' "$LAB/explained"
expect "no flow of it is recorded" sh -c "! $BUILD/sluice flows --journal $LAB/state/journal | grep -q laptop"

n=$(packets /denies/0)
expect "the rule has counted" not_less "$n" 2
expect "a reload that leaves the rule as it is" apply "$WEB_DENIED;$FAMILY_TOLD;$NAS_OPEN"
expect "leaves its counter" test "$(packets /denies/0)" = "$n"
_before=$(gateway_pid)
kill -9 "$_before"
restarted() {
	[ "$(gateway_pid)" != "$_before" ] && sluice status
}
expect "gatewayd is killed and started again" wait_until 15 restarted
expect "the counter goes on" not_less "$(packets /denies/0)" "$n"
expect "that of the reason, too" not_less "$(refused unseen)" 2
expect "the laptop is refused again" try laptop $WEB4 443
expect "whoever follows goes on" wait_until 5 says "laptop \\($LAPTOP4\\) > $WEB4 tcp/443  refused by /denies/0" "$LAB/log/follow"
stop follow

kept=$(sluice status --json | jq .drops.kept)
n=$(packets /denies/0)
began=$(now_ms)
# Not faster than wireguard-go takes them.
in_ns laptop "$BUILD/tests/lab/flood" $WEB4 4000 $FLOOD 4
flooded() {
	[ "$(packets /denies/0)" -ge $((n + FLOOD / 2)) ]
}
expect "a flood is refused" wait_until 10 flooded
# The limits' bursts and rates, and a second for what is on its way.
most=$((100 + 50 * (1 + ($(now_ms) - began) / 1000 + 1)))
told_now=$(($(sluice status --json | jq .drops.kept) - kept))
echo "# $(($(packets /denies/0) - n)) packets refused, $told_now told of (at most $most)"
expect "some of it is told of" not_less "$told_now" 50
expect "and not more than the limit" not_less "$most" "$told_now"
expect "nothing that the kernel told was lost" test "$(sluice status --json | jq .drops.lost)" = 0
expect "repeats are one line" dropped 'refused by /denies/0 .*\([0-9]+ times\)'

sed -i '/"name": "server"/s|"key"|"state": "quarantined", "key"|' "$LAB/etc/devices.hujson"
expect "the server is quarantined" apply ''
expect "what it sends is refused" try server $DEB4 443
expect "and told of" wait_until 5 dropped "server \\($SERVER4\\) > $DEB4 tcp/443  the device is not active"
expect "and counted" not_less "$(refused quarantined)" 1

expect "the deny goes" apply ''
expect "and comes again" apply "$WEB_DENIED"
expect "as a new rule, which has counted nothing" test "$(packets /denies/0)" = 0
