#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317,SC2013 # functions are run by check(); numbers are words
# The real gateway with its real children in a network namespace of its own: start, reload, death of each part, stop,
# teardown. The tunnel is a veth that "somebody else" made. netns_smoke.sh BUILD
. "$(dirname "$0")/netns_common.sh"

# child NAME: its process number. Children are the launcher's, which is gatewayd's only child.
child() {
	_launcher=$(cat "/proc/$GATEWAY/task/$GATEWAY/children")
	for _pid in $(cat "/proc/${_launcher% }/task/${_launcher% }/children"); do
		[ "$(cat "/proc/$_pid/comm")" = "$1" ] && echo "$_pid"
	done
}

is_new() {
	_now=$(child "$1")
	[ -n "$_now" ] && [ "$_now" != "$2" ] && sluice status --json | grep -q '"restarts":1'
}

gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

status_of() {
	grep -q "$2" "/proc/$1/status"
}

has_table() {
	nft list table inet sluice
}

has_no_table() {
	! has_table
}

has_hooks() {
	nft list chain inet sluice forward | grep -q 'hook forward'
}

lacks_hooks() {
	nft list chain inet sluice forward | grep -q from_device && ! has_hooks
}

# gated_at INTERFACE ingress|egress
gated_at() {
	tc filter show dev "$1" "$2" | grep -q sluice_
}

gated() {
	gated_at tun-test ingress && gated_at tun-test egress && gated_at tun-peer egress
}

not_gated() {
	! gated_at tun-test ingress && ! gated_at tun-test egress && ! gated_at tun-peer egress
}

forwards() {
	[ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$1" ]
}

has_grant() {
	nft list map inet sluice to4 | grep -q '192.0.2.1 : '
}

# The wide grant ends below the public address on lo, and goes on behind it.
guards_own_address() {
	nft list map inet sluice widenet4 | grep -q -- '-198.51.100.0 : ' &&
		nft list map inet sluice widenet4 | grep -q '198.51.100.2-'
}

second_is_refused() {
	! "$BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson" && sluice status
}

says_broken() {
	sluice status --json | grep -q '"last_reload":{"ok":false,"error":"[^"]*policy.hujson:1:'
}

says_well() {
	sluice status --json | grep -q '"last_reload":{"ok":true'
}

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "tun-test", "existing": true, "addresses": ["100.64.0.1/10", "fd5a:51ce::1/48"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
cat >"$DIR/policy.hujson" <<'TEXT'
{
	"grants": [
		{"src": ["a@example.com"], "dst": ["192.0.2.1"], "ip": ["tcp:443"]},
		{"src": ["a@example.com"], "dst": ["autogroup:internet"], "ip": ["tcp:8443"]},
	],
	"dns": {"lists": {"ads": {"file": "ads.txt"}}, "filters": [{"src": ["*"], "block": ["ads"]}]},
	"tests": [{"src": "a@example.com", "accept": ["192.0.2.1:443"], "dns": {"block": ["ads.example"], "pass": ["a.example"]}}],
}
TEXT
cat >"$DIR/devices.hujson" <<'TEXT'
{"users": ["a@example.com"], "devices": [{"name": "a", "user": "a@example.com", "addresses": ["100.64.0.7"]}]}
TEXT
echo '||ads.example^' >"$DIR/ads.txt"
cp "$DIR/policy.hujson" "$DIR/policy.good"
forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
tunnel_up
ip addr add 198.51.100.1/32 dev lo

check "the gateway starts" up
check "the table is in the kernel" has_table
check "forwarding is on" forwards 1
check "an address of its own is behind the guard, on lo, too" guards_own_address
check "a second gateway is refused, and takes nothing from the first" second_is_refused
check "gatewayd keeps CAP_NET_ADMIN alone" status_of "$GATEWAY" '^CapPrm:.0000000000001000'
for name in sluice-dnsd sluice-recorder; do
	pid=$(child $name)
	check "$name keeps no capability" status_of "$pid" '^CapPrm:.0000000000000000'
	check "$name has no way to get one" status_of "$pid" '^CapBnd:.0000000000000000'
	check "$name is not root" status_of "$pid" '^Uid:.6470[12].6470[12].6470[12].6470[12]'
	check "$name has a filter of system calls" status_of "$pid" '^Seccomp:.2'
done
check "a reload of the same files works" sluice reload
sed -i 's/"block": \["ads.example"\]/"block": ["a.example"]/' "$DIR/policy.hujson"
check "a policy whose DNS test fails is refused" refused
cp "$DIR/policy.good" "$DIR/policy.hujson"
check "a reload works again" sluice reload
check "the gate is closed" gated
check "netfilter mode nodivert is taken" sluice netfilter nodivert
check "its table has no hooks" lacks_hooks
check "forwarding is as it was before" forwards "$forwarding"
check "the gate is open" not_gated
check "status warns" eval "sluice status | grep -q '^NOTHING IS ENFORCED'"
check "netfilter mode off is taken" sluice netfilter off
check "there is no table" has_no_table
check "a reload without a table works" sluice reload
check "there is none after it" has_no_table
check "which is said" eval "[ \$(sluice netfilter) = off ]"
check "an unknown mode is refused" eval "! sluice netfilter aus"
check "netfilter mode on is taken" sluice netfilter on
check "the table has its hooks again" has_hooks
check "and the grant" has_grant
check "forwarding is on again" forwards 1
check "the gate is closed again" gated
ip link add late0 type dummy 2>/dev/null || ip link add late0 type veth peer name late1
check "an interface that comes later is gated" until_ok 50 gated_at late0 egress
pid=$(child sluice-dnsd)
kill -9 "$pid"
check "a dead dnsd is replaced" until_ok 50 is_new sluice-dnsd "$pid"
dnsd=$(child sluice-dnsd)
recorder=$(child sluice-recorder)
kill -9 "$GATEWAY"
check "no dnsd is left after gatewayd was killed" until_ok 50 gone "$dnsd"
check "no recorder is left either" until_ok 50 gone "$recorder"
check "the table stays" has_table
check "the gateway takes over" up
check "it stops" stop
echo '{"grants": [{"src": ["nobody-there"' >"$DIR/policy.hujson"
check "a broken policy file does not keep it from starting" up
check "by what was in force before" has_grant
check "which it says" says_broken
check "a reload of the broken file is refused" refused
cp "$DIR/policy.good" "$DIR/policy.hujson"
check "a reload of a good one works" sluice reload
check "and all is well again" says_well
check "it stops again" stop
check "forwarding is as the killed one left it" forwards 1
check "the table stays after a stop" has_table
check "it is taken away on demand" "$BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson" --teardown
check "and is gone" has_no_table
check "the gate with it" not_gated
finish
