#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317 # functions are run by until_ok()
# The tunnel's interface goes (its program is killed, somebody deletes it) and must be there again, with its addresses
# and peers, without anybody's help. netns_tunnel.sh BUILD
set -u
[ "$(id -u)" = 0 ] && command -v wg >/dev/null || exit 77
if [ "${2:-}" != inside ]; then
	exec unshare -n "$0" "$1" inside
fi

BUILD=$1
DIR=$(mktemp -d /tmp/sluice-tunnel.XXXXXX) || exit 1
NAME=slt$$
GATEWAY=

clean() {
	[ -n "$GATEWAY" ] && kill -9 "$GATEWAY" 2>/dev/null
	ip link del "$NAME" 2>/dev/null # wireguard-go ends with it
	rm -rf "$DIR"
}
trap clean EXIT

die() {
	echo "FAIL $1"
	cat "$DIR/log"
	exit 1
}

# until_ok TENTHS COMMAND...
until_ok() {
	_left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		_left=$((_left - 1))
		[ "$_left" -gt 0 ] || return 1
		sleep 0.1
	done
}

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
chmod 755 "$DIR"
"$BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson" 2>"$DIR/log" &
GATEWAY=$!
until_ok 100 whole || die "the tunnel is there"
was=$(index)
ip link del "$NAME"
until_ok 100 again "$was" || die "the tunnel is there again"
echo "ok   the tunnel is there again, with its peer"
