#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317 # functions are run by until_ok()
# The tunnel's interface goes (its program is killed, somebody deletes it) and must be there again, with its addresses
# and peers, without anybody's help. netns_tunnel.sh BUILD
command -v wg >/dev/null || exit 77
. "$(dirname "$0")/netns_common.sh"

NAME=slt$$

# shellcheck disable=SC2329
clean_all() {
	ip link del "$NAME" 2>/dev/null # wireguard-go ends with it
	clean
}
trap clean_all EXIT

index() {
	cat "/sys/class/net/$NAME/ifindex" 2>/dev/null || ip -o link show "$NAME" | cut -d: -f1
}

whole() {
	ip addr show "$NAME" | grep -q '100.64.0.1/10' && wg show "$NAME" allowed-ips | grep -q '100.64.0.7/32'
}

again() {
	[ "$(index)" != "$1" ] && whole
}

ip link set lo up
# Neither the kernel's WireGuard nor wireguard-go: nothing to be tested.
command -v wireguard-go >/dev/null || { ip link add "$NAME" type wireguard && ip link del "$NAME"; } || exit 77
cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "$NAME", "listenPort": 51999, "privateKeyFile": "key", "addresses": ["100.64.0.1/10"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
echo '{"grants": []}' >"$DIR/policy.hujson"
cat >"$DIR/devices.hujson" <<TEXT
{"users": ["a@example.com"], "devices": [
	{"name": "a", "user": "a@example.com", "addresses": ["100.64.0.7"], "key": "$(wg genkey | wg pubkey)"}]}
TEXT
up || die "the gateway starts"
until_ok 100 whole || die "the tunnel is there"
was=$(index)
ip link del "$NAME"
until_ok 100 again "$was" || die "the tunnel is there again"
echo "ok   the tunnel is there again, with its peer"
